// SPDX-License-Identifier: MIT
// The limit with completions: a plain C echo server. Accepts and receives that stay, into buffers
// that the kernel picks; sends in the ring; one system call a turn. Needs Linux 6.1.
// uring_echo port
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { pieces = 1024, piece_size = 4096, group = 1 };
enum { accepting, receiving, sending, kinds = 3 };  // in the low bits of user_data

typedef struct piece {  // what one receive has brought
  struct piece* next;
  unsigned sent, size;
} piece;

typedef struct connection {
  struct connection* next_starved;
  piece *first, *last;  // to send
  int fd;
  bool receives, sends, starves, ended, broken;
} connection;

static struct io_uring ring;
static struct io_uring_buf_ring* offered;
static char bytes[pieces][piece_size];
static piece piece_of[pieces];
static connection* starved;

static struct io_uring_sqe* next(void) {
  struct io_uring_sqe* s = io_uring_get_sqe(&ring);
  if (!s) {
    io_uring_submit(&ring);
    s = io_uring_get_sqe(&ring);
  }
  if (!s) abort();
  return s;
}
// After preparing, which clears it.
static void tag(struct io_uring_sqe* s, int kind, connection* c) {
  s->user_data = (uintptr_t)c | kind;
}

static void receive(connection* c) {
  struct io_uring_sqe* s = next();
  io_uring_prep_recv_multishot(s, c->fd, NULL, 0, 0);
  s->flags |= IOSQE_BUFFER_SELECT;
  s->buf_group = group;
  tag(s, receiving, c);
  c->receives = true;
}
static void send_first(connection* c) {
  piece* p = c->first;
  struct io_uring_sqe* s = next();
  io_uring_prep_send(s, c->fd, bytes[p - piece_of] + p->sent, p->size - p->sent, MSG_NOSIGNAL);
  tag(s, sending, c);
  c->sends = true;
}
static void accept_more(int listener) {
  struct io_uring_sqe* s = next();
  io_uring_prep_multishot_accept(s, listener, NULL, NULL, SOCK_CLOEXEC);
  tag(s, accepting, NULL);
}

static void offer(int number) {
  io_uring_buf_ring_add(offered, bytes[number], piece_size, number, io_uring_buf_ring_mask(pieces),
                        0);
  io_uring_buf_ring_advance(offered, 1);
}
static void drop_first(connection* c) {
  piece* p = c->first;
  c->first = p->next;
  offer(p - piece_of);
  if (!starved) return;
  connection* other = starved;
  starved = other->next_starved;
  other->starves = false;
  receive(other);
}
static void end_if_done(connection* c) {
  if (!(c->ended || c->broken) || c->receives || c->sends || c->starves) return;
  while (c->first) drop_first(c);
  close(c->fd);
  free(c);
}

static void on_accept(int listener, const struct io_uring_cqe* q) {
  if (!(q->flags & IORING_CQE_F_MORE)) accept_more(listener);
  if (q->res < 0) return;
  const int on = 1;
  setsockopt(q->res, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connection* c = calloc(1, sizeof *c);
  c->fd = q->res;
  receive(c);
}
static void on_receive(connection* c, const struct io_uring_cqe* q) {
  c->receives = (q->flags & IORING_CQE_F_MORE) != 0;
  if (q->res > 0) {
    piece* p = &piece_of[q->flags >> IORING_CQE_BUFFER_SHIFT];
    *p = (piece){.size = q->res};
    if (c->first)
      c->last->next = p;
    else
      c->first = p;
    c->last = p;
    if (!c->sends && !c->broken) send_first(c);
    if (!c->receives) receive(c);
  } else if (q->res == -ENOBUFS) {
    c->next_starved = starved;
    starved = c;
    c->starves = true;
  } else {
    c->ended = true;
  }
  end_if_done(c);
}
static void on_send(connection* c, const struct io_uring_cqe* q) {
  c->sends = false;
  if (q->res < 0) {
    c->broken = true;
    shutdown(c->fd, SHUT_RDWR);  // ends the receive
  } else if ((c->first->sent += q->res) == c->first->size) {
    drop_first(c);
  }
  if (c->first && !c->broken) send_first(c);
  end_if_done(c);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons(atoi(argv[1])),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr*)&at, sizeof at) || listen(listener, 4096)) return 1;
  struct io_uring_params p = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = 32768};
  if (io_uring_queue_init_params(4096, &ring, &p)) return 1;
  offered = aligned_alloc(4096, pieces * sizeof(struct io_uring_buf));
  struct io_uring_buf_reg about = {
      .ring_addr = (uintptr_t)offered, .ring_entries = pieces, .bgid = group};
  if (io_uring_register_buf_ring(&ring, &about, 0)) return 1;
  io_uring_buf_ring_init(offered);
  for (int i = 0; i < pieces; i++) offer(i);
  accept_more(listener);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    struct io_uring_cqe* q;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&ring, head, q) {
      connection* c = (connection*)(uintptr_t)(q->user_data & ~(uint64_t)kinds);
      switch (q->user_data & kinds) {
        case accepting: on_accept(listener, q); break;
        case receiving: on_receive(c, q); break;
        default: on_send(c, q);
      }
      seen++;
    }
    io_uring_cq_advance(&ring, seen);
  }
}
