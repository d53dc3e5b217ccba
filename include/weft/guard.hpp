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
class guarded : public operation<guarded<F>> {
  using inner = std::invoke_result_t<F&>;

 public:
  using result_type = typename inner::result_type;
  static constexpr bool shared = inner::shared;

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

/// What with_nack(f) gives.
template <class F>
class nacked : public operation<nacked<F>> {
  using inner = std::invoke_result_t<F&, event_operation>;

 public:
  using result_type = typename inner::result_type;
  static constexpr bool shared = true;

  class arm {
   public:
    static constexpr bool home_only = inner::arm::home_only;
    static constexpr bool resident = detail::is_resident<typename inner::arm>();
    explicit arm(const nacked& n) : inner_(F(n.f_)(nack_.wait_op())) {}

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
    result_type settle(performer& p) { return inner_.settle(p); }
    void lose(performer& p) noexcept {
      inner_.lose(p);
      nack_.set();
    }
    std::uint32_t leaves() const noexcept { return inner_.leaves(); }

   private:
    event nack_;
    typename inner::arm inner_;
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
