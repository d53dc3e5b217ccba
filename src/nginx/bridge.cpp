// SPDX-License-Identifier: MIT
#include "nginx/bridge.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "foreign/host.hpp"
#include "foreign/library.hpp"
#include "nginx/bell.hpp"

using weft::foreign::call;
using weft::foreign::host;
using weft::foreign::part;
using weft::foreign::piled;
using weft::foreign::queue;

namespace core = weft::core;

namespace {

/// What Lua holds, and what we know of it.
struct waiter : weft_nginx_call, core::list_node {
  explicit waiter(weft_nginx& bridge, uint32_t n) noexcept : weft_nginx_call{}, of(bridge) {
    number = n;
  }

  weft_nginx& of;
  call* out = nullptr;       // null: not out
  char* gathered = nullptr;  // malloc'ed: an answer that came in parts
  waiter* older = nullptr;
};

constexpr int most_turns = 16;  // before nginx's other descriptors have their turn

core::nanoseconds deadline_of(double timeout) noexcept {
  constexpr double most = 1e9;  // seconds
  if (timeout <= 0 || timeout >= most) return core::forever;
  return core::clock_now() + static_cast<core::nanoseconds>(timeout * 1e9);
}

queue& tasks_of(weft_nginx_library* library) noexcept { return *reinterpret_cast<queue*>(library); }

/// The parts of an answer in one block; null: not enough memory, or no bytes.
char* gathered(const call& c, std::size_t* size) noexcept {
  *size = c.answer_size;
  for (const piled* p = c.first_part; p; p = p->next) *size += static_cast<const part*>(p)->size;
  char* const all = static_cast<char*>(std::malloc(*size));
  char* to = all;
  const auto add = [&](const char* data, std::size_t n) {
    if (n > 0) std::memcpy(to, data, n);
    to += n;
  };
  if (!all) return nullptr;
  for (const piled* p = c.first_part; p; p = p->next)
    add(static_cast<const part*>(p)->data, static_cast<const part*>(p)->size);
  add(c.answer, c.answer_size);
  return all;
}

}  // namespace

struct weft_nginx {
  weft::nginx::bell bell;
  host::pointer answers;
  core::list<waiter> done;  // and not taken
  waiter* newest = nullptr;
  bool turning = false;  // between take and settle
  int turns = 0;         // one behind the other
  std::vector<queue*> loaded;

  ~weft_nginx() {
    for (queue* q : loaded) q->finish();
    while (waiter* const w = newest) {
      newest = w->older;
      weft_nginx_leave(w);
      delete w;
    }
  }

  static void ring(void* self) noexcept { static_cast<weft_nginx*>(self)->bell.ring(); }
  static void arrived(call& c, void* context) noexcept;
  waiter* next_done() noexcept;
  bool settle() noexcept;
  /// Without memory for that it is not unloaded at the end: the process ends then, or nearly.
  void remember(queue& q) noexcept try { loaded.push_back(&q); } catch (const std::bad_alloc&) {
  }
};

void weft_nginx::arrived(call& c, void* context) noexcept {
  auto& w = *static_cast<waiter*>(context);
  w.status = c.status;
  w.answer = c.answer;
  w.answer_size = c.answer_size;
  if (c.first_part && c.status == 0) w.answer = w.gathered = gathered(c, &w.answer_size);
  w.of.done.push_back(w);
}

waiter* weft_nginx::next_done() noexcept {
  if (done.empty()) answers->deliver();
  waiter* const w = done.pop_front();
  if (!w) return nullptr;
  w->done = 1;
  turning = true;
  return w;
}

bool weft_nginx::settle() noexcept {
  turning = false;
  answers->flush();
  if (++turns > most_turns && answers->has_answers()) {
    turns = 0;
    bell.ring();
    return false;
  }
  if (answers->pending() > 0 && answers->look_again(weft::foreign::patience::short_look))
    return true;
  turns = 0;
  return !answers->arm();
}

weft_nginx* weft_nginx_open() {
  std::unique_ptr<weft_nginx> bridge(new (std::nothrow) weft_nginx);
  if (!bridge) return nullptr;
  bridge->answers = host::open(weft_nginx::ring, bridge.get());
  return bridge->answers ? bridge.release() : nullptr;
}

void weft_nginx_close(weft_nginx* bridge) { delete bridge; }

int weft_nginx_eventfd(weft_nginx* bridge) { return bridge->bell.make_eventfd(); }

int weft_nginx_listen(weft_nginx* bridge, char* path, size_t size) {
  if (const int error = bridge->bell.listen()) return error;
  path[0] = 0;
  std::strncat(path, bridge->bell.path(), size - 1);
  return 0;
}

int weft_nginx_accept(weft_nginx* bridge) { return bridge->bell.accept(); }

void weft_nginx_ring(weft_nginx* bridge) { bridge->bell.ring(); }

const char* weft_nginx_folder() {
  static const std::string folder = [] {
    Dl_info here{};
    if (!::dladdr(reinterpret_cast<void*>(&weft_nginx_folder), &here)) return std::string(".");
    const std::string file(here.dli_fname);
    return file.substr(0, file.rfind('/'));
  }();
  return folder.c_str();
}

weft_nginx_call* weft_nginx_call_new(weft_nginx* bridge, uint32_t number) {
  auto* const w = new (std::nothrow) waiter(*bridge, number);
  if (!w) return nullptr;
  w->older = bridge->newest;
  return bridge->newest = w;
}

int weft_nginx_post(weft_nginx_call* call, weft_nginx_library* library, const char* name,
                    const char* data, size_t size, double timeout) {
  auto& w = *static_cast<waiter*>(call);
  host& h = *w.of.answers;
  const weft::foreign::request what{.data = data, .size = size, .method = name};
  const auto [how, made] = h.post(tasks_of(library), what, deadline_of(timeout));
  switch (how) {
    case host::outcome::full: return weft_nginx_full;
    case host::outcome::finished: return weft_nginx_unloaded;
    case host::outcome::no_memory: return weft_nginx_no_memory;
    case host::outcome::posted: break;
  }
  w.done = 0;
  w.out = made;
  h.on_arrival(*made, weft_nginx::arrived, &w);
  if (!w.of.turning) h.flush();
  return weft_nginx_posted;
}

void weft_nginx_leave(weft_nginx_call* call) {
  auto& w = *static_cast<waiter*>(call);
  if (!w.out) return;
  if (w.linked()) w.unlink();
  w.of.answers->leave(*w.out);
  w.out = nullptr;
  std::free(std::exchange(w.gathered, nullptr));
  w.answer = nullptr;
  w.answer_size = 0;
}

int weft_nginx_take(weft_nginx* bridge, weft_nginx_call** calls, int max) {
  int n = 0;
  while (n < max) {
    waiter* const w = bridge->next_done();
    if (!w) break;
    calls[n++] = w;
  }
  return n;
}

int weft_nginx_take_semaphores(void* bridge, void** semaphores, int max) {
  int n = 0;
  while (n < max) {
    waiter* const w = static_cast<weft_nginx*>(bridge)->next_done();
    if (!w) break;
    semaphores[n++] = w->semaphore;
  }
  return n;
}

int weft_nginx_settle(void* bridge) { return static_cast<weft_nginx*>(bridge)->settle() ? 1 : 0; }

void weft_nginx_load(weft_nginx* bridge, const char* file, const char* config, size_t max_queue,
                     int is_global, weft_nginx_loaded* made) {
  const weft::foreign::loaded l = weft::foreign::load(
      file, {.config = config, .max_queue = max_queue, .is_global = is_global != 0});
  const std::unique_ptr<char, decltype(&std::free)> message(l.message, &std::free);
  *made = {};
  made->code = l.code;
  made->status = l.status;
  if (message) std::strncat(made->message, message.get(), sizeof made->message - 1);
  if (!l.tasks) return;
  made->library = reinterpret_cast<weft_nginx_library*>(l.tasks);
  bridge->remember(*l.tasks);
}

void weft_nginx_unload(weft_nginx_library* library) { tasks_of(library).finish(); }

const char* weft_nginx_name(const char* name) { return weft::foreign::lasting_name(name); }
