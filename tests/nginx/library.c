/* SPDX-License-Identifier: MIT
 * What the tests of nginx ask. A request is a command: "echo TEXT", "sleep MS", "meet N" (until N of these are there at
 * once, or nobody waits), "fail STATUS TEXT", "nothing",
 * "parts A B C", "never" (until nobody waits), "count" -> "running cancelled", "ended" -> how many pollers have got NULL. With the configuration
 * "stuck" it never polls. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weft/foreign.h"

static const weft_foreign *weft;
static atomic_int running, meeting, cancelled, ended;

static void nap(long milliseconds) {
  const struct timespec length = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&length, NULL);
}

/* Whether the whole time has passed, or as many have met. */
static int sleep_unless_cancelled(weft_task *task, long milliseconds, int parties) {
  for (long slept = 0; slept < milliseconds && (parties == 0 || atomic_load(&meeting) < parties); slept += 5) {
    nap(5);
    if (!weft->task_cancelled(task)) continue;
    atomic_fetch_add(&cancelled, 1);
    return 0;
  }
  return 1;
}

static void *work(void *argument) {
  weft_task *task = argument;
  atomic_fetch_add(&running, 1);
  const char *request = weft->request(task, NULL);
  const long milliseconds = strncmp(request, "sleep ", 6) == 0 ? atol(request + 6) : 1L << 40;
  const int parties = strncmp(request, "meet ", 5) == 0 ? atoi(request + 5) : 0;
  if (parties > 0) atomic_fetch_add(&meeting, 1);
  const int whole = sleep_unless_cancelled(task, milliseconds, parties);
  atomic_fetch_sub(&running, 1);
  weft->respond_copy(task, 0, whole ? "slept" : "cancelled", whole ? 5 : 9);
  return NULL;
}

static void work_apart(weft_task *task) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, task) == 0) {
    pthread_detach(thread);
  } else {
    weft->respond_copy(task, 1, "no thread", 9);
  }
}

static void answer_parts(weft_task *task, const char *request) {
  const char *end;
  for (const char *at = request; *at; at = *end ? end + 1 : end) {
    end = strchr(at, ' ');
    if (end == NULL) end = at + strlen(at);
    weft->respond_part(task, strndup(at, (size_t)(end - at)), (size_t)(end - at));
  }
  weft->respond(task, 0, NULL, 0);
}

static void answer_count(weft_task *task) {
  char text[64];
  const int size = snprintf(text, sizeof text, "%d %d", atomic_load(&running), atomic_load(&cancelled));
  weft->respond_copy(task, 0, text, (size_t)size);
}

static void answer(weft_task *task) {
  size_t size;
  const char *request = weft->request(task, &size);
  char *rest;
  if (request == NULL || strcmp(request, "nothing") == 0) {
    weft->respond(task, 0, NULL, 0);
  } else if (strncmp(request, "echo ", 5) == 0) {
    weft->respond_copy(task, 0, request + 5, size - 5);
  } else if (strncmp(request, "fail ", 5) == 0) {
    const long status = strtol(request + 5, &rest, 10);
    weft->respond_copy(task, (int)status, rest + 1, strlen(rest + 1));
  } else if (strncmp(request, "parts ", 6) == 0) {
    answer_parts(task, request + 6);
  } else if (strcmp(request, "count") == 0) {
    answer_count(task);
  } else if (strcmp(request, "ended") == 0) {
    char text[16];
    weft->respond_copy(task, 0, text, (size_t)snprintf(text, sizeof text, "%d", atomic_load(&ended)));
  } else {
    work_apart(task);
  }
}

static void *poll(void *queue) {
  weft_task *task;
  while ((task = weft->poll(queue)) != NULL) answer(task);
  atomic_fetch_add(&ended, 1);
  return NULL;
}

__attribute__((visibility("default"))) int weft_foreign_init(const weft_foreign *functions, weft_queue *queue,
                                                             const char *config) {
  pthread_t thread;
  weft = functions;
  if (config != NULL && strcmp(config, "stuck") == 0) return 0;
  if (config != NULL && strcmp(config, "broken") == 0) {
    weft->init_error(queue, "this configuration is broken");
    return 7;
  }
  if (pthread_create(&thread, NULL, poll, queue) != 0) return 1;
  pthread_detach(thread);
  return 0;
}
