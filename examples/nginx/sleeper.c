/* SPDX-License-Identifier: MIT
 * A library that blocks, as most do: each request takes as many milliseconds as its configuration says, in a
 * thread of its own. cc -shared -fPIC -I include -o libsleeper.so examples/nginx/sleeper.c -lpthread */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "weft/foreign.h"

struct runtime {
  const weft_foreign *weft;
  weft_queue *queue;
  long milliseconds;
};

struct job {
  const struct runtime *of;
  weft_task *task;
};

static void *work(void *argument) {
  struct job *job = argument;
  const struct timespec length = {job->of->milliseconds / 1000, job->of->milliseconds % 1000 * 1000000};
  char answer[64];
  nanosleep(&length, NULL);
  const int size = snprintf(answer, sizeof answer, "slept %ld ms", job->of->milliseconds);
  job->of->weft->respond_copy(job->task, 0, answer, (size_t)size);
  free(job);
  return NULL;
}

static void *poll(void *argument) {
  struct runtime *runtime = argument;
  weft_task *task;
  while ((task = runtime->weft->poll(runtime->queue)) != NULL) {
    struct job *job = malloc(sizeof *job);
    pthread_t thread;
    if (job == NULL) {
      runtime->weft->respond_copy(task, 1, "no memory", 9);
      continue;
    }
    job->of = runtime;
    job->task = task;
    if (pthread_create(&thread, NULL, work, job) == 0) {
      pthread_detach(thread);
    } else {
      free(job);
      runtime->weft->respond_copy(task, 1, "no thread", 9);
    }
  }
  return NULL; /* unloaded; threads at work still use the runtime, so it stays */
}

__attribute__((visibility("default"))) int weft_foreign_init(const weft_foreign *weft, weft_queue *queue,
                                                             const char *config) {
  struct runtime *runtime = malloc(sizeof *runtime);
  pthread_t thread;
  if (runtime == NULL) return 1;
  runtime->weft = weft;
  runtime->queue = queue;
  runtime->milliseconds = config != NULL ? atol(config) : 50;
  if (pthread_create(&thread, NULL, poll, runtime) != 0) return 1;
  pthread_detach(thread);
  return 0;
}
