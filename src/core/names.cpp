// SPDX-License-Identifier: MIT
// Numbers and names of coroutines: for the few that somebody asks about, apart from them.
// Tests: tests/task/inspect_test.cpp.
#include <mutex>
#include <unordered_map>
#include <utility>

#include "weft/core/coroutine.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::core {

namespace {

struct name_table {
  std::mutex mutex;
  std::unordered_map<std::uint32_t, std::string> names;
};
/// Never destroyed: a task may end after the program's statics have.
name_table& table() {
  static auto* const only = new name_table;
  return *only;
}

}  // namespace

std::uint32_t coroutine::id() noexcept {
  static atomic<std::uint32_t> last{0};
  std::uint32_t mine = number.load(std::memory_order_relaxed);
  if (mine != 0) return mine;
  const std::uint32_t next = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return number.compare_exchange_strong(mine, next, std::memory_order_relaxed) ? next : mine;
}

void coroutine::set_name(std::string name) {
  name_table& t = table();
  const std::lock_guard held(t.mutex);
  t.names.insert_or_assign(id(), std::move(name));
  named.store(true, std::memory_order_relaxed);
}

void coroutine::forget_name() noexcept {
  name_table& t = table();
  const std::lock_guard held(t.mutex);
  t.names.erase(id());
}

std::string name_of(std::uint32_t id) {
  name_table& t = table();
  const std::lock_guard held(t.mutex);
  const auto found = t.names.find(id);
  return found == t.names.end() ? std::string() : found->second;
}

/// As compilers lay frames out: what resumes it, which its end takes away, then what destroys it.
static const void* function_of(coroutine& c) noexcept {
  return static_cast<const void* const*>(c.frame().address())[1];
}

coroutine_report report_of(coroutine& c) noexcept {
  coroutine_report r;
  r.id = c.id();
  r.state = c.state;
  if (r.state == task_state::parked) r.waits_for = c.waits_for;
  r.since = c.since;
  if (const worker* w = c.on) r.worker = w->index();
  r.function = function_of(c);
  return r;
}

}  // namespace weft::inline v0::core
