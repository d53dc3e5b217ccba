// SPDX-License-Identifier: MIT
// wrap(op, f): an operation whose result goes through f, in the performer.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "weft/operation.hpp"

namespace weft::inline v0 {

/// What wrap(op, f) gives.
template <class Op, class F>
class [[nodiscard]] wrapped : public operation<wrapped<Op, F>> {
  template <class V>
  struct applied {
    using type = std::invoke_result_t<F&, V>;
  };
  template <class V>
    requires std::is_void_v<V>
  struct applied<V> {
    using type = std::invoke_result_t<F&>;
  };

 public:
  using result_type = typename applied<typename Op::result_type>::type;
  static constexpr bool shared = Op::shared;
  static constexpr const char* what = detail::what_of<Op>();

  /// The inner arm, but for the result.
  class arm : public Op::arm {
   public:
    explicit arm(const wrapped& w) : Op::arm(w.op_), f_(w.f_) {}
    explicit arm(wrapped&& w) : Op::arm(std::move(w.op_)), f_(std::move(w.f_)) {}

    result_type settle(performer& p) {
      if constexpr (std::is_void_v<typename Op::result_type>) {
        Op::arm::settle(p);
        return f_();
      } else {
        return f_(Op::arm::settle(p));
      }
    }

   private:
    F f_;
  };

  wrapped(Op op, F f) : op_(std::move(op)), f_(std::move(f)) {}

 private:
  Op op_;
  F f_;
};

namespace detail {
template <class F, class V>
inline constexpr bool takes_result = std::is_invocable_v<F&, V>;
template <class F, class V>
  requires std::is_void_v<V>
inline constexpr bool takes_result<F, V> = std::is_invocable_v<F&>;
}  // namespace detail

/// op, and then f of its result (of nothing, for void), in the performer.
template <class Op, class F>
  requires is_operation<Op>
auto wrap(Op op, F f) {
  static_assert(detail::takes_result<F, typename Op::result_type>,
                "weft::wrap: f is called with the result of the operation, or with nothing if that "
                "is void");
  return wrapped<Op, F>(std::move(op), std::move(f));
}
template <class T, class F>
  requires(!is_operation<T>)
auto wrap(T&&, F&&) {
  static_assert(detail::is_operation_or_explained<T>);
}

}  // namespace weft::inline v0
