/* SPDX-License-Identifier: MIT
 * The echo in C: a copy of the request, malloc'ed, as any library of the older bridges has to make it. The configuration: how
 * many nanoseconds it sleeps before it answers. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weft/foreign.h"

struct runtime {
  const weft_foreign *weft;
  weft_queue *queue;
  long pause;
};

static void *serve(void *p) {
  struct runtime r = *(struct runtime *)p;
  weft_task *task;
  free(p);
  while ((task = r.weft->poll(r.queue)) != NULL) {
    size_t size;
    const char *request = r.weft->request(task, &size);
    struct timespec pause = {0, r.pause};
    if (r.pause) nanosleep(&pause, NULL);
    char *copy = malloc(size);
    memcpy(copy, request, size);
    r.weft->respond(task, 0, copy, size);
  }
  return NULL;
}

int weft_foreign_init(const weft_foreign *weft, weft_queue *queue, const char *config) {
  pthread_t thread;
  struct runtime *r = malloc(sizeof *r);
  *r = (struct runtime){weft, queue, config ? atol(config) : 0};
  return pthread_create(&thread, NULL, serve, r) || pthread_detach(thread);
}
