// SPDX-License-Identifier: MIT
// send way size: sends that many bytes at a time over TCP on the loopback, by send() with and
// without MSG_ZEROCOPY, or by a ring with send and send_zc, one message in flight at a time, and
// tells the CPU time of both sides a message. The other side, a thread on core 1, reads and forgets.
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int reader;
static char* message;
static size_t size;
static struct io_uring ring;
static int out;

static void* forget(void* unused) {
  cpu_set_t where;
  CPU_ZERO(&where);
  CPU_SET(1, &where);
  pthread_setaffinity_np(pthread_self(), sizeof where, &where);
  char* room = malloc(1 << 20);
  while (recv(reader, room, 1 << 20, 0) > 0) continue;
  return unused;
}

static void send_all(int flags) {
  for (size_t sent = 0; sent < size;) {
    ssize_t n = send(out, message + sent, size - sent, flags | MSG_NOSIGNAL);
    if (n < 0) exit(1);
    sent += (size_t)n;
  }
}

// Until the kernel has let go of the bytes: a call may notify of several sends.
static unsigned sends_told;
static void await_notice(unsigned sends) {
  while (sends_told < sends) {
    char control[128];
    struct msghdr m = {.msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(out, &m, MSG_ERRQUEUE) < 0) {
      struct pollfd p = {out, 0, 0};
      poll(&p, 1, -1);
      continue;
    }
    struct sock_extended_err* e = (void*)CMSG_DATA(CMSG_FIRSTHDR(&m));
    sends_told = e->ee_data + 1;
  }
}

static void send_in_ring(int zero_copy) {
  for (size_t sent = 0; sent < size;) {
    struct io_uring_sqe* s = io_uring_get_sqe(&ring);
    if (zero_copy)
      io_uring_prep_send_zc(s, out, message + sent, size - sent, MSG_NOSIGNAL | MSG_WAITALL, 0);
    else
      io_uring_prep_send(s, out, message + sent, size - sent, MSG_NOSIGNAL | MSG_WAITALL);
    for (int more = 1; more;) {  // a send without a copy ends with a notice
      struct io_uring_cqe* c;
      io_uring_submit_and_wait(&ring, 1);
      if (io_uring_peek_cqe(&ring, &c)) continue;
      if (c->res < 0 && !(c->flags & IORING_CQE_F_NOTIF)) exit(1);
      if (!(c->flags & IORING_CQE_F_NOTIF)) sent += (size_t)c->res;
      more = (c->flags & IORING_CQE_F_MORE) != 0;
      io_uring_cqe_seen(&ring, c);
    }
  }
}

static double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void connect_both(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (bind(listener, (struct sockaddr*)&at, n) || listen(listener, 1)) exit(1);
  getsockname(listener, (struct sockaddr*)&at, &n);
  out = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(out, (struct sockaddr*)&at, n)) exit(1);
  reader = accept(listener, NULL, NULL);
  setsockopt(out, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const char* way = argv[1];
  size = strtoul(argv[2], NULL, 10);
  message = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(message, 'x', size);
  connect_both();
  struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
  if (io_uring_queue_init_params(64, &ring, &p)) return 1;
  pthread_t thread;
  pthread_create(&thread, NULL, forget, NULL);
  const unsigned warm = 1000, messages = (unsigned)(4e8 / (double)size) + 2000;
  double from = 0;
  unsigned zero_copies = 0;
  for (unsigned i = 0; i < warm + messages; ++i) {
    if (i == warm) from = cpu();
    if (!strcmp(way, "send")) {
      send_all(0);
    } else if (!strcmp(way, "MSG_ZEROCOPY")) {
      for (size_t sent = 0; sent < size; ++zero_copies) {
        ssize_t n = send(out, message + sent, size - sent, MSG_ZEROCOPY | MSG_NOSIGNAL);
        if (n < 0) return 1;
        sent += (size_t)n;
      }
      await_notice(zero_copies);
    } else {
      send_in_ring(!strcmp(way, "ring_send_zc"));
    }
  }
  printf("RESULT message_%zuK %.6g us\n", size / 1024, (cpu() - from) / messages);
  return 0;
}
