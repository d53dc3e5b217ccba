// SPDX-License-Identifier: MIT
// The limit: a plain C echo server. Level-triggered epoll, one shared buffer, recv then send.
// epoll_echo port
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  int fd;
  char* pending;  // what the socket did not take
  size_t size, sent;
} connection;

static char buffer[65536];
static int ep;

static void watch(int op, int fd, uint32_t events, connection* c) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(ep, op, fd, &event);
}
static void accept_all(int listener) {
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection* c = calloc(1, sizeof *c);
    c->fd = fd;
    watch(EPOLL_CTL_ADD, fd, EPOLLIN, c);
  }
}
static void drop(connection* c) {
  close(c->fd);
  free(c->pending);
  free(c);
}
static void echo(connection* c) {
  ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return drop(c);
  ssize_t sent = send(c->fd, buffer, got, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return drop(c);
  if (sent < 0) sent = 0;
  if (sent == got) return;
  c->size = got - sent;
  c->sent = 0;
  c->pending = malloc(c->size);
  memcpy(c->pending, buffer + sent, c->size);
  watch(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
}
static void flush(connection* c) {
  ssize_t sent = send(c->fd, c->pending + c->sent, c->size - c->sent, MSG_NOSIGNAL);
  if (sent < 0 && errno == EAGAIN) return;
  if (sent < 0) return drop(c);
  c->sent += sent;
  if (c->sent < c->size) return;
  free(c->pending);
  c->pending = NULL;
  watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons(atoi(argv[1])),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr*)&at, sizeof at) || listen(listener, 4096)) return 1;
  ep = epoll_create1(EPOLL_CLOEXEC);
  watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
  for (;;) {
    struct epoll_event events[512];
    int n = epoll_wait(ep, events, 512, -1);
    for (int i = 0; i < n; i++) {
      connection* c = events[i].data.ptr;
      if (!c)
        accept_all(listener);
      else if (c->pending)
        flush(c);
      else
        echo(c);
    }
  }
}
