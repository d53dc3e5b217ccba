// SPDX-License-Identifier: MIT
// The functions of weft/foreign.h, under weft's names and both generations of the older ones.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "foreign/host.hpp"
#include "weft/foreign.h"

using weft::foreign::call;
using weft::foreign::host;
using weft::foreign::part;
using weft::foreign::queue;

namespace {

void report_second(const weft_task* task) noexcept {
  std::fprintf(stderr, "weft: foreign: task %p was answered before: this answer is refused\n",
               static_cast<const void*>(task));
}

/// Makes the answer the caller's to give; null: somebody else has given it.
call* claim(weft_task* task) noexcept {
  std::uint64_t word = 0;
  call* const c = weft::foreign::find(task, &word);
  if (c)
    while (!(word & call::answered)) {
      const std::uint64_t seen = word;
      if (c->word.compare_exchange_weak(word, word | call::answered, std::memory_order_acq_rel))
        return c;
      if (word / call::generation_step != seen / call::generation_step) break;
    }
  report_second(task);
  return nullptr;
}

/// The bytes of the request as an answer, without copying where they are ours.
void answer_with_request(call& c, std::size_t size) noexcept {
  if (c.release) {  // lent: they go back to their owner
    c.answer = static_cast<char*>(std::malloc(size + 1));
    if (c.answer) std::memcpy(c.answer, c.data, size);
  } else {
    c.answer = c.data;
    c.data = nullptr;
  }
  c.answer_size = c.answer ? size : 0;
}

std::size_t length_of(const char* data, std::size_t size) noexcept {
  return data && size == 0 ? std::strlen(data) : size;
}

int answer(weft_task* task, int status, char* data, std::size_t size) noexcept {
  call* const c = claim(task);
  if (!c) return -1;
  size = length_of(data, size);
  c->status = status;
  if (data && data == c->data) {
    answer_with_request(*c, size);
  } else {
    c->answer = data;
    c->answer_size = data ? size : 0;
  }
  host::give_back(*c, *c);
  return 0;
}

std::size_t from_int(int size) noexcept { return size > 0 ? static_cast<std::size_t>(size) : 0; }

void* poll_one(void* q) noexcept { return weft_task_poll(static_cast<weft_queue*>(q)); }

char* request_of(void* task, int* size) noexcept {
  std::size_t n = 0;
  char* const data = weft_task_request(static_cast<weft_task*>(task), &n);
  if (size) *size = static_cast<int>(n);
  return data;
}

void answer_int(void* task, int status, char* data, int size) noexcept {
  answer(static_cast<weft_task*>(task), status, data, from_int(size));
}

void* allocate(std::size_t size) { return std::malloc(size); }
void release(void* block) { std::free(block); }
void init_error(weft_queue* q, const char* message) { queue::of(q).set_init_error(message); }

const weft_foreign functions = {sizeof(weft_foreign),
                                WEFT_FOREIGN_VERSION,
                                weft_task_poll,
                                weft_task_poll_many,
                                weft_task_request,
                                weft_task_respond,
                                weft_task_respond_copy,
                                weft_task_respond_part,
                                weft_task_unread_parts,
                                weft_task_cancelled,
                                weft_task_deadline,
                                allocate,
                                release,
                                init_error,
                                weft_task_method};

}  // namespace

const weft_foreign* weft_foreign_functions() { return &functions; }

weft_task* weft_task_poll(weft_queue* q) {
  weft_task* task = nullptr;
  return queue::of(q).poll(&task, 1, queue::wait_for_ever) == 1 ? task : nullptr;
}

int weft_task_poll_many(weft_queue* q, weft_task** tasks, int max, std::int64_t timeout) {
  return queue::of(q).poll(tasks, max, timeout);
}

char* weft_task_request(weft_task* task, std::size_t* size) {
  std::uint64_t word = 0;
  call* const c = weft::foreign::find(task, &word);
  const bool there = c && !(word & call::answered);
  if (size) *size = there ? c->size : 0;
  return there ? c->data : nullptr;
}

int weft_task_respond(weft_task* task, int status, char* data, std::size_t size) {
  return answer(task, status, data, size);
}

int weft_task_respond_copy(weft_task* task, int status, const void* data, std::size_t size) {
  const bool is_short = size < call::inline_size;
  char* copy = is_short ? nullptr : static_cast<char*>(std::malloc(size));
  if (!copy && !is_short) return -1;
  if (copy) std::memcpy(copy, data, size);
  call* const c = claim(task);
  if (!c) {
    std::free(copy);
    return -1;
  }
  if (is_short) {  // where the request may have been, or the very bytes
    copy = c->inlined;
    if (size > 0) std::memmove(copy, data, size);
  }
  c->status = status;
  c->answer = copy;
  c->answer_size = size;
  host::give_back(*c, *c);
  return 0;
}

int weft_task_respond_part(weft_task* task, char* data, std::size_t size) {
  std::uint64_t word = 0;
  call* const c = weft::foreign::find(task, &word);
  if (!c || (word & (call::answered | call::abandoned))) return -1;
  part* const p = new (std::nothrow) part;
  if (!p) return -1;
  p->is_part = true;
  p->of = task;
  p->data = data;
  p->size = length_of(data, size);
  c->unread.fetch_add(1, std::memory_order_relaxed);
  host::give_back(*c, *p);
  return 0;
}

std::int64_t weft_task_unread_parts(weft_task* task) {
  std::uint64_t word = 0;
  call* const c = weft::foreign::find(task, &word);
  if (!c || (word & (call::answered | call::abandoned))) return -1;
  return c->unread.load(std::memory_order_relaxed);
}

int weft_task_cancelled(weft_task* task) {
  std::uint64_t word = 0;
  call* const c = weft::foreign::find(task, &word);
  return !c || (word & (call::answered | call::abandoned)) != 0;
}

std::int64_t weft_task_deadline(weft_task* task) {
  std::uint64_t word = 0;
  call* const c = weft::foreign::find(task, &word);
  return c && !(word & call::answered) ? c->deadline : INT64_MAX;
}

const char* weft_task_method(weft_task* task) {
  std::uint64_t word = 0;
  call* const c = weft::foreign::find(task, &word);
  return c && !(word & call::answered) ? c->method : "";
}

void* ngx_http_lua_nonblocking_ffi_task_poll(void* q) { return poll_one(q); }
char* ngx_http_lua_nonblocking_ffi_get_req(void* task, int* size) { return request_of(task, size); }
void ngx_http_lua_nonblocking_ffi_respond(void* task, int status, char* data, int size) {
  answer_int(task, status, data, size);
}
void* ngx_http_lua_ffi_task_poll(void* q) { return poll_one(q); }
char* ngx_http_lua_ffi_get_req(void* task, int* size) { return request_of(task, size); }
void ngx_http_lua_ffi_respond(void* task, int status, char* data, int size) {
  answer_int(task, status, data, size);
}
