// SPDX-License-Identifier: MIT
// An operation of one's own: a tank that waits until there is enough in it.
#include <chrono>
#include <cstdio>
#include <weft/core/waiters.hpp>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

// A level that only rises. Any thread.
class tank {
 public:
  class full_operation;
  explicit tank(int room) : room_(room) {}

  void fill(int n) {
    weft::core::waiters::holding held(waiting_);  // a tiny lock: nothing allocates under it
    level_ += n;
    if (level_ >= room_) held.complete_all();  // decides the waits that are still open, wakes them
  }
  full_operation full();

 private:
  weft::core::waiters waiting_;  // the lock, and the records of who waits
  int level_ = 0;
  const int room_;
};

// The recipe: it may be copied, and performed by many at once. Its result is the level.
class tank::full_operation : public weft::operation<tank::full_operation> {
 public:
  using result_type = int;
  static constexpr bool shared = true;  // another thread may complete it
  static constexpr const char* what = "tank";

  // One performance. single_arm holds its record, which stays linked only while it waits.
  class arm : public weft::detail::single_arm<> {
   public:
    explicit arm(const full_operation& op) noexcept : of_(op.of_) {}

    bool attempt(weft::performer&) noexcept {  // now, or not
      const weft::core::waiters::looking held(of_.waiting_);
      return of_.level_ >= of_.room_;
    }
    weft::core::pass publish(weft::performer& p, std::uint32_t index) noexcept {
      weft::core::wait_record& r = record_of(p, index);
      weft::core::waiters::holding held(of_.waiting_);
      if (of_.level_ >= of_.room_) return held.complete_performer(r);  // it came meanwhile
      held.append(r);
      return weft::core::pass::wait;
    }
    void retract(weft::performer&) noexcept {  // another arm won, or the task was cancelled
      weft::core::waiters::holding held(of_.waiting_);
      held.retract(record_);
    }
    int settle(weft::performer&) noexcept {  // it happened: the result
      const weft::core::waiters::looking held(of_.waiting_);
      return of_.level_;
    }

   private:
    tank& of_;
  };

  explicit full_operation(tank& of) noexcept : of_(of) {}

 private:
  tank& of_;
};

tank::full_operation tank::full() { return full_operation(*this); }

weft::task<> fills(tank* t) {
  for (int i = 0; i < 5; ++i) {
    co_await weft::sleep(1ms);
    t->fill(2);
  }
}

weft::task<> run() {
  tank t(10);
  auto filler = weft::spawn(fills, &t);
  const auto soon = co_await weft::timeout(t.full(), 1us);
  std::puts(soon ? "full" : "not yet");  // --> not yet
  const auto which = co_await weft::choose(t.full(), weft::sleep_op(1h));
  std::printf("the tank holds %d\n", std::get<0>(which));         // --> the tank holds 10
  std::printf("and still %d\n", t.full().try_perform().value());  // --> and still 10
  co_await std::move(filler);
}

int main() {
  weft::runtime rt;
  rt.block_on(run());
}
