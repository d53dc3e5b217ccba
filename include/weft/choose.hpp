// SPDX-License-Identifier: MIT
// choose(ops...) -> std::variant, unite(ops...) and choose(span) -> the result of whichever
// happened.
//
// A choice tries its arms in random order, publishes them in order when none is ready, and lets
// exactly one happen; the others leave nothing behind.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/operation.hpp"

namespace weft::inline v0 {

namespace detail {

/// A random order of 0 .. n-1.
template <class Indices>
void shuffle(Indices& order, std::uint32_t n, core::random_source& random) noexcept {
  for (std::uint32_t i = 0; i < n; ++i) order[i] = i;
  for (std::uint32_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
}

/// What choices have in common. Arms: the arms, each reached by visit(i, f).
template <class Arms>
class choice_arm {
 public:
  static constexpr bool home_only = Arms::home_only;
  static constexpr bool resident = Arms::resident;

  template <class Source>
  explicit choice_arm(Source&& source) : arms_(std::forward<Source>(source)) {}

  bool attempt(performer& p) {
    decided_late_ = false;
    const std::uint32_t n = arms_.count();
    typename Arms::order order = arms_.make_order();
    shuffle(order, n, p.random());
    for (std::uint32_t i = 0; i < n; ++i) {
      const bool done = arms_.visit(order[i], [&p](auto& arm) { return arm.attempt(p); });
      if (!done) continue;
      won_ = order[i];
      lose_others(p);
      return true;
    }
    return false;
  }

  core::pass publish(performer& p, std::uint32_t first) {
    first_ = first;
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i) {
      // Decided already: the wake-up is on its way. A claim that is only held may be taken back.
      if (i > 0 && is_decided(p)) return core::pass::decided;
      const core::pass r = arms_.visit(i, [&p, first](auto& arm) { return arm.publish(p, first); });
      if (r != core::pass::wait) return r;
      first += arms_.visit(i, [](auto& arm) { return arm.leaves(); });
    }
    return core::pass::wait;
  }

  void retract(performer& p) noexcept {
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i)
      arms_.visit(i, [&p](auto& arm) { arm.retract(p); });
  }
  void retract_home() noexcept {
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i)
      arms_.visit(i, [](auto& arm) {
        if constexpr (std::remove_reference_t<decltype(arm)>::home_only) arm.retract_home();
      });
  }

  void decide(std::uint32_t winner) noexcept {
    if (winner == core::winner_cancelled) return;
    std::uint32_t first = first_;
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i) {
      const std::uint32_t leaves = arms_.visit(i, [](auto& arm) { return arm.leaves(); });
      if (winner - first < leaves) {
        won_ = i;
        decided_late_ = true;
        arms_.visit(i, [winner](auto& arm) { arm.decide(winner); });
        return;
      }
      first += leaves;
    }
  }

  bool crosses(performer& p) noexcept {
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i)
      if (arms_.visit(i, [&p](auto& arm) { return arm_crosses(arm, p); })) return true;
    return false;
  }

  template <class F>
  void each_home(F& f)
    requires resident
  {
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i)
      arms_.visit(i, [&f](auto& arm) {
        if constexpr (is_resident<std::remove_reference_t<decltype(arm)>>()) arm.each_home(f);
      });
  }
  bool confirm(performer& p)
    requires resident
  {
    return arms_.visit(won_, [&p](auto& arm) {
      if constexpr (is_resident<std::remove_reference_t<decltype(arm)>>())
        return arm.confirm(p);
      else
        return true;
    });
  }

  decltype(auto) settle(performer& p) {
    if (decided_late_) lose_others(p);
    return arms_.settle(won_, p);
  }
  void lose(performer& p) noexcept {
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i)
      arms_.visit(i, [&p](auto& arm) { arm.lose(p); });
  }
  std::uint32_t leaves() const noexcept { return arms_.leaves(); }

 private:
  static bool is_decided(performer& p) noexcept {
    return (p.task().word.load(std::memory_order_acquire) & core::task::state_mask) ==
           core::task::synced;
  }
  void lose_others(performer& p) noexcept {
    for (std::uint32_t i = 0, n = arms_.count(); i < n; ++i)
      if (i != won_) arms_.visit(i, [&p](auto& arm) { arm.lose(p); });
  }

  Arms arms_;
  std::uint32_t first_ = 0;
  std::uint32_t won_ = 0;
  bool decided_late_ = false;
};

/// An arm in a tuple: constructed in place from its operation.
template <class Arm>
struct held_arm {
  template <class Op>
  explicit held_arm(Op&& op) : arm(std::forward<Op>(op)) {}
  held_arm(const held_arm&) = delete;
  held_arm& operator=(const held_arm&) = delete;
  Arm arm;
};

/// The arms of choose(ops...), and of unite(ops...): United.
template <bool United, class Result, class... Ops>
class typed_arms {
 public:
  static constexpr bool home_only = (Ops::arm::home_only || ...);
  static constexpr bool resident = (is_resident<typename Ops::arm>() || ...);
  using order = std::array<std::uint32_t, sizeof...(Ops)>;

  template <class Tuple>
  explicit typed_arms(Tuple&& ops)
      : typed_arms(std::forward<Tuple>(ops), std::index_sequence_for<Ops...>()) {}

  static constexpr std::uint32_t count() noexcept { return sizeof...(Ops); }
  static order make_order() noexcept { return {}; }

  template <class F>
  auto visit(std::uint32_t i, F&& f) {
    return visit_from<0>(i, f);
  }

  Result settle(std::uint32_t i, performer& p) { return settle_from<0>(i, p); }

  std::uint32_t leaves() const noexcept {
    return std::apply([](auto&... held) { return (held.arm.leaves() + ...); }, held_);
  }

 private:
  template <class Tuple, std::size_t... I>
  typed_arms(Tuple&& ops, std::index_sequence<I...>)
      : held_(std::get<I>(std::forward<Tuple>(ops))...) {}

  template <std::size_t I, class F>
  auto visit_from(std::uint32_t i, F&& f) {
    if constexpr (I + 1 < sizeof...(Ops)) {
      if (i != I) return visit_from<I + 1>(i, f);
    }
    return f(std::get<I>(held_).arm);
  }

  template <std::size_t I>
  Result settle_from(std::uint32_t i, performer& p) {
    if constexpr (I + 1 < sizeof...(Ops)) {
      if (i != I) return settle_from<I + 1>(i, p);
    }
    auto& arm = std::get<I>(held_).arm;
    using value = std::tuple_element_t<I, std::tuple<typename Ops::result_type...>>;
    if constexpr (United) {
      return arm.settle(p);
    } else if constexpr (std::is_void_v<value>) {
      arm.settle(p);
      return Result(std::in_place_index<I>);
    } else {
      return Result(std::in_place_index<I>, arm.settle(p));
    }
  }

  std::tuple<held_arm<typename Ops::arm>...> held_;
};

}  // namespace detail

/// What choose(ops...) and unite(ops...) give.
template <bool United, class Result, class... Ops>
class [[nodiscard]] choice : public operation<choice<United, Result, Ops...>> {
 public:
  using result_type = Result;
  static constexpr bool shared = (Ops::shared || ...);
  static constexpr const char* what = "choice";

  class arm : public detail::choice_arm<detail::typed_arms<United, Result, Ops...>> {
    using base = detail::choice_arm<detail::typed_arms<United, Result, Ops...>>;

   public:
    explicit arm(const choice& c) : base(c.ops_) {}
    explicit arm(choice&& c) : base(std::move(c.ops_)) {}
  };

  explicit choice(Ops... ops) : ops_(std::move(ops)...) {}

 private:
  std::tuple<Ops...> ops_;
};

namespace detail {
/// The type of what unite gives: theirs if it is one, a reference too.
template <class First, class... Rest>
struct common : std::common_type<First, Rest...> {};
template <class First, class... Rest>
  requires(std::is_same_v<First, Rest> && ...)
struct common<First, Rest...> {
  using type = First;
};
template <class... Ts>
concept has_common_type = requires { typename common<Ts...>::type; };

template <class T>
inline constexpr bool is_list = requires(const std::remove_cvref_t<T>& t) {
  { *t.begin() } -> is_operation;
};
}  // namespace detail

/// Exactly one of the operations happens: a variant whose index tells which (void is
/// std::monostate, a reference a std::reference_wrapper).
template <class... Ops>
  requires(sizeof...(Ops) > 0 && (is_operation<Ops> && ...))
auto choose(Ops... ops) {
  using result = std::variant<detail::regular<typename Ops::result_type>...>;
  return choice<false, result, Ops...>(std::move(ops)...);
}

/// Likewise of operations that give one type: the result of whichever happened.
template <class... Ops>
  requires(sizeof...(Ops) > 0 && (is_operation<Ops> && ...))
auto unite(Ops... ops) {
  static_assert(
      detail::has_common_type<typename Ops::result_type...>,
      "weft::unite: the operations give different types: wrap() makes them alike, choose() "
      "gives a variant");
  using result = typename detail::common<typename Ops::result_type...>::type;
  return choice<true, result, Ops...>(std::move(ops)...);
}

namespace detail {

/// The arms of choose(span): as many as there are, all of one kind.
template <class Op>
class listed_arms {
 public:
  static constexpr bool home_only = Op::arm::home_only;
  static constexpr bool resident = is_resident<typename Op::arm>();
  using order = std::vector<std::uint32_t>;

  explicit listed_arms(const std::vector<Op>& ops)
      : count_(static_cast<std::uint32_t>(ops.size())) {
    arms_.reserve(ops.size());
    for (const Op& op : ops) arms_.push_back(std::make_unique<typename Op::arm>(op));
  }

  std::uint32_t count() const noexcept { return count_; }
  order make_order() const { return order(count_); }
  template <class F>
  auto visit(std::uint32_t i, F&& f) {
    return f(*arms_[i]);
  }
  auto settle(std::uint32_t i, performer& p) {
    using value = typename Op::result_type;
    if constexpr (std::is_void_v<value>) {
      arms_[i]->settle(p);
      return std::size_t{i};
    } else {
      return std::pair<std::size_t, regular<value>>(i, arms_[i]->settle(p));
    }
  }
  std::uint32_t leaves() const noexcept {
    std::uint32_t n = 0;
    for (const auto& arm : arms_) n += arm->leaves();
    return n;
  }

 private:
  std::uint32_t count_;
  std::vector<std::unique_ptr<typename Op::arm>> arms_;
};

}  // namespace detail

/// What choose(span) gives.
template <class Op>
class [[nodiscard]] listed_choice : public operation<listed_choice<Op>> {
  using value = typename Op::result_type;

 public:
  using result_type = std::conditional_t<std::is_void_v<value>, std::size_t,
                                         std::pair<std::size_t, detail::regular<value>>>;
  static constexpr bool shared = Op::shared;
  static constexpr const char* what = "choice";

  class arm : public detail::choice_arm<detail::listed_arms<Op>> {
   public:
    explicit arm(const listed_choice& c) : detail::choice_arm<detail::listed_arms<Op>>(c.ops_) {}
  };

  explicit listed_choice(std::span<const Op> ops) : ops_(ops.begin(), ops.end()) {}

 private:
  std::vector<Op> ops_;
};

/// Exactly one of the operations happens: its index, and its result unless that is void. Throws
/// std::invalid_argument when there is none to choose from.
template <class Op>
  requires is_operation<Op>
auto choose(std::span<const Op> ops) {
  if (ops.empty()) throw std::invalid_argument("weft::choose: no operations");
  return listed_choice<Op>(ops);
}
template <class Op>
  requires is_operation<Op>
auto choose(const std::vector<Op>& ops) {
  return choose(std::span<const Op>(ops));
}

template <class... Ts>
  requires((!is_operation<Ts> || ...) && !(detail::is_list<Ts> || ...))
auto choose(Ts&&...) {
  static_assert((detail::is_operation_or_explained<Ts> && ...));
}
template <class... Ts>
  requires(!is_operation<Ts> || ...)
auto unite(Ts&&...) {
  static_assert((detail::is_operation_or_explained<Ts> && ...));
}

}  // namespace weft::inline v0
