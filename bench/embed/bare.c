/* SPDX-License-Identifier: MIT
 * bare n: what pthread makes of threads that hand a lock over at each turn, by a mutex and a
 * condition variable each. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t n;
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
  if (argc != 2) return 1;
  n = atoll(argv[1]);
  for (int i = 0; i < 16; ++i) pthread_cond_init(&turn[i], NULL);
  enter(1);
  enter(2);
  enter(8);
  return 0;
}
