// SPDX-License-Identifier: MIT
// all and any of as many tasks as there happen to be.
#include "task/support.hpp"

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using weft::task;

class Gather : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Gather, ::testing::Values(1U, 2U, 4U));

// The later ones end first.
task<int> square(int i, int n) {
  for (int k = i; k < n; ++k) co_await weft::yield();
  co_return i* i;
}
task<> results_in_order(int n) {
  std::vector<task<int>> tasks;
  for (int i = 0; i < n; ++i) tasks.push_back(square(i, n));
  const std::vector<int> got = co_await weft::all(std::move(tasks));
  EXPECT_EQ(got.size(), static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i * i);
}
TEST_P(Gather, AllGivesTheResultsInOrder) {
  run(results_in_order(1));
  run(results_in_order(200));
}

task<std::unique_ptr<std::string>> boxed(std::string s) {
  co_await weft::yield();
  co_return std::make_unique<std::string>(std::move(s));
}
task<bool> is_even(int n) {
  co_await weft::yield();
  co_return n % 2 == 0;
}
task<int&> chosen(std::array<int, 3>* from, std::size_t i) {
  co_await weft::yield();
  co_return (*from)[i];
}
task<> any_type() {
  std::vector<task<std::unique_ptr<std::string>>> boxes;
  boxes.push_back(boxed("one"));
  boxes.push_back(boxed("two"));
  const auto strings = co_await weft::all(std::move(boxes));
  EXPECT_EQ(*strings[0] + *strings[1], "onetwo");

  std::list<task<bool>> questions;  // of any container
  for (int i = 0; i < 8; ++i) questions.push_back(is_even(i));
  const std::vector<bool> answers = co_await weft::all(std::move(questions));
  EXPECT_EQ(answers, (std::vector<bool>{true, false, true, false, true, false, true, false}));

  std::array<int, 3> kept = {1, 2, 3};
  std::vector<task<int&>> references;
  for (std::size_t i = 0; i < 3; ++i) references.push_back(chosen(&kept, i));
  const auto found = co_await weft::all(std::move(references));
  EXPECT_EQ(&found[2].get(), &kept[2]);
}
TEST_P(Gather, AllOfAnyType) { run(any_type()); }

task<> counts(std::atomic<int>* n) {
  co_await weft::yield();
  ++*n;
}
task<> of_nothing(std::atomic<int>* n) {
  std::vector<task<>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(counts(n));
  auto all = weft::all(std::move(tasks));
  static_assert(std::is_same_v<decltype(all), task<void>>);
  EXPECT_EQ(*n, 0) << "lazy";
  co_await std::move(all);
}
TEST_P(Gather, AllOfVoid) {
  std::atomic<int> n{0};
  run(of_nothing(&n));
  EXPECT_EQ(n, 10);
}

task<> of_a_view() {
  const auto squares =
      std::views::iota(0, 5) | std::views::transform([](int i) { return square(i, 5); });
  const std::vector<int> want = {0, 1, 4, 9, 16};
  EXPECT_EQ(co_await weft::all(squares), want);
  EXPECT_EQ(co_await weft::all(squares), want) << "it makes them anew";
}
TEST_P(Gather, AllOfAViewThatMakesTasks) { run(of_a_view()); }

task<> of_none() {
  EXPECT_TRUE((co_await weft::all(std::vector<task<int>>())).empty());
  co_await weft::all(std::vector<task<>>());
  EXPECT_THROW(static_cast<void>(weft::any(std::vector<task<int>>())), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(weft::any(std::vector<task<>>())), std::invalid_argument);
}
TEST_P(Gather, OfNoTasks) { run(of_none()); }

task<int> sleeps_long(std::atomic<int>* cancelled) {
  try {
    co_await weft::sleep(1h);
  } catch (const weft::cancelled&) {
    ++*cancelled;
    throw;
  }
  co_return 0;
}
task<int> fails() {
  co_await weft::sleep(1ms);
  throw std::runtime_error("first");
}
std::vector<task<int>> sleepers_and(task<int> one, std::atomic<int>* cancelled) {
  std::vector<task<int>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(sleeps_long(cancelled));
  tasks.push_back(std::move(one));
  for (int i = 0; i < 3; ++i) tasks.push_back(sleeps_long(cancelled));
  return tasks;
}
task<> first_failure(bool any, std::atomic<int>* cancelled) {
  std::string what;
  auto tasks = sleepers_and(fails(), cancelled);
  try {
    if (any)
      co_await weft::any(std::move(tasks));
    else
      co_await weft::all(std::move(tasks));
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  EXPECT_EQ(what, "first");
}
TEST_P(Gather, TheFirstFailureCancelsTheOthers) {
  std::atomic<int> cancelled{0};
  run(first_failure(false, &cancelled));
  EXPECT_EQ(cancelled, 6);
}
TEST_P(Gather, AFailureThatIsFirstIsWhatAnyThrows) {
  std::atomic<int> cancelled{0};
  run(first_failure(true, &cancelled));
  EXPECT_EQ(cancelled, 6);
}

task<int> soon(int v) {
  co_await weft::sleep(1ms);
  co_return v;
}
task<> first_of_many(std::atomic<int>* cancelled) {
  auto tasks = sleepers_and(soon(7), cancelled);
  const auto [index, value] = co_await weft::any(std::move(tasks));
  EXPECT_EQ(index, 3U);
  EXPECT_EQ(value, 7);
  EXPECT_EQ(*cancelled, 6) << "they have ended";
}
TEST_P(Gather, AnyGivesTheFirstAndCancelsTheOthers) {
  std::atomic<int> cancelled{0};
  run(first_of_many(&cancelled));
}

task<> nap_for(std::chrono::nanoseconds d) { co_await weft::sleep(d); }
task<std::size_t> first_of_void() {
  std::vector<task<>> tasks;
  for (const auto d : {1h, 1h}) tasks.push_back(nap_for(d));
  tasks.push_back(nap_for(1ms));
  co_return co_await weft::any(std::move(tasks));
}
TEST_P(Gather, AnyOfVoidGivesTheIndex) { EXPECT_EQ(run(first_of_void()), 2U); }

task<> with_an_empty_one(std::atomic<int>* cancelled) {
  std::vector<task<int>> tasks = sleepers_and(soon(1), cancelled);
  const task<int> gone(std::move(tasks[3]));
  EXPECT_THROW(co_await weft::all(std::move(tasks)), std::logic_error);
}
TEST_P(Gather, AnEmptyTaskIsMisuse) {
  std::atomic<int> cancelled{0};
  run(with_an_empty_one(&cancelled));
}

task<> cancelled_outside(std::atomic<int>* cancelled) {
  auto all = weft::spawn(weft::all(sleepers_and(sleeps_long(cancelled), cancelled)));
  co_await settle();
  all.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&all));

  auto two = weft::spawn(weft::all(sleeps_long(cancelled), sleeps_long(cancelled)));
  co_await settle();
  two.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&two));

  std::vector<task<>> naps;
  naps.push_back(nap_for(1h));
  auto of_void = weft::spawn(weft::all(std::move(naps)));
  co_await settle();
  of_void.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&of_void));

  auto first = weft::spawn(weft::any(sleepers_and(sleeps_long(cancelled), cancelled)));
  co_await settle();
  first.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&first));
}
TEST_P(Gather, ACancellationReachesAll) {
  std::atomic<int> cancelled{0};
  run(cancelled_outside(&cancelled));
  EXPECT_EQ(cancelled, 16);
}

}  // namespace
