/* SPDX-License-Identifier: MIT
 * bare idle|enter n: what the kernel and pthread make of the same. idle: a thread writes an
 * eventfd, and another wakes up in epoll; and the same for whoever sleeps in poll on that epoll,
 * and fetches afterwards (as one has to that leaves a lock meanwhile); for a main loop that
 * watches an epoll around it; and in an io_uring. enter: threads that hand a lock over at each
 * turn, by a mutex and a condition variable each. */
#define _POSIX_C_SOURCE 200809L
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int bell;
static int64_t n;
static _Atomic int64_t rung;

static void* ring(void* unused) {
  const struct timespec pause = {0, 300000};
  for (int64_t i = 0; i < n; ++i) {
    nanosleep(&pause, NULL);
    rung = now();
    eventfd_write(bell, 1);
  }
  return unused;
}

static int later(const void* a, const void* b) {
  const int64_t x = *(const int64_t*)a, y = *(const int64_t*)b;
  return (x > y) - (x < y);
}

static int epoll_of(int fd) {
  const int poll = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN};
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
  return poll;
}

static int inner, outer;
static struct io_uring uring;

static void in_epoll(void) {
  struct epoll_event e;
  epoll_wait(inner, &e, 1, -1);
}
static void around_epoll(void) {
  struct pollfd p = {inner, POLLIN, 0};
  poll(&p, 1, -1);
  in_epoll();
}
static void around_both(void) {
  struct pollfd p = {outer, POLLIN, 0};
  poll(&p, 1, -1);
  in_epoll();
}
static void in_ring(void) {
  struct io_uring_cqe* c;
  struct io_uring_sqe* s = io_uring_get_sqe(&uring);
  io_uring_prep_poll_add(s, bell, POLLIN);
  io_uring_submit_and_wait_timeout(&uring, &c, 1, NULL, NULL);
  io_uring_cq_advance(&uring, 1);
}

static void idle(const char* name, void (*await)(void)) {
  int64_t* took = malloc((size_t)n * sizeof *took);
  pthread_t thread;
  pthread_create(&thread, NULL, ring, NULL);
  int64_t wakes = 0;
  for (eventfd_t count, got = 0; got < (eventfd_t)n; got += count) {
    await();
    took[wakes++] = now() - rung;
    eventfd_read(bell, &count);
  }
  pthread_join(thread, NULL);
  qsort(took, (size_t)wakes, sizeof *took, later);
  printf("RESULT %s %.17g us\n", name, (double)took[wakes / 2] / 1000);
  free(took);
}

static void idle_all(void) {
  bell = eventfd(0, EFD_NONBLOCK);
  inner = epoll_of(bell);
  outer = epoll_of(inner);
  idle("idle", in_epoll);
  idle("idle_outside", around_epoll);
  idle("idle_watched", around_both);
  if (io_uring_queue_init(8, &uring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0)
    idle("idle_ring", in_ring);
}

/* A lock that is handed over at each turn: from thread to thread, each with a condition of its own.
 */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn[16];
static int64_t turns, threads_in_turn;
static pthread_barrier_t begin;

static void* take_turns(void* arg) {
  const int64_t me = (intptr_t)arg;
  pthread_barrier_wait(&begin);
  for (int64_t i = 0; i < n; ++i) {
    pthread_mutex_lock(&mutex);
    while (turns % threads_in_turn != me) pthread_cond_wait(&turn[me], &mutex);
    ++turns;
    pthread_cond_signal(&turn[turns % threads_in_turn]);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void enter(int count) {
  pthread_t threads[16];
  const int64_t start = now();
  turns = 0;
  threads_in_turn = count;
  pthread_barrier_init(&begin, NULL, (unsigned)count);
  for (int i = 0; i < count; ++i) pthread_create(&threads[i], NULL, take_turns, (void*)(intptr_t)i);
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  printf("RESULT enter_%d %.17g ns\n", count, (double)(now() - start) / (double)(count * n));
}

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  n = atoll(argv[2]);
  if (strcmp(argv[1], "idle") == 0) {
    idle_all();
    return 0;
  }
  for (int i = 0; i < 16; ++i) pthread_cond_init(&turn[i], NULL);
  enter(1);
  enter(2);
  enter(8);
  return 0;
}
