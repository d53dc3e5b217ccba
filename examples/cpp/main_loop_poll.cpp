// SPDX-License-Identifier: MIT
// A runtime inside a plain loop around poll(2), which has a descriptor of its own to watch.
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <thread>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> echo(weft::tcp_listener listener) {
  auto stream = (co_await listener.accept()).value();
  std::array<std::byte, 64> buffer;
  for (;;) {
    const auto n = co_await stream.read_some(buffer);
    if (!n || *n == 0) co_return;
    if (!co_await stream.write_all(std::span(buffer).first(*n))) co_return;
  }
}

weft::task<> work(weft::receiver<std::string> words, weft::event finished) {
  auto listener = (co_await weft::tcp_listener::bind("127.0.0.1", 0)).value();
  const auto port = listener.address()->port();
  weft::spawn(echo, std::move(listener)).detach();
  auto stream = (co_await weft::tcp_stream::connect("127.0.0.1", port)).value();
  while (const auto word = co_await words.recv()) {
    std::string reply(word->size(), ' ');
    (co_await stream.write_all(*word)).value();
    (co_await weft::read_all(stream, reply)).value();
    co_await weft::sleep(2ms);
    std::puts(reply.c_str());
  }
  finished.set();
}
// --> one
// --> two
// --> three

int open_timer() {
  const itimerspec each_millisecond = {{0, 1'000'000}, {0, 1'000'000}};
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, 0);
  ::timerfd_settime(timer, 0, &each_millisecond, nullptr);
  return timer;
}

int main() {
  weft::runtime rt;
  const weft::event finished;
  auto [words, receiver] = weft::channel<std::string>();
  rt.spawn(work, std::move(receiver), finished).detach();
  std::thread other([tx = std::move(words)] {  // a plain thread
    for (const char* word : {"one", "two", "three"})
      static_cast<void>(weft::perform_blocking(tx.send_op(word)));
  });

  std::uint64_t expired = 0;
  std::uint64_t own = 0;
  pollfd watched[] = {{rt.event_fd(), POLLIN, 0}, {open_timer(), POLLIN, 0}};
  while (!finished.is_set()) {
    if (::poll(watched, 2, -1) < 0) continue;
    if (watched[0].revents) rt.poll_once();
    if (watched[1].revents && ::read(watched[1].fd, &expired, sizeof expired) > 0) own += expired;
  }
  ::close(watched[1].fd);
  other.join();
  std::printf("its own timer %s\n", own > 0 ? "too" : "never");  // --> its own timer too
}
