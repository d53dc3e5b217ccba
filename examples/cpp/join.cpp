// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>
#include <weft/weft.hpp>

weft::task<std::string> greet(std::string name) {
  co_await weft::yield();  // the others get on
  co_return "hello " + name;
}

weft::task<> run() {
  auto ann = weft::spawn(greet, "Ann");  // both begin to run beside this task
  auto bob = weft::spawn(greet, "Bob");
  const std::string first = co_await std::move(ann);
  const std::string second = co_await std::move(bob);
  std::printf("%s, %s\n", first.c_str(), second.c_str());  // --> hello Ann, hello Bob

  const auto [one, two] = co_await weft::all(greet("one"), greet("two"));
  std::printf("%s, %s\n", one.c_str(), two.c_str());  // --> hello one, hello two
}

int main() { weft::runtime().block_on(run()); }
