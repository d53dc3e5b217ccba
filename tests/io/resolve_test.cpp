// SPDX-License-Identifier: MIT
// Invariants: a lookup arrives exactly once, on home; it may outlive its waiter and its worker; the
// number of threads is bounded and all lookups are served.
#include "io/resolve.hpp"

#include <vector>

#include "core/errors.hpp"
#include "fixture.hpp"

using namespace weft_test;

namespace {

class resolve : public on_worker {};
WEFT_ON_BACKENDS(resolve);

}  // namespace

TEST_P(resolve, finds_localhost) {
  performer p(*w);
  io::lookup* l = io::lookup::begin(*w, "localhost");
  l->await(p.begin());
  ASSERT_TRUE(drive([&] { return p.wakes == 1; }));
  ASSERT_TRUE(l->arrived());
  EXPECT_EQ(l->error(), 0);
  const addrinfo* at = nullptr;
  io::address a;
  int n = 0;
  while (l->next(at, a)) {
    const std::string text = io::to_text(a).text;
    EXPECT_TRUE(text == "127.0.0.1" || text == "::1") << text;
    ++n;
  }
  EXPECT_GT(n, 0);
  l->drop_reference();
}

TEST_P(resolve, says_what_is_unknown) {
  performer p(*w);
  io::lookup* l = io::lookup::begin(*w, "no-such-host.invalid");
  l->await(p.begin());
  ASSERT_TRUE(drive([&] { return p.wakes == 1; }));
  EXPECT_TRUE(l->error() == -core::error_name_unknown || l->error() == -core::error_name_again)
      << l->error();
  const addrinfo* at = nullptr;
  io::address a;
  EXPECT_FALSE(l->next(at, a));
  l->drop_reference();
}

TEST_P(resolve, serves_more_lookups_than_it_has_threads) {
  std::vector<std::unique_ptr<performer>> performers;
  std::vector<io::lookup*> lookups;
  for (int i = 0; i < 3 * io::resolver_threads; ++i) {
    performers.push_back(std::make_unique<performer>(*w));
    lookups.push_back(io::lookup::begin(*w, "localhost"));
    lookups.back()->await(performers.back()->begin());
  }
  EXPECT_TRUE(drive([&] {
    for (const auto& p : performers)
      if (p->wakes != 1) return false;
    return true;
  }));
  for (io::lookup* l : lookups) l->drop_reference();
}

TEST_P(resolve, goes_on_without_its_waiter) {
  performer p(*w);
  for (int i = 0; i < 8; ++i) {
    io::lookup* l = io::lookup::begin(*w, "localhost");
    l->await(p.begin());
    p.lose();
    l->drop_reference();
  }
  // The lookups are sources until they have arrived.
  EXPECT_TRUE(drive([&] { return w->turn(10'000'000) == core::worker::outcome::idle; }));
  EXPECT_EQ(p.wakes, 0);
}

TEST_P(resolve, may_outlive_its_worker) {
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 4; ++k) io::lookup::begin(*w, "localhost")->drop_reference();
    renew();
  }
}
