// SPDX-License-Identifier: MIT
// lua_state: a keeper task holds the state on its worker, from its making to its end; it lives in
// the runtime's own scope, so the end of the runtime is the end of the state too. All else reaches
// the state by messages to that worker, which wait in its run queue like any task.
// Tests: tests/embed/state_test.cpp.
#include <mutex>

#include "embed/engine.hpp"
#include "weft/scope.hpp"

namespace weft::inline v0 {

script_error::~script_error() = default;
native_function::~native_function() = default;

namespace detail {

void native_outcome::fail() noexcept {
  failed = true;
  try {
    throw;
  } catch (const std::exception& e) {
    error = e.what();
  } catch (...) {
    error = "an exception of C++ that is no std::exception";
  }
}

/// What a lua_state, its keeper and its requests share.
class lua_host final : public shared_object {
 public:
  explicit lua_host(const lua_options& o) : options(o), engine(open_lua_library(o.lua)()) {}
  const char* type_name() const noexcept override { return "lua_state"; }

  void opened_on(core::worker* w, std::exception_ptr why_not) {
    {
      const std::lock_guard held(mutex_);
      if (w) {
        home_ = &w->address();
        home_->add_reference();
      }
      failure_ = std::move(why_not);
    }
    opened.set();
  }
  /// Once opened. Throws why it could not be.
  void check() {
    const std::lock_guard held(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (gone_) throw script_error("weft: the Lua state is closed");
  }
  void end() {
    const std::lock_guard held(mutex_);
    gone_ = true;
  }
  bool is_gone() {
    const std::lock_guard held(mutex_);
    return gone_;
  }

  /// Any thread. False: the state is gone.
  bool post(lua_request::message& m) noexcept {
    m.request.add_reference();
    if (home_ && home_->post(m)) return true;
    m.request.drop_reference();
    return false;
  }

  void set(std::string name, value v) {
    const std::lock_guard held(mutex_);
    pending_.emplace_back(std::move(name), std::move(v));
  }
  /// On the state's worker: all that was set since. Why the first that could not be was not.
  std::optional<std::string> apply() {
    std::vector<std::pair<std::string, value>> list;
    {
      const std::lock_guard held(mutex_);
      list.swap(pending_);
    }
    std::optional<std::string> first;
    for (const auto& [name, v] : list)
      if (auto why_not = engine->set(name, v); why_not && !first) first = std::move(why_not);
    return first;
  }

  const lua_options options;
  const std::unique_ptr<lua_engine> engine;
  event opened;
  event asked_to_close;
  event closed;

 private:
  ~lua_host() override {
    if (home_) home_->drop_reference();
  }

  std::mutex mutex_;  // all below
  core::mailbox* home_ = nullptr;
  std::exception_ptr failure_;
  bool gone_ = false;
  std::vector<std::pair<std::string, value>> pending_;
};

namespace {

void fail(lua_request& r, const std::string& message) noexcept {
  lua_outcome out;
  out.ended = lua_outcome::how::raised;
  out.message = message;
  r.finish(std::move(out));
}

void run_start(core::task& t, core::worker&) {
  const ref<lua_request> r =
      ref<lua_request>::adopt(&static_cast<lua_request::message&>(t).request);
  if (r->cancelled) {
    lua_outcome out;
    out.ended = lua_outcome::how::cancelled;
    return r->finish(std::move(out));
  }
  if (r->host->is_gone()) return fail(*r, "weft: the Lua state is closed");
  if (const auto why_not = r->host->apply()) return fail(*r, *why_not);
  r->host->engine->start(*r);
}

void run_cancel(core::task& t, core::worker&) {
  const ref<lua_request> r =
      ref<lua_request>::adopt(&static_cast<lua_request::message&>(t).request);
  r->cancelled = true;
  if (r->fiber) r->host->engine->cancel(*r);
  r->cancel_seen.set();
}

/// Messages are posted, and arrive as ready tasks: they run Lua.
void never_woken(core::task&) noexcept {}
const core::task_kind start_kind = {"lua call", run_start, never_woken};
const core::task_kind cancel_kind = {"lua cancel", run_cancel, never_woken};

/// The coroutine that awaits stays on its worker from here on.
struct pinning : detail::awaiter_base {
  pinning() noexcept {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> here) const noexcept {
    here.promise().owner->pinned = true;
    return false;
  }
  void await_resume() const noexcept {}
};

task<> unwind(lua_host* h) {
  const event over;
  h->engine->unwind(over);
  co_await over.wait();
}

/// Inside a scope of its own, in which the tasks of native functions run.
task<> keep_open(lua_host* h) {
  core::coroutine& me = *core::current_coroutine();
  core::worker& here = *me.on;
  std::exception_ptr why_not;
  try {
    h->engine->open(h->options, here, *me.innermost);
  } catch (...) {
    why_not = std::current_exception();
  }
  h->opened_on(why_not ? nullptr : &here, why_not);
  if (why_not) co_return;
  try {
    co_await h->asked_to_close.wait();
  } catch (const cancelled&) {  // by the end of the runtime
  }
  h->end();
  co_await shield(unwind, h);
}

task<> keep(ref<lua_host> h) {
  co_await pinning();
  try {
    co_await scope(keep_open, h.get());
  } catch (...) {  // the end of the runtime, which cancels it
  }
  h->engine->close();
  h->end();
  h->opened.set();  // the runtime may have ended before it could be
  h->closed.set();
}

task<values> perform(ref<lua_request> r) {
  lua_host& h = *r->host;
  co_await h.opened.wait();
  h.check();
  if (!h.post(r->start)) throw script_error("weft: the Lua state is closed");
  std::optional<lua_outcome> out;
  bool stop = false;
  try {
    out = co_await r->later->recv();
  } catch (const cancelled&) {
    stop = true;
  }
  if (stop) {
    if (h.post(r->cancel))
      co_await performance<event_operation, hearing::deaf>(r->cancel_seen.wait_op());
    co_await performance<oneshot_operation<lua_outcome>, hearing::deaf>(r->later->recv_op());
    throw cancelled();
  }
  if (!out) throw script_error("weft: the Lua state is closed");
  if (out->ended == lua_outcome::how::cancelled) throw script_error("cancelled");
  if (out->ended == lua_outcome::how::raised)
    throw script_error(out->message, std::move(out->traceback),
                       out->results.empty() ? value() : std::move(out->results[0]));
  co_return std::move(out->results);
}

}  // namespace

lua_request::lua_request(ref<lua_host> h, kind k, std::string s, std::string n, values a)
    : what(k),
      subject(std::move(s)),
      chunk_name(std::move(n)),
      arguments(std::move(a)),
      start(start_kind, *this),
      cancel(cancel_kind, *this),
      host(std::move(h)),
      tx_(nullptr) {
  auto ends = oneshot<lua_outcome>();
  tx_ = std::move(ends.first);
  later.emplace(std::move(ends.second));
}

void lua_request::finish(lua_outcome out) noexcept { tx_.send(std::move(out)); }

}  // namespace detail

lua_state::lua_state(runtime& rt, const lua_options& options)
    : host_(make_shared_object<detail::lua_host>(options)) {
  rt.spawn(detail::keep, host_).detach();
}
lua_state::lua_state(lua_state&&) noexcept = default;
lua_state& lua_state::operator=(lua_state&& other) noexcept {
  if (host_) host_->asked_to_close.set();
  host_ = std::move(other.host_);
  return *this;
}
lua_state::~lua_state() {
  if (host_) host_->asked_to_close.set();
}

task<values> lua_state::run(std::string code, std::string chunk_name) {
  return detail::perform(make_shared_object<detail::lua_request>(
      host_, detail::lua_request::kind::code, std::move(code), std::move(chunk_name), values()));
}
task<values> lua_state::run_file(std::string path) {
  return detail::perform(make_shared_object<detail::lua_request>(
      host_, detail::lua_request::kind::file, std::move(path), std::string(), values()));
}
task<values> lua_state::call_values(std::string name, values arguments) {
  return detail::perform(make_shared_object<detail::lua_request>(
      host_, detail::lua_request::kind::function, std::move(name), std::string(),
      std::move(arguments)));
}

void lua_state::set(std::string name, value v) { host_->set(std::move(name), std::move(v)); }

namespace detail {
namespace {
task<> wait_closed(ref<lua_host> h) {
  h->asked_to_close.set();
  co_await h->closed.wait();
}
}  // namespace
}  // namespace detail

task<> lua_state::close() { return detail::wait_closed(host_); }

}  // namespace weft::inline v0
