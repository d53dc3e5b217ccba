// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>
#include <thread>
#include <weft/lua.hpp>
#include <weft/weft.hpp>

weft::task<> run(weft::lua_state& lua) {
  auto [jobs, lua_jobs] = weft::channel<weft::value>();
  auto [lua_words, words] = weft::channel<weft::value>(4);
  auto [lua_numbers, numbers] = weft::channel<weft::value>(4);
  lua.set("jobs", weft::share(lua_jobs));
  lua.set("words", weft::share(lua_words));
  lua.set("numbers", weft::share(lua_numbers));

  auto script = weft::spawn([](weft::lua_state* l) {
    return l->run(R"(
      local weft = require "weft"
      local here = weft.channel()
      weft.daemon(function() here:put "of this state" end)
      for _ = 1, 4 do
        -- Channels of C++ and of this state in one choice.
        local v = weft.choose(jobs:get_op(), here:get_op()):perform()
        if type(v) == "number" then numbers:put(v * v) else words:put("a word " .. v) end
      end
      words:close()
    )");
  }, &lua);

  // A plain thread is at the other end of the same channel.
  std::thread sender([tx = jobs] {
    for (int n = 1; n <= 3; ++n) static_cast<void>(weft::perform_blocking(tx.send_op(n)));
  });

  long long sum = 0;
  std::string heard;
  for (bool open = true; open;) {
    auto next = co_await weft::choose(words.recv_op(), numbers.recv_op());
    if (next.index() == 1)
      sum += std::get<1>(next)->as_integer();
    else if (auto& word = std::get<0>(next))
      heard = word->as_bytes();
    else
      open = false;
  }
  while (auto left = numbers.try_recv()) sum += left->as_integer();
  sender.join();
  co_await script;
  std::printf("%s, and the sum of the squares is %lld\n", heard.c_str(),
              sum);  // --> a word of this state, and the sum of the squares is 14
}

int main() {
  weft::runtime rt;
  weft::lua_state lua(rt);
  rt.block_on(run(lua));
}
