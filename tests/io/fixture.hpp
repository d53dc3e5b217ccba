// SPDX-License-Identifier: MIT
// A worker for each backend, and performers that wait on it with a record of their own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "backends.hpp"
#include "io/opening.hpp"
#include "io/stream.hpp"
#include "weft/core/worker.hpp"

namespace weft_test {

namespace core = weft::core;
namespace io = weft::io;

/// Waits for one thing at a time; `then` runs on the worker when it was completed.
class performer : public core::task {
 public:
  explicit performer(core::worker& w) : core::task(table), home(w) {}
  ~performer() {
    if (record.linked()) record.unlink();
  }

  /// Begins a wait; the caller links the record that this gives.
  core::wait_record& begin(std::function<void()> f = [] {}) {
    then = std::move(f);
    begin_plain();
    state = core::task_state::parked;
    record.owner = this;
    record.arm = 0;
    return record;
  }
  /// Another arm has won.
  void lose() {
    complete_at_home(1);
    if (record.linked()) record.unlink();
  }

  core::worker& home;
  core::wait_record record;
  std::function<void()> then;
  int wakes = 0;

 private:
  static void run(core::task& t, core::worker&) {
    auto& p = static_cast<performer&>(t);
    if (p.record.linked()) p.record.unlink();
    p.state = core::task_state::running;
    ++p.wakes;
    const auto f = std::move(p.then);
    f();
  }
  static void wake(core::task& t) noexcept {
    auto& p = static_cast<performer&>(t);
    p.home.ready(p);
  }
  static inline const core::task_kind table = {"performer", run, wake};
};

/// A worker on this thread, with the backend that the test is run for.
class on_worker : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { renew(); }

  /// Another worker, as the next run has.
  void renew() {
    w.reset();
    const char* error = nullptr;
    std::unique_ptr<core::reactor> r(core::make_reactor(GetParam(), &error));
    ASSERT_TRUE(r) << error;
    w = std::make_unique<core::worker>(std::move(r));
  }

  /// Turns until done(). False: it hangs; a name server that does not answer may take a minute.
  bool drive(const std::function<bool()>& done) {
    constexpr core::nanoseconds patience = 600'000'000'000;
    const core::worker::driving guard(*w);
    const core::nanoseconds end = core::clock_now() + patience;
    while (!done()) {
      if (core::clock_now() > end) return false;
      w->turn(10'000'000);
    }
    return true;
  }
  void settle() {
    const core::worker::driving guard(*w);
    for (int i = 0; i < 5; ++i) w->turn(1'000'000);
  }

  io::address loopback(std::uint16_t port = 0) {
    io::address a;
    EXPECT_TRUE(io::parse_address("127.0.0.1", port, a));
    return a;
  }

  /// a and b, connected and used on the worker.
  void connect(io::stream& a, io::stream& b) {
    io::socket l;
    l.fd = io::listen(loopback(), {});
    ASSERT_GE(l.fd, 0);
    io::address at;
    ASSERT_EQ(io::local_address(l.fd, at), 0);
    a.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::connect(a.fd, &at.any, at.size), 0);
    b.fd = io::accept(l);
    ASSERT_GE(b.fd, 0);
    ASSERT_EQ(::fcntl(a.fd, F_SETFL, O_NONBLOCK), 0);
    io::close(l);
    ASSERT_EQ(io::use(a, *w), 0);
    ASSERT_EQ(io::use(b, *w), 0);
  }

  /// What can be read at once.
  static std::string read_now(io::stream& s, std::size_t max = 65536) {
    std::string text(max, 0);
    const std::int64_t n = io::read_some(s, text.data(), max);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }

  std::unique_ptr<core::worker> w;
};

#define WEFT_ON_BACKENDS(suite)                                                              \
  INSTANTIATE_TEST_SUITE_P(backends, suite, ::testing::ValuesIn(weft_test::backend_names()), \
                           [](const auto& info) { return std::string(info.param); })

}  // namespace weft_test
