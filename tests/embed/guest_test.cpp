// SPDX-License-Identifier: MIT
// Hosts in C (guest/guest.c), which this program, itself without a Lua, loads as a plug-in each and
// unloads again.
#include <dlfcn.h>
#include <malloc.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "guest/guest.h"
#include "sanitizers.hpp"
#include "support.hpp"

namespace {

/// build/.../bin, where this program is.
std::filesystem::path here() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}
const std::string& share() {
  static const std::string path = here() / "../share/lua";
  return path;
}

long entries_of(const char* directory) {
  return std::distance(std::filesystem::directory_iterator(directory), {});
}
long threads() { return entries_of("/proc/self/task"); }
long descriptors() { return entries_of("/proc/self/fd"); }
/// Bytes that malloc has given; nothing under a sanitizer, which watches them itself.
std::size_t memory() { return mallinfo2().uordblks; }

class plugin {
 public:
  explicit plugin(const std::string& lua) : path_(here() / "../test-lib/guests" / (lua + ".so")) {
    library_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library_) throw std::runtime_error(dlerror());
  }
  plugin(const plugin&) = delete;
  plugin& operator=(const plugin&) = delete;
  ~plugin() { dlclose(library_); }

  static bool is_mapped(const std::string& lua) {
    std::ifstream maps("/proc/self/maps");
    const std::string all{std::istreambuf_iterator<char>(maps), {}};
    return all.find("/guests/" + lua + ".so") != std::string::npos;
  }

  /// Nothing, or what went wrong.
  std::string play(const char* scenario, const guest_host& host) {
    const char* failure = find<guest_scenario>(scenario)(&host);
    return failure ? failure : "";
  }
  template <class F>
  F* find(const char* name) {
    return reinterpret_cast<F*>(dlsym(library_, name));
  }
  std::string play(const char* scenario) {
    return play(scenario, {share().c_str(), nullptr, nullptr});
  }

 private:
  const std::string path_;
  void* library_;
};

class Guest : public ::testing::TestWithParam<std::string> {
 protected:
  /// Each once, in a library that is unloaded then.
  static void play_all(std::initializer_list<const char*> scenarios) {
    {
      plugin g(GetParam());
      for (const char* s : scenarios) EXPECT_EQ(g.play(s), "") << s;
    }
    EXPECT_FALSE(plugin::is_mapped(GetParam()));
  }
};
INSTANTIATE_TEST_SUITE_P(Luas, Guest, ::testing::ValuesIn(lua_names()), [](const auto& info) {
  std::string name = info.param;
  std::erase(name, '.');
  return name;
});

struct meeting {
  std::barrier<> all;
};
void meet(void* context) { static_cast<meeting*>(context)->all.arrive_and_wait(); }

}  // namespace

TEST_P(Guest, RequiresWeftAndCloses) { play_all({"guest_unused", "guest_unused"}); }
TEST_P(Guest, RunsWhileThreadsPostAndEnter) { play_all({"guest_run"}); }
TEST_P(Guest, IsDrivenByALoopOfItsOwn) { play_all({"guest_drive"}); }
TEST_P(Guest, IsClosedInTheMidstOfEverything) { play_all({"guest_close", "guest_close"}); }

TEST_P(Guest, ForksInTheMidstOfEverything) {
  if (WEFT_TEST_TSAN) GTEST_SKIP() << "TSan ends a child that starts a thread";
  play_all({"guest_fork"});
}

TEST_P(Guest, ComesAndGoes) {
  const long threads_before = threads();
  const auto come_and_go = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      play_all({"guest_unused", "guest_run", "guest_drive"});
      while (threads() > threads_before)
        std::this_thread::yield();  // the kernel lists them a while
    }
  };
  come_and_go(5);
  const long descriptors_then = descriptors();
  // What is lost in each round is lost in any fifteen of them; a cache grows but now and then.
  std::size_t growth = 0;
  for (int tries = 0; tries < 5; ++tries) {
    const std::size_t memory_then = memory();
    come_and_go(15);
    growth = memory() - std::min(memory(), memory_then);
    if (growth <= 8192) break;
  }
  EXPECT_LE(growth, 8192U);
  EXPECT_EQ(descriptors(), descriptors_then);
}

// Two of each, each with a gate of its own: in every tenth handler all of them meet.
TEST(Guests, OfAllLuasRunAtTheSameTime) {
  std::vector<std::string> names = lua_names();
  for (const std::string& again : lua_names()) names.push_back(again);
  meeting m{std::barrier<>(static_cast<std::ptrdiff_t>(names.size()))};
  std::vector<std::string> failures(names.size());
  std::vector<std::thread> hosts;
  for (std::size_t i = 0; i < names.size(); ++i)
    hosts.emplace_back([&, i] {
      plugin g(names[i]);
      failures[i] = g.play(i % 2 ? "guest_run" : "guest_drive", {share().c_str(), meet, &m});
    });
  for (std::thread& t : hosts) t.join();
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(failures[i], "") << names[i];
}

// ---- on the workers of a C++ runtime ----

namespace {

constexpr const char* script = R"(
  local weft = require "weft"
  local all = weft.oneshot()
  start(function(thread, i)
    local last = seen(thread, i)
    if i % 50 == 0 then weft.sleep(0.001) end
    if last then all:set(true) end
  end)
  all:get()
  join()
)";

/// What `prepare` is told, and what it gives.
struct prepared {
  decltype(guest_prepare)* prepare;
  guest_host host;
  guest* made = nullptr;
};

weft::lua_options with_guest(const std::string& lua, prepared& p) {
  weft::lua_options o;
  o.lua = lua;
  o.context = &p;
  o.prepare = [](void* context, lua_State* L) {
    auto& told = *static_cast<prepared*>(context);
    told.made = told.prepare(&told.host, L);
  };
  return o;
}

}  // namespace

class GuestOnWorker : public LuaTest {};
WEFT_WITH_EACH_LUA(GuestOnWorker);

// With one worker the two share its gate, and it serves C++ tasks as well.
TEST_P(GuestOnWorker, TwoStatesAndTasksShareAWorker) {
  plugin g(lua_name());
  prepared told[2];
  for (prepared& p : told)
    p = {g.find<decltype(guest_prepare)>("guest_prepare"), {share().c_str(), nullptr, nullptr}};
  {
    weft::lua_state one(rt, with_guest(lua_name(), told[0]));
    weft::lua_state two(rt, with_guest(lua_name(), told[1]));
    auto first = rt.spawn([](weft::lua_state* l) { return l->run(script); }, &one);
    auto second = rt.spawn([](weft::lua_state* l) { return l->run(script); }, &two);
    run([]() -> weft::task<> {
      for (int i = 0; i < 300; ++i) co_await weft::sleep(std::chrono::milliseconds(1));
    }());
    run([](auto* a, auto* b) -> weft::task<> {
      co_await *a;
      co_await *b;
    }(&first, &second));
    run(one.close());
    run(two.close());
  }
  for (const prepared& p : told) {
    const char* failure = g.find<decltype(guest_finish)>("guest_finish")(p.made);
    EXPECT_STREQ(failure ? failure : "", "");
  }
}
