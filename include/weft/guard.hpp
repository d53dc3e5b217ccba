// SPDX-License-Identifier: MIT
// guard(f) and with_nack(f): operations that are made anew for each perform, in the performer.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "weft/event.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0 {

/// What guard(f) gives.
template <class F>
class [[nodiscard]] guarded : public operation<guarded<F>> {
  using inner = std::remove_cvref_t<std::invoke_result_t<F&>>;

 public:
  using result_type = typename inner::result_type;
  static constexpr bool shared = inner::shared;
  static constexpr const char* what = detail::what_of<inner>();

  class arm : public inner::arm {
   public:
    explicit arm(const guarded& g) : inner::arm(F(g.f_)()) {}
  };

  explicit guarded(F f) : f_(std::move(f)) {}

 private:
  F f_;
};

/// f() makes the operation anew for each perform.
template <class F>
  requires is_operation<std::invoke_result_t<F&>>
auto guard(F f) {
  return guarded<F>(std::move(f));
}

namespace detail {
/// Of one with_nack: they nest, and each has its own.
template <class F>
struct nack_event {
  event nack;
};
}  // namespace detail

/// What with_nack(f) gives.
template <class F>
class [[nodiscard]] nacked : public operation<nacked<F>> {
  using inner = std::remove_cvref_t<std::invoke_result_t<F&, event_operation>>;

 public:
  using result_type = typename inner::result_type;
  static constexpr bool shared = true;
  static constexpr const char* what = detail::what_of<inner>();

  /// The arm that f makes, and the event that its loss sets, which has to be there first.
  class arm : detail::nack_event<F>, public inner::arm {
    using own = detail::nack_event<F>;

   public:
    explicit arm(const nacked& n) : inner::arm(F(n.f_)(own::nack.wait_op())) {}

    void lose(performer& p) noexcept {
      inner::arm::lose(p);
      own::nack.set();
    }
  };

  explicit nacked(F f) : f_(std::move(f)) {}

 private:
  F f_;
};

/// f(nack) makes the operation anew for each perform. nack, an operation, is ready once this one
/// was in a choice and lost, or was cancelled; never if it won.
template <class F>
  requires is_operation<std::invoke_result_t<F&, event_operation>>
auto with_nack(F f) {
  return nacked<F>(std::move(f));
}

}  // namespace weft::inline v0
