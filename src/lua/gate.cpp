// SPDX-License-Identifier: MIT
#include "lua/gate.hpp"

#include <chrono>
#include <cstdlib>
#include <new>
#include <utility>

#include "lua/api.hpp"
#include "lua/event.hpp"
#include "lua/fiber.hpp"
#include "lua/scope.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::lua {

namespace {

constexpr int event_limit = 16384;  // unfinished: some 16 MiB if all of them wait
constexpr int event_batch = 256;
// A thread that waits for room is woken when there is some again, and another each time so much
// more has come.
constexpr int room_step = 64;

/// Of this OS thread: the state that it has entered; how many leave_for it is in.
struct thread_inside {
  shared_state* entered = nullptr;
  core::gate* gate = nullptr;
  unsigned outside = 0;
};
thread_local constinit thread_inside inside;

void run_pump(core::task& t, core::worker& w) { static_cast<pump&>(t).home.deliver_some(w); }
const core::task_kind pump_kind = {"posted events", run_pump, nullptr};

int deliver_events(lua_State* L) {
  state_of(L).shared->deliver(L);
  return 0;
}

}  // namespace

core::nanoseconds deadline_after(core::nanoseconds timeout) noexcept {
  const core::nanoseconds now = core::clock_now();
  if (timeout >= core::forever - now) return core::forever;
  return now + (timeout > 0 ? timeout : 0);
}

pump::pump(shared_state& s) noexcept : core::task(pump_kind), home(s) {}

shared_state* shared_state::make(state& of, lua_State* entry) noexcept {
  try {
    return new shared_state(of, entry);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

shared_state::shared_state(state& of, lua_State* entry)
    : weft_state{&lua::api},
      s(&of),
      resident_(::pthread_self()),
      entry_(entry),
      room_(event_limit),
      gate_(std::make_shared<core::gate>()) {}

void shared_state::drop_reference() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

// ---- the gate ----

bool shared_state::holds_one() const noexcept {
  if (inside.entered) return true;
  if (inside.outside > 0) return false;
  return core::worker::current() ||
         ::pthread_equal(resident_.load(std::memory_order_relaxed), ::pthread_self());
}

std::shared_ptr<core::gate> shared_state::current_gate() noexcept {
  const std::lock_guard held(mutex_);
  return gate_;
}

int shared_state::enter(core::nanoseconds timeout, lua_State** L) noexcept {
  if (is_closed()) return WEFT_CLOSED;
  if (holds_one()) return WEFT_HELD;
  const core::nanoseconds due = deadline_after(timeout);
  for (;;) {
    const std::shared_ptr<core::gate> g = current_gate();
    if (due == core::forever) {
      g->enter();
    } else if (!g->try_enter(due - core::clock_now())) {
      return WEFT_TIMEOUT;
    }
    const bool closed = closed_.load(std::memory_order_acquire);
    if (!closed && g == current_gate()) {
      inside.entered = this;
      inside.gate = g.get();
      *L = entry_;
      return WEFT_OK;
    }
    g->leave();
    if (closed) return WEFT_CLOSED;
  }
}

void shared_state::leave() noexcept {
  lua_settop(entry_, 0);
  inside.entered = nullptr;
  core::gate* const gate = std::exchange(inside.gate, nullptr);
  if (is_inherited()) return;
  count_served(1);
  if (worker_ && (worker_->has_ready() || awaited)) worker_->rouse();
  gate->leave();
}

void shared_state::count_served(std::size_t n) noexcept {
  served += n;
  if (n == 0) return;
  while (core::wait_record* r = watchers.pop_front()) {
    core::task& t = *r->owner;
    if (t.complete_at_home(r->arm)) t.kind->wake(t);
  }
}

void shared_state::leave_for(void (*work)(void*), void* arg) noexcept {
  const thread_inside kept = std::exchange(inside, {nullptr, nullptr, inside.outside + 1});
  const running_thread ran = std::exchange(running, running_thread{});
  fiber* current = std::exchange(s->current, nullptr);
  lua_State* inner = std::exchange(s->inner, nullptr);
  const std::shared_ptr<core::gate> g = current_gate();
  g->leave();
  work(arg);
  if (!is_inherited()) g->enter();
  s->current = current;
  s->inner = inner;
  running = ran;
  inside = kept;
}

void shared_state::move_to(core::worker* w, bool own) noexcept {
  if (worker_ == w) return;
  if (core::worker* from = worker_) {
    {
      const std::lock_guard held(mutex_);
      worker_ = nullptr;
    }
    from->recall(pump_);
    from->drop_source();
    if (own_) from->use_gate(nullptr, false);
  }
  if (!w) return;
  w->add_source();
  const bool driven = core::worker::current() == w;
  const std::shared_ptr<core::gate> mine = gate_;
  const std::lock_guard held(mutex_);
  if (own) {
    w->use_gate(mine, false);
  } else if (!w->used_gate()) {
    w->use_gate(mine, true);
    if (!driven) mine->leave();
  } else if (w->used_gate() != mine) {
    gate_ = w->used_gate();
    mine->leave();
  }
  worker_ = w;
  own_ = own;
  if (scheduled_.load(std::memory_order_seq_cst)) w->post(pump_);
}

void shared_state::close() noexcept {
  const bool mine = own_ || !worker_;
  move_to(nullptr, false);
  closed_.store(true, std::memory_order_seq_cst);
  s = nullptr;
  drop_events(std::exchange(taken_, nullptr));
  drop_events(events_.exchange(nullptr, std::memory_order_acq_rel));
  {
    const std::lock_guard held(mutex_);
    room_made_.notify_all();
  }
  if (mine) gate_->leave();
}

// ---- events ----

bool shared_state::try_take_room() noexcept {
  int n = room_.load(std::memory_order_seq_cst);
  while (n > 0)
    if (room_.compare_exchange_weak(n, n - 1, std::memory_order_seq_cst)) return true;
  return false;
}

int shared_state::take_room(core::nanoseconds timeout) noexcept {
  if (try_take_room()) return WEFT_OK;
  if (holds_one()) return WEFT_HELD;
  if (timeout <= 0) return WEFT_TIMEOUT;
  const core::nanoseconds due = deadline_after(timeout);
  std::unique_lock lock(mutex_);
  short_of_room_.fetch_add(1, std::memory_order_seq_cst);
  int status = WEFT_OK;
  while (!try_take_room()) {
    if (closed_.load(std::memory_order_relaxed))
      status = WEFT_CLOSED;
    else if (due == core::forever)
      room_made_.wait(lock);
    else if (core::clock_now() >= due)
      status = WEFT_TIMEOUT;
    else
      room_made_.wait_until(lock,
                            std::chrono::steady_clock::time_point(std::chrono::nanoseconds(due)));
    if (status != WEFT_OK) break;
  }
  const bool others = short_of_room_.fetch_sub(1, std::memory_order_seq_cst) > 1;
  if (others && room_.load(std::memory_order_seq_cst) > 0) room_made_.notify_one();
  return status;
}

void shared_state::event_ended() noexcept {
  const int before = room_.fetch_add(1, std::memory_order_seq_cst);
  if (short_of_room_.load(std::memory_order_seq_cst) == 0 || before % room_step != 0) return;
  const std::lock_guard held(mutex_);
  room_made_.notify_one();
}

int shared_state::post(posted_event* e, core::nanoseconds timeout) noexcept {
  if (is_closed()) return WEFT_CLOSED;
  if (const int status = take_room(timeout)) return status;
  push(e);
  return WEFT_OK;
}

// seq_cst: the push, then the look at scheduled_; the pump stores scheduled_, then looks at the
// stack.
void shared_state::push(posted_event* e) noexcept {
  posted_event* top = events_.load(std::memory_order_relaxed);
  do e->next = top;
  while (!events_.compare_exchange_weak(top, e, std::memory_order_seq_cst));
  if (closed_.load(std::memory_order_seq_cst))
    return drop_events(events_.exchange(nullptr, std::memory_order_acq_rel));
  if (!scheduled_.load(std::memory_order_seq_cst)) schedule();
}

/// Under the lock as one step: whoever attaches meanwhile posts the pump for what was scheduled
/// before.
void shared_state::schedule() noexcept {
  const std::lock_guard held(mutex_);
  if (!scheduled_.exchange(true, std::memory_order_seq_cst) && worker_) worker_->post(pump_);
}

/// The oldest event, which stays until it is delivered; null if there is none.
posted_event* shared_state::next_event() noexcept {
  if (taken_) return taken_;
  for (posted_event* e = events_.exchange(nullptr, std::memory_order_acq_rel); e;) {
    posted_event* older = e->next;
    e->next = taken_;
    taken_ = e;
    e = older;
  }
  return taken_;
}

void shared_state::deliver_some(core::worker& w) noexcept {
  if (!worker_) return;  // recalled
  count_served(std::exchange(begun_, 0));
  in_batch_ = event_batch;
  if (next_event()) {
    lua_State* L = s->L;
    lua_pushvalue(L, state::deliver_index);
    if (lua_pcall(L, 0, 0, 0) != 0) lua_pop(L, 1);  // no memory: they stay, for the next turn
  }
  if (begun_ > 0 || next_event()) return w.ready(pump_);
  scheduled_.store(false, std::memory_order_seq_cst);
  if (events_.load(std::memory_order_seq_cst) &&
      !scheduled_.exchange(true, std::memory_order_seq_cst))
    w.ready(pump_);
}

namespace {

void release_handler(lua_State* L, handler* h) {
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "handlers");
  luaL_unref(L, -1, h->place);
  lua_pop(L, 1);
  delete h;
}

/// Pushes what the fiber of an event runs, and its arguments: their number.
int push_call(lua_State* L, posted_event& e) {
  luaL_checkstack(L, static_cast<int>(e.count) + 4, "too many values in an event");
  int before = 0;
  if (e.caller) {
    lua_getfield(L, lua_upvalueindex(anchors_upvalue), "answer");
    push_reply(L, *e.caller);
    before = 2;
  } else {
    lua_getfield(L, lua_upvalueindex(anchors_upvalue), "guard");
    before = lua_isnil(L, -1) ? 0 : 1;
    if (before == 0) lua_pop(L, 1);
  }
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "handlers");
  lua_rawgeti(L, -1, e.to->place);
  lua_remove(L, -2);
  push_values(L, e.values(), e.count);
  return before + static_cast<int>(e.count);
}

}  // namespace

void shared_state::deliver(lua_State* L) {
  for (; in_batch_ > 0; --in_batch_) {
    posted_event* e = next_event();
    if (!e) return;
    handler* released = e->releases ? e->to : nullptr;
    if (!released) {
      const int arguments = push_call(L, *e);
      spawn(L, *s, *s->root, arguments, false).posted = true;
      lua_pop(L, 1);
      ++begun_;
      if (e->caller) e->caller->drop_reference();
    }
    taken_ = e->next;
    std::free(e);
    if (released) release_handler(L, released);
  }
}

void shared_state::drop_events(posted_event* e) noexcept {
  while (e) {
    posted_event* next = e->next;
    if (e->caller) {
      e->caller->give(WEFT_CLOSED, nullptr, 0);
      e->caller->drop_reference();
    }
    if (e->releases) delete e->to;
    std::free(e);
    e = next;
  }
}

// ---- of a state ----

shared_state& shared_of(lua_State* L, state& s) {
  if (s.shared && !s.shared->is_inherited()) return *s.shared;
  lua_State* entry = lua_newthread(L);
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "entry");
  lua_newtable(L);
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "handlers");
  s.shared = shared_state::make(s, entry);
  if (!s.shared) luaL_error(L, "not enough memory");
  if (s.worker && !is_inherited(s)) s.shared->move_to(s.worker, s.owns_worker);
  return *s.shared;
}

void close_shared(state& s) noexcept {
  shared_state* shared = std::exchange(s.shared, nullptr);
  if (!shared || shared->is_inherited()) return;
  shared->close();
  shared->drop_reference();
}

void push_deliver(lua_State* L) { push_internal(L, deliver_events); }

}  // namespace weft::inline v0::lua
