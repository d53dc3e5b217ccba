/* SPDX-License-Identifier: MIT
 * bare epoll|ring n: two threads that wake each other by an eventfd, each parked in an epoll or a
 * ring of io_uring until the other has written, on a core of its own. us a round trip. */
#define _GNU_SOURCE
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

static int bell[2], n, in_ring;

static void trips_in_epoll(int me) {
  struct epoll_event e = {.events = EPOLLIN | EPOLLET};
  const int poll = epoll_create1(0);
  epoll_ctl(poll, EPOLL_CTL_ADD, bell[me], &e);
  for (int i = 0; i < n; ++i) {
    if (me == 0) eventfd_write(bell[1], 1);
    epoll_wait(poll, &e, 1, -1);
    if (me == 1) eventfd_write(bell[0], 1);
  }
}

static void trips_in_ring(int me) {
  struct io_uring ring;
  struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
  if (io_uring_queue_init_params(64, &ring, &p)) exit(1);
  io_uring_prep_poll_multishot(io_uring_get_sqe(&ring), bell[me], POLLIN);
  io_uring_submit(&ring);
  for (int i = 0; i < n; ++i) {
    struct io_uring_cqe* c;
    if (me == 0) eventfd_write(bell[1], 1);
    io_uring_submit_and_wait(&ring, 1);
    if (io_uring_peek_cqe(&ring, &c)) exit(1);
    io_uring_cqe_seen(&ring, c);
    if (me == 1) eventfd_write(bell[0], 1);
  }
}

static void* trips(void* me) {
  cpu_set_t core;
  CPU_ZERO(&core);
  CPU_SET((int)(intptr_t)me, &core);
  pthread_setaffinity_np(pthread_self(), sizeof core, &core);
  in_ring ? trips_in_ring((int)(intptr_t)me) : trips_in_epoll((int)(intptr_t)me);
  return NULL;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  in_ring = strcmp(argv[1], "ring") == 0;
  n = atoi(argv[2]);
  for (int i = 0; i < 2; ++i) bell[i] = eventfd(0, EFD_NONBLOCK);
  pthread_t other;
  const int64_t start = now();
  pthread_create(&other, NULL, trips, (void*)1);
  trips((void*)0);
  pthread_join(other, NULL);
  printf("RESULT trip %.6g us\n", (double)(now() - start) / 1000 / n);
  return 0;
}
