// SPDX-License-Identifier: MIT
// native(f): a function of C++ as a value, which Lua sees as a function. Its parameters are made
// from what Lua passes, and what it returns goes back:
//
//   parameters   bool, integers, floating point, std::string, std::string_view, value,
//                std::optional<one of these> (nil or missing), sender<value>, receiver<value>,
//                ref<T> of a shared object; or one parameter `values`: all of them
//   results      void, whatever a value is made from, std::optional, std::tuple, values; or a
//                task<one of these>: the calling fiber waits for it, and cancels it when it is
//                cancelled itself
// Exceptions become Lua errors with the text of what(). The function is called on the state's
// worker; with several workers a task may go on elsewhere.
#pragma once

#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/config.hpp"
#include "weft/oneshot.hpp"
#include "weft/shared_channel.hpp"
#include "weft/spawn.hpp"
#include "weft/task.hpp"
#include "weft/value.hpp"

namespace weft::inline v0 {

using values = std::vector<value>;

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_ref = false;
template <class T>
inline constexpr bool is_ref<ref<T>> = true;
template <class T>
inline constexpr bool is_tuple = false;
template <class... T>
inline constexpr bool is_tuple<std::tuple<T...>> = true;

/// A T from a value; throws std::invalid_argument. A string_view lives as long as the value does.
template <class T>
T from_value(const value& v) {
  if constexpr (std::is_same_v<T, value>) {
    return v;
  } else if constexpr (is_optional<T>) {
    if (v.is_nil()) return std::nullopt;
    return from_value<typename T::value_type>(v);
  } else if constexpr (std::is_same_v<T, bool>) {
    return v.as_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    const std::int64_t n = v.as_integer();
    if (!std::in_range<T>(n))
      throw std::invalid_argument("weft::value: the integer is out of range");
    return static_cast<T>(n);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(v.as_number());
  } else if constexpr (std::is_same_v<T, sender<value>>) {
    return sender_of(v);
  } else if constexpr (std::is_same_v<T, receiver<value>>) {
    return receiver_of(v);
  } else if constexpr (is_ref<T>) {
    return v.as<std::remove_pointer_t<decltype(std::declval<T>().get())>>();
  } else {
    return T(v.as_bytes());
  }
}

template <class T>
value to_value(T&& result) {
  using plain = std::remove_cvref_t<T>;
  if constexpr (is_optional<plain>)
    return result ? to_value(*std::forward<T>(result)) : value();
  else if constexpr (std::is_same_v<plain, sender<value>> || std::is_same_v<plain, receiver<value>>)
    return share(std::forward<T>(result));
  else
    return value(std::forward<T>(result));
}

template <class T>
values to_values(T&& result) {
  using plain = std::remove_cvref_t<T>;
  if constexpr (std::is_same_v<plain, values>) {
    return std::forward<T>(result);
  } else if constexpr (is_tuple<plain>) {
    return std::apply(
        [](auto&&... each) {
          values list;
          list.reserve(sizeof...(each));
          (list.push_back(to_value(std::forward<decltype(each)>(each))), ...);
          return list;
        },
        std::forward<T>(result));
  } else {
    values list;
    list.push_back(to_value(std::forward<T>(result)));
    return list;
  }
}

/// What a call has come to.
struct native_outcome {
  values results;
  std::string error;  // of a call that has failed
  bool failed = false;

  native_outcome() noexcept {}
  /// Of the exception that is being handled.
  WEFT_API void fail() noexcept;
};

/// A call on its way: what the function leaves for the fiber that has called it.
struct native_call {
  native_call(core::task_scope* in, core::worker* on) noexcept : scope(in), worker(on) {}
  native_call(const native_call&) = delete;
  native_call& operator=(const native_call&) = delete;

  core::task_scope* const scope;  // of the tasks of the state
  core::worker* const worker;
  values arguments;
  native_outcome outcome;
  // Of a function that returns a task:
  std::optional<oneshot_receiver<native_outcome>> later;
  std::optional<join_handle<void>> task;
};

template <class F>
struct signature : signature<decltype(&F::operator())> {};
template <class R, class... P>
struct signature<R (*)(P...)> {
  using result = R;
  using parameters = std::tuple<std::remove_cvref_t<P>...>;
};
template <class C, class R, class... P>
struct signature<R (C::*)(P...)> : signature<R (*)(P...)> {};
template <class C, class R, class... P>
struct signature<R (C::*)(P...) const> : signature<R (*)(P...)> {};
template <class R, class... P>
struct signature<R (*)(P...) noexcept> : signature<R (*)(P...)> {};
template <class C, class R, class... P>
struct signature<R (C::*)(P...) const noexcept> : signature<R (*)(P...)> {};

}  // namespace detail

/// A function of C++ that Lua can call.
class WEFT_API native_function : public shared_object {
 public:
  const char* type_name() const noexcept override { return "function"; }
  /// On the worker of the state that calls. Leaves the outcome, or a task that gives it later.
  virtual void call(detail::native_call& c) noexcept = 0;
  /// Whether its caller has to wait.
  virtual bool blocks() const noexcept = 0;

 protected:
  ~native_function() override;
};

namespace detail {

/// Parameter i of a call: nil if Lua has passed fewer.
template <class T>
T parameter(const values& arguments, std::size_t i) {
  static const value nil;
  try {
    return from_value<T>(i < arguments.size() ? arguments[i] : nil);
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument("bad argument #" + std::to_string(i + 1) + " (" +
                                std::string(e.what()).substr(sizeof "weft::value: " - 1) + ")");
  }
}

template <class Parameters, class F, std::size_t... I>
decltype(auto) call_with(F& f, values& arguments, std::index_sequence<I...>) {
  if constexpr (std::is_same_v<Parameters, std::tuple<values>>)
    return f(std::move(arguments));
  else
    return f(parameter<std::tuple_element_t<I, Parameters>>(arguments, I)...);
}

template <class F>
decltype(auto) call_with(F& f, values& arguments) {
  using parameters = typename signature<F>::parameters;
  return call_with<parameters>(f, arguments,
                               std::make_index_sequence<std::tuple_size_v<parameters>>());
}

/// Runs the task of a call, and keeps the function and its arguments meanwhile. (No parameter is of
/// F's type: g++ 12 warns of a frame that holds a closure's.)
template <class T>
task<> run_later(task<T> t, [[maybe_unused]] ref<native_function> function,
                 [[maybe_unused]] values arguments, oneshot_sender<native_outcome> tx) {
  native_outcome out;
  try {
    if constexpr (std::is_void_v<T>)
      co_await std::move(t);
    else
      out.results = to_values(co_await std::move(t));
  } catch (...) {
    out.fail();
  }
  tx.send(std::move(out));
}

template <class F>
class native_function_of final : public native_function {
  using result = typename signature<F>::result;
  static constexpr bool waits = is_task<result>;

 public:
  explicit native_function_of(F f) : f_(std::move(f)) {}
  bool blocks() const noexcept override { return waits; }
  void call(native_call& c) noexcept override {
    try {
      invoke(c);
    } catch (...) {
      c.outcome.fail();
    }
  }

 private:
  ~native_function_of() override = default;

  void invoke(native_call& c) {
    if constexpr (waits) {
      auto ends = oneshot<native_outcome>();
      result t = call_with(f_, c.arguments);
      c.task.emplace(begin(run_later(std::move(t), ref<native_function>(*this),
                                     std::move(c.arguments), std::move(ends.first)),
                           *c.scope, *c.worker));
      c.later.emplace(std::move(ends.second));
    } else if constexpr (std::is_void_v<result>) {
      call_with(f_, c.arguments);
    } else {
      c.outcome.results = to_values(call_with(f_, c.arguments));
    }
  }

  F f_;
};

}  // namespace detail

/// f as a value: a function in every Lua state that it comes into. f may be called by several
/// states at once if they are on different workers. Throws std::bad_alloc.
template <class F>
value native(F f) {
  return make_shared_object<detail::native_function_of<F>>(std::move(f));
}

}  // namespace weft::inline v0
