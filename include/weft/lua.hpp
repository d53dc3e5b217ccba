// SPDX-License-Identifier: MIT
// lua_state: a Lua state inside a C++ program, on one worker of a weft::runtime. Its scripts run as
// fibers, beside the tasks of that worker; C++ tasks call its functions and wait for them, and its
// fibers call functions of C++, also such as wait.
//
//   weft::lua_state lua(rt);                                  // lua5.4, or options.lua
//   lua.set("jobs", weft::share(rx));                         // a channel that both sides use
//   lua.define("fetch", fetch);                               // a function that gives a task
//   co_await lua.run("function sum(a, b) return a + b end");
//   int five = co_await lua.call<int>("sum", 2, 3);
//
// Any task or thread may use a lua_state; what touches the Lua state itself runs on its worker.
// Different Luas may live in one process: each comes in a library of its own (libweft-lua5.4.so
// ...) that is opened when the first state of its kind is made.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/config.hpp"
#include "weft/native_function.hpp"
#include "weft/runtime.hpp"
#include "weft/shared_channel.hpp"
#include "weft/value.hpp"

struct lua_State;

namespace weft::inline v0 {

/// An error that Lua raised, or why a state could not be used.
class WEFT_API script_error : public std::runtime_error {
 public:
  script_error(const std::string& message, std::string traceback, value raised)
      : std::runtime_error(message), traceback_(std::move(traceback)), raised_(std::move(raised)) {}
  explicit script_error(const std::string& message) : script_error(message, {}, value()) {}
  script_error(const script_error&) = default;
  script_error& operator=(const script_error&) = default;
  ~script_error() override;

  /// Of the fiber that failed; empty if nothing is known.
  const std::string& traceback() const noexcept { return traceback_; }
  /// The error value, if it can leave its state; else nil. what() is its text.
  const value& raised() const noexcept { return raised_; }

 private:
  std::string traceback_;
  value raised_;
};

struct lua_options {
  lua_options() {}

  /// "lua5.1" to "lua5.5", "luajit": libweft-NAME.so beside libweft.so, or where the loader looks.
  std::string lua = "lua5.4";
  /// How memory is got for a state that is made here, as of lua_newstate; null: malloc.
  void* (*allocate)(void* context, void* block, std::size_t old_size,
                    std::size_t new_size) = nullptr;
  /// Makes the state instead; allocate is not used then. Closed by `close`, or lua_close.
  lua_State* (*make)(void* context) = nullptr;
  void (*close)(void* context, lua_State* state) = nullptr;
  /// A state of the caller's, which is adopted: nobody else touches it until the lua_state has been
  /// closed. It is not closed then, but left without weft's fibers.
  lua_State* adopt = nullptr;
  /// Called on the worker when the libraries are open, for C functions of the program's own.
  void (*prepare)(void* context, lua_State* state) = nullptr;
  void* context = nullptr;  // of these functions
};

namespace detail {
class lua_host;
}  // namespace detail

class WEFT_API lua_state {
 public:
  /// The state is made on a worker of rt as soon as that runs; why that failed is thrown by the
  /// first call. Throws script_error if there is no such Lua. Any thread.
  explicit lua_state(runtime& rt, const lua_options& options = lua_options());
  lua_state(lua_state&&) noexcept;
  lua_state& operator=(lua_state&&) noexcept;
  /// Begins to close it, if close() has not: the state is gone when its fibers have been cancelled
  /// and have ended, at the latest when the runtime has.
  ~lua_state();

  /// Runs a chunk of Lua as a fiber, and returns what it returns when it and all that it has
  /// spawned have ended. Throws script_error; a cancellation of the task cancels the fiber.
  task<values> run(std::string code, std::string chunk_name = "=chunk");
  /// Likewise a file.
  task<values> run_file(std::string path);
  /// Calls the function with that name ("f", "module.f") in a fiber, likewise.
  task<values> call_values(std::string name, values arguments);
  /// Likewise: `int n = co_await lua.call<int>("f", 1, "x");`. One result, all for `values`, or
  /// none for void; others are dropped, and one that is no T throws std::invalid_argument.
  template <class T = void, class... Args>
  task<T> call(std::string name, Args... arguments) {
    values list;
    list.reserve(sizeof...(Args));
    (list.push_back(value(std::move(arguments))), ...);
    return first_result<T>(call_values(std::move(name), std::move(list)));
  }

  /// Sets a global ("name") or a field ("table.name") before the next fiber of this object begins.
  void set(std::string name, value v);
  /// Likewise a function of C++: see native_function.hpp. One that returns a task<T> blocks the
  /// calling fiber, and is cancelled with it.
  template <class F>
  void define(std::string name, F f) {
    set(std::move(name), native(std::move(f)));
  }

  /// Cancels its fibers, waits for their end, and closes it. Later calls throw script_error.
  task<> close();

 private:
  template <class T>
  static task<T> first_result(task<values> results) {
    values got = co_await std::move(results);
    if constexpr (std::is_same_v<T, values>) {
      co_return got;
    } else if constexpr (!std::is_void_v<T>) {
      got.resize(1);
      co_return detail::from_value<T>(got[0]);
    }
  }

  ref<detail::lua_host> host_;
};

}  // namespace weft::inline v0
