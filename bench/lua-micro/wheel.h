// SPDX-License-Identifier: MIT
// A hierarchical timer wheel: 8 levels of 64 slots, one bit for each slot that is not empty. A
// timer sits at the level of the highest bit in which its deadline differs from the clock, so
// whatever is at a lower level is due earlier, and moving down one level at a time keeps the order.
// Single-threaded, no allocation.
#pragma once
#include <stdint.h>

enum { WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = 8 };

typedef struct timer {
  struct timer *prev, *next;
  uint64_t at;  // in ticks
  int level, slot;
} timer;

typedef struct wheel {
  uint64_t now;
  uint64_t busy[WHEEL_LEVELS];
  timer heads[WHEEL_LEVELS][WHEEL_SLOTS];
} wheel;

static void wheel_init(wheel* w, uint64_t now) {
  w->now = now;
  for (int level = 0; level < WHEEL_LEVELS; level++) {
    w->busy[level] = 0;
    for (int slot = 0; slot < WHEEL_SLOTS; slot++) {
      timer* head = &w->heads[level][slot];
      head->prev = head->next = head;
    }
  }
}

static inline void wheel_insert(wheel* w, timer* t) {
  if (t->at < w->now) t->at = w->now;
  uint64_t differs = t->at ^ w->now;
  t->level = differs ? (63 - __builtin_clzll(differs)) / WHEEL_BITS : 0;
  t->slot = (int)(t->at >> (t->level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
  timer* head = &w->heads[t->level][t->slot];
  t->prev = head->prev;
  t->next = head;
  head->prev->next = t;
  head->prev = t;
  w->busy[t->level] |= 1ull << t->slot;
}

static inline void wheel_cancel(wheel* w, timer* t) {
  t->prev->next = t->next;
  t->next->prev = t->prev;
  if (t->prev == t->next) w->busy[t->level] &= ~(1ull << t->slot);
}

// The earliest slot that holds something: its level, or -1. *start is when it begins, a deadline at
// level 0.
static int wheel_next(const wheel* w, uint64_t* start) {
  for (int level = 0; level < WHEEL_LEVELS; level++) {
    if (!w->busy[level]) continue;
    int shift = level * WHEEL_BITS, slot = __builtin_ctzll(w->busy[level]);
    uint64_t above = w->now >> shift >> WHEEL_BITS << WHEEL_BITS;
    *start = (above | (uint64_t)slot) << shift;
    return level;
  }
  return -1;
}

// Moves the clock to `now`; fire(timer) is called in deadline order for all that are due.
static void wheel_advance(wheel* w, uint64_t now, void (*fire)(timer*)) {
  uint64_t start;
  int level;
  while ((level = wheel_next(w, &start)) >= 0 && start <= now) {
    w->now = start;
    timer* head = &w->heads[level][(start >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1)];
    while (head->next != head) {
      timer* t = head->next;
      wheel_cancel(w, t);
      if (level == 0)
        fire(t);
      else
        wheel_insert(w, t);
    }
  }
  w->now = now;
}
