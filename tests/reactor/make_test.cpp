// SPDX-License-Identifier: MIT
// The choice of a backend, and what a single backend has of its own.
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>

#include <cstdlib>

#include "fixture.hpp"
#include "refused.hpp"

using namespace weft_test;

namespace {

constexpr const char* available =
    "(available: "
#if WEFT_HAS_LIBURING
    "io_uring, "
#endif
    "epoll, "
#if __has_include(<sys/event.h>)
    "kqueue, "
#endif
    "select)";

using owned = std::unique_ptr<weft::core::reactor>;

/// Sets WEFT_BACKEND while it lives.
class environment {
 public:
  explicit environment(const char* value) {
    if (const char* old = std::getenv("WEFT_BACKEND")) {
      was_set_ = true;
      before_ = old;
    }
    value ? ::setenv("WEFT_BACKEND", value, 1) : ::unsetenv("WEFT_BACKEND");
  }
  ~environment() {
    was_set_ ? ::setenv("WEFT_BACKEND", before_.c_str(), 1) : ::unsetenv("WEFT_BACKEND");
  }

 private:
  bool was_set_ = false;
  std::string before_;
};

owned make(const char* name, std::string* message = nullptr) {
  const char* error = nullptr;
  owned r(weft::core::make_reactor(name, &error));
  EXPECT_EQ(r == nullptr, error != nullptr);
  if (message && error) *message = error;
  return r;
}

TEST(make_reactor, without_a_name_it_is_the_best) {
  const environment none(nullptr);
  const owned best = make(nullptr);
  EXPECT_NE(std::string(best->name()), "select");
  if (std::strcmp(best->name(), "epoll") == 0 && std::strstr(available, "io_uring")) {
    EXPECT_NE(std::string(best->passed_over).find("io_uring: "), std::string::npos);
  }
  const environment empty("");
  EXPECT_STREQ(make(nullptr)->name(), best->name());
}

TEST(make_reactor, the_environment_chooses_and_an_option_is_over_it) {
  const environment select("select");
  EXPECT_STREQ(make(nullptr)->name(), "select");
  EXPECT_STREQ(make("epoll")->name(), "epoll");
}

TEST(make_reactor, an_unknown_name_is_told_with_what_there_is) {
  std::string message;
  EXPECT_EQ(make("quantum", &message), nullptr);
  EXPECT_EQ(message, std::string("unknown backend \"quantum\" ") + available);
  EXPECT_EQ(make("", &message), nullptr);
  const environment wrong("poll9");
  EXPECT_EQ(make(nullptr, &message), nullptr);
  EXPECT_EQ(message, std::string("WEFT_BACKEND: unknown backend \"poll9\" ") + available);
  EXPECT_EQ(make(std::string(1'000, 'x').c_str(), &message), nullptr);
  EXPECT_NE(message.find(available), std::string::npos);
}

/// What the error says of the others, without the one that cannot be had.
std::string available_but(const std::string& name) {
  const std::string all = available;
  const bool last = all.ends_with(name + ")");
  return std::string(all).erase(all.find(name) - (last ? 2 : 0), name.size() + 2);
}

TEST(make_reactor, where_io_uring_is_refused) {
  if (!std::strstr(available, "io_uring")) GTEST_SKIP() << "built without io_uring";
  const environment none(nullptr);
  const int result = in_a_child([] {
    if (!refuse_call(SYS_io_uring_setup, EPERM)) return 77;
    std::string message;
    const owned best = make(nullptr);
    if (std::strcmp(best->name(), "epoll") != 0) return 1;
    if (std::strcmp(best->passed_over, "io_uring: operation not permitted") != 0) return 2;
    if (make("io_uring", &message)) return 3;
    const std::string others = available_but("io_uring");
    if (message != "backend \"io_uring\": operation not permitted " + others) return 4;
    const environment asked("io_uring");
    make(nullptr, &message);
    return message == "WEFT_BACKEND: backend \"io_uring\": operation not permitted " + others ? 0
                                                                                              : 5;
  });
  if (result == 77) GTEST_SKIP() << "no seccomp here";
  EXPECT_EQ(result, 0);
}

// A process that has many descriptors can have no select, whose own has to be below FD_SETSIZE.
TEST(make_reactor, select_where_no_low_descriptor_is_left) {
  const int result = in_a_child([] {
    rlimit many;
    ::getrlimit(RLIMIT_NOFILE, &many);
    if (many.rlim_max < 2 * FD_SETSIZE) return 77;
    many.rlim_cur = 2 * FD_SETSIZE;
    ::setrlimit(RLIMIT_NOFILE, &many);
    while (::dup(0) < FD_SETSIZE) {
    }
    std::string message;
    if (make("select", &message)) return 1;
    return message ==
                   "backend \"select\": descriptor too high for select " + available_but("select")
               ? 0
               : 2;
  });
  if (result == 77) GTEST_SKIP() << "too few descriptors";
  EXPECT_EQ(result, 0);
}

TEST(select, refuses_what_has_no_room_in_a_set) {
  const owned io = make("select");
  unique_fd low(::eventfd(0, EFD_CLOEXEC));
  unique_fd high(::fcntl(low.get(), F_DUPFD_CLOEXEC, FD_SETSIZE));
  if (high.get() < 0) GTEST_SKIP() << "no descriptor above FD_SETSIZE: " << std::strerror(errno);
  const attached refused(*io, std::move(high));
  EXPECT_EQ(refused.status, -ERANGE);
  EXPECT_FALSE(refused.is_attached());
  unique_fd last(::fcntl(low.get(), F_DUPFD_CLOEXEC, FD_SETSIZE - 1));
  ASSERT_EQ(last.get(), FD_SETSIZE - 1);
  attached taken(*io, std::move(last));
  ASSERT_EQ(taken.status, 0);
  taken.not_ready(direction::in);
  performer p;
  p.await(*io, taken, direction::in);
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(low.get(), &one, sizeof one), 8);
  while (!p.woken()) io->wait(forever);
}

// What is closed without detach() would end every pselect() with EBADF.
TEST(select, a_closed_descriptor_wakes_its_waiter_and_holds_up_nobody) {
  const owned io = make("select");
  auto [a, b] = local_pair();
  auto [c, e] = local_pair();
  attached closed(*io, std::move(a));
  attached open(*io, std::move(c));
  closed.not_ready(direction::in);
  open.not_ready(direction::in);
  performer p;
  performer q;
  p.await(*io, closed, direction::in);
  q.await(*io, open, direction::in);
  closed.owned.reset();
  while (!p.woken()) io->wait(forever);
  EXPECT_FALSE(q.woken());
  put(e.get(), "x");
  while (!q.woken()) io->wait(forever);
}

}  // namespace
