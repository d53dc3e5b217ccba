// SPDX-License-Identifier: MIT
// The engine of weft::lua_state for one Lua (src/embed/engine.hpp): a state that a C++ program has
// opened or adopted, attached to a worker of its runtime. Called between fibers, on that worker;
// what may raise runs under lua_pcall.
#include <dlfcn.h>

#include <cstring>

#include "embed/engine.hpp"
#include "lua/attach.hpp"
#include "lua/native.hpp"
#include "lua/value.hpp"

extern "C" int luaopen_weft_core(lua_State* L);

namespace weft::inline v0::lua {

namespace {

using detail::lua_outcome;
using detail::lua_request;

/// Where the Lua files are: beside the lib directory that this library is in.
std::string share_directory() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&luaopen_weft_core), &info) || !info.dli_fname)
    return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1) + "../share/lua/";
}

/// Tells when nothing is left in the root scope.
struct root_watch : core::task {
  explicit root_watch(lua::state& s) noexcept;
  void look() noexcept;

  lua::state& of;
  event over;
  core::wait_record record;
};

void run_watch(core::task& t, core::worker&) { static_cast<root_watch&>(t).look(); }
void wake_watch(core::task& t) noexcept { static_cast<root_watch&>(t).of.at().ready(t); }
const core::task_kind watch_kind = {"closing", run_watch, wake_watch};

root_watch::root_watch(lua::state& s) noexcept : core::task(watch_kind), of(s) {}

void root_watch::look() noexcept {
  core::scope& root = *of.root;
  if (root.ordinary == 0 && !root.empty()) core::cancel_daemons(root);
  if (root.empty()) {
    over.set();
    return;
  }
  begin_plain();
  record.owner = this;
  root.emptied.push_back(record);
}

class engine final : public detail::lua_engine {
 public:
  engine() noexcept = default;
  ~engine() override = default;

  void open(const lua_options& options, core::worker& w, core::task_scope& tasks) override;
  std::optional<std::string> set(const std::string& name, const value& v) noexcept override;
  void start(lua_request& r) noexcept override;
  void cancel(lua_request& r) noexcept override;
  void unwind(event over) noexcept override;
  void close() noexcept override;

 private:
  /// What a protected function works on: it has no upvalues, and no light userdata on LuaJIT.
  struct job {
    engine* self;
    const char* name = nullptr;
    const value* v = nullptr;
    lua_request* request = nullptr;
  };
  static thread_local const job* current;

  static int open_protected(lua_State* L);
  static int attach_protected(lua_State* L);
  static int set_protected(lua_State* L);
  static int start_protected(lua_State* L);
  static int detach_protected(lua_State* L);

  /// Nothing, or the message of what was raised.
  std::optional<std::string> protect(lua_CFunction f, const job& j);

  lua_options options_;
  core::worker* worker_ = nullptr;
  core::task_scope* tasks_ = nullptr;
  lua_State* L_ = nullptr;
  state* state_ = nullptr;  // once attached
  std::optional<root_watch> watch_;
};

thread_local const engine::job* engine::current = nullptr;

std::optional<std::string> engine::protect(lua_CFunction f, const job& j) {
  lua_State* L = state_ ? state_->L : L_;
  const job* const outer = std::exchange(current, &j);
  const int top = lua_gettop(L);
  std::optional<std::string> message;
  if (!lua_checkstack(L, LUA_MINSTACK)) {
    message = "not enough memory";
  } else {
    lua_pushcfunction(L, f);
    if (lua_pcall(L, 0, 0, 0) != 0) {
      const char* text = lua_tostring(L, -1);
      message = text ? text : "an error that is no string";
    }
  }
  lua_settop(L, top);
  current = outer;
  return message;
}

lua_State* make_state(const lua_options& o) {
  if (o.adopt) return o.adopt;
  if (o.make) return o.make(o.context);
  if (!o.allocate) return luaL_newstate();
#if LUA_VERSION_NUM >= 505
  return lua_newstate(o.allocate, o.context, luaL_makeseed(nullptr));
#else
  return lua_newstate(o.allocate, o.context);
#endif
}

void engine::open(const lua_options& options, core::worker& w, core::task_scope& tasks) {
  options_ = options;
  worker_ = &w;
  tasks_ = &tasks;
  L_ = make_state(options);
  if (!L_) throw script_error("weft: no Lua state: not enough memory");
  const std::string share = share_directory();
  const job j{.self = this, .name = share.c_str()};
  if (const auto why_not = protect(open_protected, j)) {
    close();
    throw script_error("weft: " + *why_not);
  }
}

/// require(name), on top.
void require(lua_State* L, const char* name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

int load_weft(lua_State* L) {
  const char* file = lua_tostring(L, lua_upvalueindex(1));
  if (luaL_loadfile(L, file) != 0) return lua_error(L);
  lua_call(L, 0, 1);
  return 1;
}

/// package.preload and package.path, so that require finds this copy of weft.
void prepare_package(lua_State* L, const char* share) {
  lua_getglobal(L, "package");
  if (!lua_istable(L, -1)) luaL_error(L, "the state has no package library");
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "%s;%s?.lua;%s?/init.lua", lua_tostring(L, -1), share, share);
  lua_setfield(L, -3, "path");
  lua_pop(L, 1);
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_weft_core);
  lua_setfield(L, -2, "weft.core");
  lua_pushfstring(L, "%sweft/init.lua", share);
  lua_pushcclosure(L, load_weft, 1);
  lua_setfield(L, -2, "weft");
  lua_pop(L, 2);
}

int engine::open_protected(lua_State* L) {
  const job& j = *current;
  engine& self = *j.self;
  if (!self.options_.adopt) luaL_openlibs(L);
  if (push_function(L, attach_protected)) {
    lua_pop(L, 1);  // this copy of weft is in the state already
  } else {
    prepare_package(L, j.name);
  }
  require(L, "weft");
  require(L, "weft.host");
  if (!push_function(L, attach_protected))
    luaL_error(L, "two copies of weft in one state");  // require has found another one
  lua_pushvalue(L, -2);
  lua_call(L, 1, 0);
  if (self.options_.prepare) self.options_.prepare(self.options_.context, L);
  return 0;
}

/// attach(weft.host)
int engine::attach_protected(lua_State* L) {
  engine& self = *current->self;
  state& s = state_of(L);
  if (s.worker) luaL_error(L, "the state is attached to a worker already");
  lua_pushvalue(L, 1);
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), anchor_host);
  lua_getfield(L, 1, "attached");
  lua_call(L, 0, 0);
  attach(L, s, self.worker_);
  s.tasks = self.tasks_;
  self.state_ = &s;
  return 0;
}

int engine::detach_protected(lua_State* L) {
  state& s = state_of(L);
  push_anchor(L, anchor_host);
  lua_getfield(L, -1, "detached");
  lua_call(L, 0, 0);
  s.tasks = nullptr;
  detach(L, s);
  return 0;
}

void engine::close() noexcept {
  if (!L_) return;
  if (state_) {
    state_ = nullptr;
    lua_State* L = L_;
    if (lua_checkstack(L, LUA_MINSTACK) && push_function(L, detach_protected) &&
        lua_pcall(L, 0, 0, 0) != 0)
      lua_pop(L, 1);
  }
  lua_State* const L = std::exchange(L_, nullptr);
  if (options_.adopt) return;
  options_.close ? options_.close(options_.context, L) : lua_close(L);
}

// ---- globals ----

std::optional<std::string> engine::set(const std::string& name, const value& v) noexcept {
  return protect(set_protected, {.self = this, .name = name.c_str(), .v = &v});
}

int set_field(lua_State* L) {
  const char* name = lua_tostring(L, 1);
  lua_getglobal(L, "_G");
  for (const char* dot = nullptr; (dot = std::strchr(name, '.')); name = dot + 1) {
    lua_pushlstring(L, name, static_cast<std::size_t>(dot - name));
    lua_gettable(L, -2);
    if (!lua_istable(L, -1)) luaL_error(L, "cannot set '%s': no table", lua_tostring(L, 1));
  }
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, name);
  return 0;
}

int engine::set_protected(lua_State* L) {
  lua_pushcfunction(L, set_field);
  lua_pushstring(L, current->name);
  push_function(L, [](lua_State* l) {
    push_value(l, *current->v);
    return 1;
  });
  lua_call(L, 0, 1);
  lua_call(L, 2, 0);
  return 0;
}

// ---- requests ----

void fail(lua_request& r, const std::string& message) noexcept {
  lua_outcome out;
  out.ended = lua_outcome::how::raised;
  out.message = message;
  r.finish(std::move(out));
}

void engine::start(lua_request& r) noexcept {
  if (const auto why_not = protect(start_protected, {.self = this, .request = &r}))
    fail(r, *why_not);
}

/// Pushes the request as a userdata of ours, which the fiber keeps.
void push_request(lua_State* L, lua_request& r) {
  held_object& held = new_held(L, anchor_object_mt);
  r.add_reference();
  held.object = &r;
}

int engine::start_protected(lua_State* L) {
  push_function(L, [](lua_State* l) {
    static constexpr const char* bodies[] = {"code", "file", "function"};
    state& s = state_of(l);
    lua_request& r = *current->request;
    const int n = static_cast<int>(r.arguments.size());
    luaL_checkstack(l, n + LUA_MINSTACK, "too many arguments");
    push_anchor(l, anchor_host);
    lua_getfield(l, -1, bodies[static_cast<unsigned>(r.what)]);
    push_request(l, r);
    lua_pushlstring(l, r.subject.data(), r.subject.size());
    int given = 2;
    if (r.what == lua_request::kind::code) {
      lua_pushlstring(l, r.chunk_name.data(), r.chunk_name.size());
      ++given;
    }
    for (const value& v : r.arguments) push_value(l, v);
    r.fiber = &spawn(l, s, *s.root, given + n, false);
    return 0;
  });
  lua_call(L, 0, 0);
  return 0;
}

void engine::cancel(lua_request& r) noexcept { core::cancel_task(*static_cast<fiber*>(r.fiber)); }

lua_request& request_at(lua_State* L) {
  auto* held = static_cast<held_object*>(userdata_of(L, state_of(L), 1, anchor_object_mt));
  return *static_cast<lua_request*>(held->object);
}

/// The values at first ... top, all of which are fit, as the outcome of the request.
void finish_with(lua_State* L, state& s, lua_request& r, lua_outcome::how how, int first,
                 const char* message, const char* traceback) noexcept {
  r.fiber = nullptr;
  lua_outcome out;
  try {
    out.ended = how;
    out.message = message;
    out.traceback = traceback;
    for (int i = first; i <= lua_gettop(L); ++i) out.results.push_back(value_at(L, s, i));
  } catch (const std::bad_alloc&) {
    out = lua_outcome();
    out.ended = lua_outcome::how::raised;
  }
  r.finish(std::move(out));
}

/// host_returned(request, ...)
int host_returned(lua_State* L) {
  state& s = state_of(L);
  lua_request& r = request_at(L);
  for (int i = 2; i <= lua_gettop(L); ++i) {
    const int top = lua_gettop(L);
    const char* what = unfit(L, s, i);
    if (!what) continue;
    lua_pushfstring(L, "result %d: a %s cannot leave its state", i - 1, what);
    const char* message = lua_tostring(L, -1);
    finish_with(L, s, r, lua_outcome::how::raised, lua_gettop(L) + 1, message, "");
    lua_settop(L, top);
    return 0;
  }
  finish_with(L, s, r, lua_outcome::how::returned, 2, "", "");
  return 0;
}

/// host_raised(request, cancelled, text, traceback, error)
int host_raised(lua_State* L) {
  state& s = state_of(L);
  lua_request& r = request_at(L);
  const auto how = lua_toboolean(L, 2) ? lua_outcome::how::cancelled : lua_outcome::how::raised;
  lua_settop(L, 5);
  if (unfit(L, s, 5)) lua_settop(L, 4);
  finish_with(L, s, r, how, 5, luaL_checkstring(L, 3), luaL_checkstring(L, 4));
  return 0;
}

const luaL_Reg functions[] = {
    {"host_returned", host_returned}, {"host_raised", host_raised}, {nullptr, nullptr}};

void engine::unwind(event over) noexcept {
  watch_.emplace(*state_);
  watch_->over = std::move(over);
  core::cancel_scope(*state_->root);
  watch_->look();
}

}  // namespace

void open_host(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua

extern "C" __attribute__((visibility("default"))) weft::detail::lua_engine*
weft_make_lua_engine_v0() {
  return new weft::lua::engine();
}
