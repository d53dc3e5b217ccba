// SPDX-License-Identifier: MIT
// engine: one Lua state as libweft.so sees it, whichever Lua it is. request: one fiber of it that
// C++ waits for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weft/event.hpp"
#include "weft/lua.hpp"
#include "weft/oneshot.hpp"

namespace weft::inline v0::detail {

/// How the fiber of a request has ended.
struct lua_outcome {
  enum class how { returned, raised, cancelled };
  lua_outcome() noexcept {}
  how ended = how::returned;
  values results;  // or the error value
  std::string message;
  std::string traceback;
};

class lua_host;

/// Counted: by whoever waits, by the worker's queue, and by the fiber.
class WEFT_API lua_request final : public shared_object {
 public:
  enum class kind { code, file, function };
  lua_request(ref<lua_host> h, kind k, std::string s, std::string n, values a);
  const char* type_name() const noexcept override { return "request"; }

  /// Once, on the state's worker.
  void finish(lua_outcome out) noexcept;

  const kind what;
  const std::string subject;  // code, path or name
  const std::string chunk_name;
  values arguments;
  bool cancelled = false;  // on the state's worker
  void* fiber = nullptr;   // the engine's, while it runs

  /// A task that does one thing with the request on the state's worker.
  struct message : core::task {
    message(const core::task_kind& k, lua_request& r) noexcept : core::task(k), request(r) {}
    lua_request& request;
  };
  message start;
  message cancel;
  std::optional<oneshot_receiver<lua_outcome>> later;
  const event cancel_seen;
  const ref<lua_host> host;

 private:
  ~lua_request() override = default;
  oneshot_sender<lua_outcome> tx_;
};

/// All of it on the state's worker.
class lua_engine {
 public:
  lua_engine() noexcept = default;
  lua_engine(const lua_engine&) = delete;
  lua_engine& operator=(const lua_engine&) = delete;
  virtual ~lua_engine() = default;

  /// Makes or adopts the state and attaches it. Throws script_error.
  virtual void open(const lua_options& options, core::worker& w, core::task_scope& s) = 0;
  /// Sets a global or a field. Null, or why not.
  virtual std::optional<std::string> set(const std::string& name, const value& v) noexcept = 0;
  /// Begins the request's fiber, or finishes it with the reason why not.
  virtual void start(lua_request& r) noexcept = 0;
  virtual void cancel(lua_request& r) noexcept = 0;
  /// Cancels all fibers; `over` is set when none is left.
  virtual void unwind(event over) noexcept = 0;
  /// No fiber is left: detaches the state, and closes it unless it was adopted.
  virtual void close() noexcept = 0;
};

using make_lua_engine = lua_engine* (*)();
inline constexpr const char* make_lua_engine_name = "weft_make_lua_engine_v0";

/// The library of that Lua, opened. Throws script_error.
make_lua_engine open_lua_library(const std::string& lua);

}  // namespace weft::inline v0::detail
