// SPDX-License-Identifier: MIT
// Programs that do not compile, and what the compiler says: each `#if CASE == n // says: text`.
#include <chrono>
#include <coroutine>
#include <functional>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;
using weft::task;

task<int> five() { co_return 5; }

struct foreign {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) const { h.resume(); }
  void await_resume() const noexcept {}
};

task<> refused() {
  auto [tx, rx] = weft::channel<int>();
#if CASE == 0  // says: nothing
  co_await five();
#elif CASE == 1   // says: sets a weft::event
  co_await std::suspend_always();
#elif CASE == 2   // says: sets a weft::event
  co_await foreign();
#elif CASE == 3   // says: co_await std::move(t)
  auto t = five();
  co_await t;
#elif CASE == 4   // says: a task is no operation: spawn it
  co_await weft::timeout(five(), 1s);
#elif CASE == 5   // says: a task is no operation: spawn it
  co_await weft::choose(rx.recv_op(), five());
#elif CASE == 6   // says: this is no operation
  co_await weft::choose(rx.recv_op(), 1s);
#elif CASE == 7   // says: f is called with the result of the operation
  auto f = [](int, int) { return 1; };
  co_await weft::wrap(rx.recv_op(), f);
#elif CASE == 8   // says: the operations give different types
  co_await weft::unite(rx.recv_op(), weft::always(std::string()));
#elif CASE == 9   // says: not scope(f(args...))
  co_await weft::scope(five());
#elif CASE == 10  // says: has to give a task
  auto f = [] { return 1; };
  co_await weft::scope(f);
#elif CASE == 11  // says: a task is spawned: spawn(f)
  co_await weft::spawn_blocking(five);
#elif CASE == 12  // says: a task is no operation: spawn it
  auto f = [](int) { return 1; };
  co_await weft::wrap(five(), f);
#elif CASE == 13  // says: a task is no operation: spawn it
  co_await weft::unite(five(), five());
#elif CASE == 14  // says: all(std::move(tasks))
  std::vector<task<int>> tasks;
  co_await weft::all(tasks);
#elif CASE == 15  // says: any(std::move(tasks))
  std::vector<task<int>> tasks;
  co_await weft::any(tasks);
#elif CASE == 16  // says: a literal ends with a 0
  auto stream = (co_await weft::tcp_stream::connect("127.0.0.1", 1)).value();
  co_await stream.write_all("hello");
#endif
}

int main() { weft::runtime().block_on(refused()); }
