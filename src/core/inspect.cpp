// SPDX-License-Identifier: MIT
#include "weft/inspect.hpp"

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "weft/spawn.hpp"

namespace weft::inline v0 {

namespace {

const char* name_of(task_state s) noexcept {
  switch (s) {
    case task_state::fresh: return "fresh";
    case task_state::runnable: return "runnable";
    case task_state::running: return "running";
    case task_state::parked: return "parked";
    case task_state::done: return "done";
    case task_state::failed: return "failed";
    case task_state::cancelled: return "cancelled";
  }
  return "?";
}

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  return text ? text.get() : symbol;
}

}  // namespace

task_info::task_info(const core::coroutine_report& r)
    : id(r.id),
      name(core::name_of(r.id)),
      state(r.state),
      waiting(r.waits_for),
      worker(r.worker),
      code(r.function) {
  // Milliseconds that wrap round.
  const auto now = static_cast<std::uint32_t>(core::clock_now() / 1'000'000);
  if (waiting) since = std::chrono::milliseconds(now - r.since);
}

std::string task_info::function() const {
  Dl_info found;
  if (!::dladdr(code, &found) || !found.dli_fname) return "?";
  if (found.dli_sname) return demangled(found.dli_sname);
  const std::string file = found.dli_fname;
  char offset[32];
  std::snprintf(offset, sizeof offset, "+%#zx",
                static_cast<std::size_t>(static_cast<const char*>(code) -
                                         static_cast<const char*>(found.dli_fbase)));
  return file.substr(file.rfind('/') + 1) + offset;
}

std::string task_info::text() const {
  std::string line = "task " + std::to_string(id);
  if (!name.empty()) line += " '" + name + "'";
  line += " (" + function() + ") " + name_of(state);
  if (waiting) line += " " + std::to_string(since.count()) + " ms";
  line += " on worker " + std::to_string(worker);
  if (waiting) line += std::string(": ") + waiting;
  return line;
}

void set_task_name(std::string name) {
  detail::calling_coroutine("set_task_name").set_name(std::move(name));
}
std::uint32_t task_id() { return detail::calling_coroutine("task_id").id(); }

}  // namespace weft::inline v0
