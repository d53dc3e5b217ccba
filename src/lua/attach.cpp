// SPDX-License-Identifier: MIT
#include "lua/attach.hpp"

#include <memory>
#include <new>

#include "foreign/site.hpp"
#include "lua/gate.hpp"
#include "lua/threads.hpp"

namespace weft::inline v0::lua {

namespace {

/// Null and a message if there is no such backend, or no memory.
std::unique_ptr<core::worker> make_worker(const char* backend, const char** error) noexcept {
  std::unique_ptr<core::reactor> r(core::make_reactor(backend, error));
  if (!r) return nullptr;
  try {
    return std::make_unique<core::worker>(std::move(r));
  } catch (const std::bad_alloc&) {
    *error = "not enough memory";
    return nullptr;
  }
}

}  // namespace

scope_object& push_frame(lua_State* L, state& s) {
  luaL_checkstack(L, state::frame_size, "no room for the frame");
  scope_object& root = new_scope(L, s);
  push_anchor(L, anchor_threads);
  push_anchor(L, anchor_report);
  push_compact(L);
  push_epilogue(L);
  push_deliver(L);
  return root;
}

attachment begin_attachment(state& s, lua_State* driver, core::worker& w, bool owns_worker,
                            scope_object& root) noexcept {
  forget_parent(s);
  const attachment outer = s;
  if (outer.foreign && !is_inherited(outer)) outer.foreign->flush();  // its own turn may be far off
  static_cast<attachment&>(s) = attachment{.L = driver,
                                           .worker = &w,
                                           .root = &root,
                                           .watch = {},
                                           .lasting = outer.lasting && outer.worker == &w,
                                           .owns_worker = owns_worker,
                                           .forks = core::forks_of_process()};
  root.at = &w;
  if (s.shared) s.shared->move_to(&w, owns_worker);
  return outer;
}

const char* begin_own_attachment(state& s, lua_State* driver, const worker_options& options,
                                 scope_object& root, attachment& outer) noexcept {
  const char* error = "no reactor";
  std::unique_ptr<core::worker> w = make_worker(options.backend, &error);
  if (!w) return error;
  if (options.seeded) w->use_seed(options.seed);
  if (options.virtual_time) w->use_virtual_time();
  outer = begin_attachment(s, driver, *w.release(), true, root);
  return nullptr;
}

void end_attachment(lua_State* L, state& s, const attachment& outer) noexcept {
  if (s.shared) s.shared->move_to(outer.worker, outer.owns_worker);
  s.root->closed = true;
  release_scope(L, *s.root);
  foreign::site::pointer(s.foreign).reset();
  if (s.owns_worker) const std::unique_ptr<core::worker> gone(s.worker);
  static_cast<attachment&>(s) = outer;
}

void forget_parent(state& s) noexcept {
  if (s.shared && s.shared->is_inherited()) s.shared = nullptr;
  if (!s.worker || s.current || !is_inherited(s)) return;
  if (s.foreign) s.foreign->forget_host();
  foreign::site::pointer(s.foreign).reset();
  close_loop(s);
  static_cast<attachment&>(s) = {};
}

void attach(lua_State* L, state& s, core::worker* w) {
  push_anchor(L, anchor_driver);
  lua_State* driver = lua_tothread(L, -1);
  lua_pop(L, 1);
  scope_object& root = push_frame(L, s);
  lua_settop(driver, 0);
  lua_xmove(L, driver, state::frame_size);
  attachment outer;
  if (w) {
    begin_attachment(s, driver, *w, false, root);
  } else if (const char* error = begin_own_attachment(s, driver, {}, root, outer)) {
    release_scope(L, root);
    raise(L, "%s", error);
  }
  s.lasting = true;
}

void detach(lua_State* L, state& s) {
  lua_State* driver = s.L;
  end_attachment(L, s, {});
  lua_settop(driver, 0);
}

}  // namespace weft::inline v0::lua
