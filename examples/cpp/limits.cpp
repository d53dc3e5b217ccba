// SPDX-License-Identifier: MIT
// Waiting no longer for a task, ending one, cleaning up in peace, and telling a server that nobody
// waits for its answer any more.
#include <chrono>
#include <cstdio>
#include <optional>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<int> slow() {
  co_await weft::sleep(20ms);
  std::puts("the slow task has run on");
  co_return 1;
}

weft::task<> says_goodbye() {
  co_await weft::sleep(1ms);  // waits, though its task is cancelled
  std::puts("said goodbye");
}
weft::task<> polite() {
  bool cut_off = false;
  try {
    co_await weft::sleep(1h);
  } catch (const weft::cancelled&) {
    cut_off = true;  // C++ allows no co_await in a handler
  }
  if (!cut_off) co_return;
  co_await weft::shield(says_goodbye);
  throw weft::cancelled();
}

weft::task<long> computes() {
  long rounds = 0;
  while (!weft::is_cancelled()) {  // a computation asks, where it does not wait
    ++rounds;
    if (rounds % 1000 == 0) co_await weft::yield();  // a yield throws, as every wait
  }
  co_return rounds;
}

// Asks for an answer anew whenever it is performed; gives up the question if it loses.
weft::task<> answers(weft::sender<int> to, weft::event_operation given_up) {
  const auto which = co_await weft::choose(given_up, weft::sleep_op(1h));
  if (which.index() == 0) std::puts("nobody waits for the answer");
  co_await to.send(42);
}
auto asks() {
  return weft::with_nack([](weft::event_operation given_up) {
    auto [to, from] = weft::channel<int>(1);
    weft::spawn(answers, to, given_up).detach();
    // The receiver stays with the operation: a channel without one is closed.
    return weft::wrap(from.recv_op(), [from = from](std::optional<int> v) { return v; });
  });
}

weft::task<> run() {
  // Only the waiting is limited: what lost the choice runs on.
  const auto in_time = co_await weft::timeout(weft::spawn(slow), 1ms);
  std::puts(in_time ? "?" : "not in time");

  weft::scope_options limit;
  limit.timeout = 2ms;
  try {
    co_await weft::scope(limit, polite);  // ends what is inside
  } catch (const weft::timed_out&) {
    std::puts("the scope's time is over");
  }
  try {
    co_await weft::scope(limit, computes);
  } catch (const weft::timed_out&) {
    std::puts("the computation's too");
  }
  auto question = weft::guard(asks);
  co_await weft::choose(question, weft::sleep_op(1ms));
}
// --> not in time
// --> said goodbye
// --> the scope's time is over
// --> the computation's too
// --> nobody waits for the answer
// --> the slow task has run on

int main() { weft::runtime().block_on(run()); }
