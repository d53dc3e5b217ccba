/* SPDX-License-Identifier: MIT
 * An echo as libraries for the older bridges are written: the functions are declared by hand and found in
 * the process; compiled with PREFIX ngx_http_lua_ffi and INIT libffi_init, or those of the generation
 * before. "fail" is answered with an error, and a configuration of "bad" refused. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define JOIN(a, b) a##b
#define NAME(a, b) JOIN(a, b)
#define POLL NAME(PREFIX, _task_poll)
#define GET NAME(PREFIX, _get_req)
#define RESPOND NAME(PREFIX, _respond)

void *POLL(void *tq);
char *GET(void *task, int *len);
void RESPOND(void *task, int rc, char *rsp, int rsp_len);

static void *poll_loop(void *tq) {
  void *task;
  while ((task = POLL(tq)) != NULL) {
    int len;
    char *request = GET(task, &len);
    char *copy;
    if (!request) {
      RESPOND(task, 0, NULL, 0);
      continue;
    }
    if (strcmp(request, "fail") == 0) {
      RESPOND(task, 5, strdup("as asked"), 0);
      continue;
    }
    copy = malloc((size_t)len + 1);
    memcpy(copy, request, (size_t)len);
    copy[len] = 0;
    RESPOND(task, 0, copy, len);
  }
  return NULL;
}

__attribute__((visibility("default"))) int INIT(char *config, void *tq) {
  pthread_t thread;
  if (config && strcmp(config, "bad") == 0) return 3;
  if (pthread_create(&thread, NULL, poll_loop, tq) != 0) return 1;
  pthread_detach(thread);
  return 0;
}
