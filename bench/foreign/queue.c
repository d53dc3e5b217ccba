/* SPDX-License-Identifier: MIT
 * queue BYTES DEPTH n [PAUSE]: the least that a call of another thread costs: a request copied into a list under a mutex, a condition
 * variable for the thread, a list of answers and an eventfd in epoll for the caller. DEPTH calls are out at a time. PAUSE:
 * the nanoseconds that the caller sleeps before it asks, in epoll, and the thread before it answers. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct call {
  struct call *next;
  char *request, *answer;
};
struct list {
  pthread_mutex_t mutex;
  struct call *first, **last;
};

static struct list calls = {PTHREAD_MUTEX_INITIALIZER, NULL, &calls.first};
static struct list answers = {PTHREAD_MUTEX_INITIALIZER, NULL, &answers.first};
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;
static int bell, poller;
static size_t bytes;
static struct timespec pause_of; /* none: 0 */

/* True: it was empty. */
static int push(struct list *l, struct call *c) {
  c->next = NULL;
  int was_empty = l->first == NULL;
  *l->last = c;
  l->last = &c->next;
  return was_empty;
}

static void *serve(void *p) {
  for (;;) {
    pthread_mutex_lock(&calls.mutex);
    while (!calls.first) pthread_cond_wait(&posted, &calls.mutex);
    struct call *c = calls.first;
    calls.first = c->next;
    if (!calls.first) calls.last = &calls.first;
    pthread_mutex_unlock(&calls.mutex);
    if (pause_of.tv_nsec) nanosleep(&pause_of, NULL);
    c->answer = malloc(bytes);
    memcpy(c->answer, c->request, bytes);
    pthread_mutex_lock(&answers.mutex);
    int ring = push(&answers, c);
    pthread_mutex_unlock(&answers.mutex);
    if (ring) eventfd_write(bell, 1);
  }
  return p;
}

static void post(const char *request) {
  struct epoll_event none;
  if (pause_of.tv_nsec) epoll_pwait2(poller, &none, 1, &pause_of, NULL);
  struct call *c = malloc(sizeof *c);
  c->request = malloc(bytes);
  memcpy(c->request, request, bytes);
  pthread_mutex_lock(&calls.mutex);
  push(&calls, c);
  pthread_cond_signal(&posted);
  pthread_mutex_unlock(&calls.mutex);
}

/* Waits for answers; how many there were. */
static long take(void) {
  struct epoll_event event;
  eventfd_t rung;
  epoll_wait(poller, &event, 1, -1);
  eventfd_read(bell, &rung);
  pthread_mutex_lock(&answers.mutex);
  struct call *c = answers.first;
  answers.first = NULL;
  answers.last = &answers.first;
  pthread_mutex_unlock(&answers.mutex);
  long n = 0;
  while (c) {
    struct call *next = c->next;
    free(c->request);
    free(c->answer);
    free(c);
    c = next;
    ++n;
  }
  return n;
}

static void run(const char *request, long depth, long n) {
  long out = 0, done = 0, sent = 0;
  while (done < n) {
    for (; out < depth && sent < n; ++out, ++sent) post(request);
    long got = take();
    out -= got;
    done += got;
  }
}

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 4 && argc != 5) return 2;
  if (argc == 5) pause_of.tv_nsec = atol(argv[4]);
  bytes = (size_t)atol(argv[1]);
  long depth = atol(argv[2]), n = atol(argv[3]);
  char *request = malloc(bytes);
  memset(request, 'x', bytes);
  bell = eventfd(0, EFD_NONBLOCK);
  poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(poller, EPOLL_CTL_ADD, bell, &event);
  pthread_t thread;
  pthread_create(&thread, NULL, serve, NULL);
  run(request, depth, n / 10);
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  run(request, depth, n);
  cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  wall = seconds(CLOCK_MONOTONIC) - wall;
  const char *name = pause_of.tv_nsec ? "parked" : depth == 1 ? "one" : "many";
  printf("RESULT %s_%zu %.4f us\nRESULT %s_%zu_wall %.4f us\n", name, bytes, cpu / (double)n * 1e6, name, bytes,
         wall / (double)n * 1e6);
  return 0;
}
