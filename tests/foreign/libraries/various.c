/* SPDX-License-Identifier: MIT
 * A foreign library for the tests, against weft/foreign.h alone: nothing of weft's is linked. What it does
 * with a task is the method's name. The configuration: "threads=N ...", "busy=N" (threads that never park), "fail=N TEXT", or
 * "fork": init forks, and fails with 2 in the child; with 1 in the parent when the child has ended well, else with more. */
#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "weft/foreign.h"

struct runtime {
  const weft_foreign *weft;
  weft_queue *queue;
  const char *config;
  int64_t timeout; /* of a poll */
  weft_task *kept; /* of "keep", for "answer_kept" */
};

static atomic_int inits;     /* calls of init in this process */
static atomic_int ended;     /* pollers that have got NULL */
static atomic_int cancelled; /* "slow" tasks that saw that they were */
static atomic_int holding;   /* pollers that are in "wait" */
static atomic_int opened;    /* how often "open" has let them go */

static void sleep_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&t, NULL);
}

static void answer_number(struct runtime *r, weft_task *task, long n) {
  char text[32];
  int size = snprintf(text, sizeof text, "%ld", n);
  r->weft->respond_copy(task, 0, text, (size_t)size);
}

static void slow(struct runtime *r, weft_task *task, int ms) {
  for (; ms > 0; ms -= 5) {
    if (r->weft->task_cancelled(task)) {
      atomic_fetch_add(&cancelled, 1);
      break;
    }
    sleep_ms(5);
  }
  r->weft->respond_copy(task, 0, "slow", 4);
}

/* Holds up the poller until another runtime of the library is asked to "open". */
static void wait_for_open(struct runtime *r, weft_task *task) {
  const int before = atomic_load(&opened);
  atomic_fetch_add(&holding, 1);
  while (atomic_load(&opened) == before) sleep_ms(1);
  atomic_fetch_sub(&holding, 1);
  r->weft->respond_copy(task, 0, "opened", 6);
}

static void parts(struct runtime *r, weft_task *task, int n, int status) {
  char *text;
  for (int i = 1; i <= n; ++i) {
    text = malloc(16);
    snprintf(text, 16, "part %d", i);
    if (r->weft->respond_part(task, text, 0) != 0) {
      free(text);
      atomic_fetch_add(&cancelled, 1);
      break;
    }
    while (r->weft->unread_parts(task) > 3) sleep_ms(1);
  }
  r->weft->respond_copy(task, status, status ? "broken" : "end", status ? 6 : 3);
}

static void *with_argument(void *p);
struct slow_task {
  struct runtime *r;
  weft_task *task;
  int ms;
};

/* On a thread of its own, so that nobody waits behind it. */
static void apart(struct runtime *r, weft_task *task, int ms) {
  struct slow_task *s = malloc(sizeof *s);
  pthread_t thread;
  *s = (struct slow_task){r, task, ms};
  pthread_create(&thread, NULL, with_argument, s);
  pthread_detach(thread);
}

static void *with_argument(void *p) {
  struct slow_task s = *(struct slow_task *)p;
  free(p);
  slow(s.r, s.task, s.ms);
  return NULL;
}

static void answer(struct runtime *r, weft_task *task) {
  const weft_foreign *weft = r->weft;
  const char *method = weft->method(task);
  size_t size;
  char *request = weft->request(task, &size);
  int n = request ? atoi(request) : 0;

  if (strcmp(method, "echo") == 0) {
    char *copy = malloc(size + 1);
    if (size) memcpy(copy, request, size);
    copy[size] = 0;
    weft->respond(task, 0, copy, size);
  } else if (strcmp(method, "back") == 0) {
    weft->respond(task, 0, request, size);
  } else if (strcmp(method, "shout") == 0) { /* into the request itself */
    for (size_t i = 0; i < size; ++i) request[i] = (char)toupper((unsigned char)request[i]);
    weft->respond(task, 0, request, size);
  } else if (strcmp(method, "length") == 0) {
    answer_number(r, task, request ? (long)size : -1);
  } else if (strcmp(method, "fail") == 0) {
    weft->respond_copy(task, 42, "it failed", 9);
  } else if (strcmp(method, "nothing") == 0) {
    weft->respond(task, n, NULL, 0);
  } else if (strcmp(method, "text") == 0) {
    weft->respond(task, 0, strdup("a C string"), 0);
  } else if (strcmp(method, "twice") == 0) {
    weft->respond_copy(task, 0, "first", 5);
    weft->respond_copy(task, 0, "second", 6);
  } else if (strcmp(method, "slow") == 0) {
    apart(r, task, n);
  } else if (strcmp(method, "hold") == 0) {
    slow(r, task, n);
  } else if (strcmp(method, "wait") == 0) {
    wait_for_open(r, task);
  } else if (strcmp(method, "open") == 0) {
    answer_number(r, task, atomic_fetch_add(&opened, 1) + 1);
  } else if (strcmp(method, "never") == 0) {
  } else if (strcmp(method, "keep") == 0) {
    r->kept = task;
  } else if (strcmp(method, "answer_kept") == 0) {
    answer_number(r, task, weft->respond_copy(r->kept, 0, "late", 4));
  } else if (strcmp(method, "list") == 0) {
    parts(r, task, n, 0);
  } else if (strcmp(method, "broken_list") == 0) {
    parts(r, task, n, 7);
  } else if (strcmp(method, "config") == 0) {
    weft->respond_copy(task, 0, r->config ? r->config : "", r->config ? strlen(r->config) : 0);
  } else if (strcmp(method, "left") == 0) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t deadline = weft->deadline(task);
    int64_t now = t.tv_sec * 1000000000LL + t.tv_nsec;
    answer_number(r, task, deadline == INT64_MAX ? -1 : (long)((deadline - now) / 1000000));
  } else if (strcmp(method, "cancelled") == 0) {
    answer_number(r, task, atomic_load(&cancelled));
  } else if (strcmp(method, "holding") == 0) {
    answer_number(r, task, atomic_load(&holding));
  } else if (strcmp(method, "inits") == 0) {
    answer_number(r, task, atomic_load(&inits));
  } else if (strcmp(method, "ended") == 0) {
    answer_number(r, task, atomic_load(&ended));
  } else {
    weft->respond_copy(task, 1, method, strlen(method));
  }
}

static void *serve(void *p) {
  struct runtime *r = p;
  weft_task *tasks[16];
  int n;
  while ((n = r->weft->poll_many(r->queue, tasks, 16, r->timeout)) >= 0)
    for (int i = 0; i < n; ++i) answer(r, tasks[i]);
  atomic_fetch_add(&ended, 1);
  return NULL;
}

static int forked(void) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) return 2;
  if (child < 0) return 3;
  pid_t reaped = 0;
  for (int i = 0; i < 20000 && reaped == 0; ++i) {
    sleep_ms(5);
    reaped = waitpid(child, &status, WNOHANG);
  }
  if (reaped == 0) { /* it hangs */
    kill(child, SIGKILL);
    return 4;
  }
  return status == 0 ? 1 : 5;
}

__attribute__((visibility("default"))) int weft_foreign_init(const weft_foreign *weft,
                                                             weft_queue *queue,
                                                             const char *config) {
  int threads = 1;
  if (weft->size < sizeof *weft || weft->version < WEFT_FOREIGN_VERSION) return 99;
  atomic_fetch_add(&inits, 1);
  if (config && strncmp(config, "fail=", 5) == 0) {
    if (strchr(config, ' ')) weft->init_error(queue, strchr(config, ' ') + 1);
    return atoi(config + 5);
  }
  if (config && strcmp(config, "fork") == 0) return forked();
  if (config && strncmp(config, "threads=", 8) == 0) threads = atoi(config + 8);
  int busy = config && strncmp(config, "busy=", 5) == 0;
  if (busy) threads = atoi(config + 5);
  /* Threads of a runtime that is unloaded may still use it: it stays, as the runtime does. */
  static struct runtime runtimes[256];
  static atomic_int used;
  struct runtime *r = &runtimes[atomic_fetch_add(&used, 1) % 256];
  *r = (struct runtime){weft, queue, config, busy ? 0 : -1, NULL};
  for (int i = 0; i < threads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, r) != 0) return 98;
    pthread_detach(thread);
  }
  return 0;
}
