/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

#include "weft/foreign.h"

/* What a runtime's thread needs. */
struct runtime {
  const weft_foreign *weft;
  weft_queue *queue;
};

/* Takes tasks until there are no more: the runtime was unloaded. */
static void *serve(void *p) {
  struct runtime r = *(struct runtime *)p;
  weft_task *task;
  free(p);
  while ((task = r.weft->poll(r.queue)) != NULL) {
    size_t size;
    char *bytes = r.weft->request(task, &size);
    for (size_t i = 0; i < size; ++i) bytes[i] = (char)toupper((unsigned char)bytes[i]);
    r.weft->respond(task, 0, bytes, size); /* the request itself, changed */
  }
  return NULL;
}

int weft_foreign_init(const weft_foreign *weft, weft_queue *queue, const char *config) {
  pthread_t thread;
  struct runtime *r = malloc(sizeof *r);
  (void)config;
  if (!r) return 1;
  *r = (struct runtime){weft, queue};
  if (pthread_create(&thread, NULL, serve, r) == 0) return pthread_detach(thread);
  free(r);
  weft->init_error(queue, "no thread");
  return 1;
}
