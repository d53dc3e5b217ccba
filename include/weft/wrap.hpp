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
class wrapped : public operation<wrapped<Op, F>> {
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

  class arm {
   public:
    static constexpr bool home_only = Op::arm::home_only;
    static constexpr bool resident = detail::is_resident<typename Op::arm>();
    explicit arm(const wrapped& w) : inner_(w.op_), f_(w.f_) {}
    explicit arm(wrapped&& w) : inner_(std::move(w.op_)), f_(std::move(w.f_)) {}

    bool attempt(performer& p) { return inner_.attempt(p); }
    core::pass publish(performer& p, std::uint32_t first) { return inner_.publish(p, first); }
    void retract(performer& p) noexcept { inner_.retract(p); }
    void retract_home() noexcept
      requires home_only
    {
      inner_.retract_home();
    }
    template <class Visit>
    void each_home(Visit& f)
      requires resident
    {
      inner_.each_home(f);
    }
    bool confirm(performer& p)
      requires resident
    {
      return inner_.confirm(p);
    }
    void decide(std::uint32_t winner) noexcept { inner_.decide(winner); }
    result_type settle(performer& p) {
      if constexpr (std::is_void_v<typename Op::result_type>) {
        inner_.settle(p);
        return f_();
      } else {
        return f_(inner_.settle(p));
      }
    }
    void lose(performer& p) noexcept { inner_.lose(p); }
    std::uint32_t leaves() const noexcept { return inner_.leaves(); }

   private:
    typename Op::arm inner_;
    F f_;
  };

  wrapped(Op op, F f) : op_(std::move(op)), f_(std::move(f)) {}

 private:
  Op op_;
  F f_;
};

/// op, and then f of its result (of nothing, for void), in the performer.
template <class Op, class F>
  requires is_operation<Op>
auto wrap(Op op, F f) {
  return wrapped<Op, F>(std::move(op), std::move(f));
}

}  // namespace weft::inline v0
