/* SPDX-License-Identifier: MIT
 * Gives each request back. One thread. */
#include <pthread.h>
#include <stddef.h>

#include "weft/foreign.h"

static const weft_foreign *weft;

static void *serve(void *queue) {
  weft_task *task;
  size_t size;
  while ((task = weft->poll(queue)) != NULL) {
    const char *request = weft->request(task, &size);
    weft->respond_copy(task, 0, request, size);
  }
  return NULL;
}

__attribute__((visibility("default"))) int weft_foreign_init(const weft_foreign *functions, weft_queue *queue,
                                                             const char *config) {
  pthread_t thread;
  (void)config;
  weft = functions;
  return pthread_create(&thread, NULL, serve, queue) == 0 ? pthread_detach(thread) : 1;
}
