// SPDX-License-Identifier: MIT
// Lua with weft inside asio's io_context.
#include <asio.hpp>
#include <chrono>

#include "lua_side.h"

namespace {

struct host {
  asio::io_context loop;
  asio::posix::stream_descriptor watched{loop};
  asio::steady_timer timer{loop};
  lua_side side;
  int own = 0;

  void watch() {
    watched.async_wait(asio::posix::stream_descriptor::wait_read, [this](asio::error_code error) {
      if (error) return;
      lua_side_step(&side);
      if (side.over)
        loop.stop();
      else
        watch();
    });
  }

  void tick() {
    timer.expires_after(std::chrono::milliseconds(1));
    timer.async_wait([this](asio::error_code error) {
      if (error) return;
      ++own;
      tick();
    });
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: asio SCRIPT\n"), 2;
  host h;
  lua_side_open(&h.side, argv[1]);
  h.watched.assign(h.side.fd);
  h.watch();
  h.tick();
  h.loop.run();
  h.watched.release();  // the descriptor is weft's
  lua_side_close(&h.side);
  /* --> asio: its own timer too */
  std::printf("asio: its own timer %s\n", h.own > 0 ? "too" : "never");
}
