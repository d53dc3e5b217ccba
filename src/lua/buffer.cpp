// SPDX-License-Identifier: MIT
#include "lua/buffer.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace weft::inline v0::lua {

struct byte_block {
  core::atomic<int> holders;
  std::size_t used;      // bytes that some holder has; a NUL is behind them
  std::size_t capacity;  // without the NUL
  bool lent = false;     // a library has been its other holder, and may write while it is

  char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
};

namespace {

constexpr std::size_t least_capacity = 64;
constexpr std::size_t least_payment = 256 << 10;

constinit thread_local std::size_t unpaid = 0;  // bytes of new blocks that pay() has not counted

/// The collector does not see blocks: it works for them as for as many bytes of its own, or buffers
/// that are garbage would pile up.
void pay(lua_State* L) {
  if (unpaid < least_payment) return;
  const auto kib = static_cast<int>(std::min(unpaid >> 10, std::size_t{1} << 20));
  unpaid = 0;
#if LUA_VERSION_NUM >= 502
  if (!lua_gc(L, LUA_GCISRUNNING, 0)) return;
#endif
  lua_gc(L, LUA_GCSTEP, kib);
}

byte_block* make_block(std::size_t capacity) noexcept {
  if (capacity > PTRDIFF_MAX - sizeof(byte_block)) return nullptr;
  void* const p = std::malloc(sizeof(byte_block) + capacity + 1);
  if (p) unpaid += capacity;
  return p ? ::new (p) byte_block{1, 0, capacity} : nullptr;
}

/// The bytes of a buffer that is alone end here.
void set_end(buffer& b) noexcept {
  b.block->used = b.first + b.size;
  b.block->data()[b.block->used] = 0;
}

/// Its bytes alone, in a block of this capacity.
bool move_to_own_block(buffer& b, std::size_t capacity) noexcept {
  byte_block* const own = make_block(capacity);
  if (!own) return false;
  if (b.block) {
    std::memcpy(own->data(), b.block->data() + b.first, b.size);
    release(b.block);
  }
  b.block = own;
  b.first = 0;
  set_end(b);
  return true;
}

bool is_alone(const buffer& b) noexcept {
  return b.block && b.block->holders.load(std::memory_order_acquire) == 1;
}

/// Before bytes that are there are changed.
bool make_own(buffer& b) noexcept { return is_alone(b) || move_to_own_block(b, b.size); }

}  // namespace

void release(void* holder) noexcept {
  auto* const block = static_cast<byte_block*>(holder);
  if (block && block->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(block);
}

char* reserve(buffer& b, std::size_t n) noexcept {
  const std::size_t end = b.first + b.size;
  if (is_alone(b) && n <= b.block->capacity - end) return b.block->data() + end;
  if (n > PTRDIFF_MAX - b.size) return nullptr;
  std::size_t capacity = b.size + n;
  if (b.block && capacity < 2 * b.size) capacity = 2 * b.size;
  if (capacity < least_capacity) capacity = least_capacity;
  return move_to_own_block(b, capacity) ? b.block->data() + b.size : nullptr;
}

void extend(buffer& b, std::size_t n) noexcept {
  b.size += n;
  set_end(b);
}

const char* bytes_of(const buffer& b) noexcept { return b.block ? b.block->data() + b.first : ""; }

void* lend(buffer& b) noexcept {
  if (!make_own(b)) return nullptr;  // whoever borrows them may write into them
  set_end(b);
  b.block->lent = true;
  b.block->holders.fetch_add(1, std::memory_order_relaxed);
  return b.block;
}

namespace {

buffer& new_buffer(lua_State* L) {
  pay(L);
  auto* b = ::new (new_userdata(L, sizeof(buffer), 0)) buffer();
  push_anchor(L, anchor_buffer_mt);
  lua_setmetatable(L, -2);
  return *b;
}

buffer& check_buffer(lua_State* L, const char* method) {
  buffer* b = buffer_at(L, state_of(L), 1);
  if (!b) bad_argument(L, method, 1, "buffer");
  return *b;
}

[[noreturn]] void no_memory(lua_State* L) { raise(L, "not enough memory"); }

void append(lua_State* L, buffer& b, const char* bytes, std::size_t n) {
  if (n == 0) return;
  char* const room = reserve(b, n);
  if (!room) no_memory(L);
  std::memcpy(room, bytes, n);
  extend(b, n);
}

/// A buffer appended to itself: its bytes may move while room is made.
void append_itself(lua_State* L, buffer& b) {
  const std::size_t n = b.size;
  if (n == 0) return;
  char* const room = reserve(b, n);
  if (!room) no_memory(L);
  std::memcpy(room, bytes_of(b), n);
  extend(b, n);
}

void append_value(lua_State* L, state& s, buffer& b, int arg) {
  if (const buffer* other = buffer_at(L, s, arg))
    return other == &b ? append_itself(L, b) : append(L, b, bytes_of(*other), other->size);
  std::size_t n = 0;
  const char* bytes = lua_tolstring(L, arg, &n);
  append(L, b, bytes, n);
}

/// All arguments, or none.
int buffer_append(lua_State* L) {
  buffer& b = check_buffer(L, "append");
  state& s = state_of(L);
  const int n = lua_gettop(L);
  for (int i = 2; i <= n; ++i)
    if (!lua_isstring(L, i) && !buffer_at(L, s, i))
      bad_argument(L, "append", i, "string or buffer", i - 1);
  for (int i = 2; i <= n; ++i) append_value(L, s, b, i);
  lua_settop(L, 1);
  return 1;
}

/// An integer at arg; `otherwise` if there is none.
lua_Number check_place(lua_State* L, const char* method, int arg, lua_Number otherwise) {
  if (lua_isnoneornil(L, arg)) return otherwise;
  if (lua_type(L, arg) != LUA_TNUMBER) bad_argument(L, method, arg, "number", arg - 1);
  const lua_Number n = lua_tonumber(L, arg);
  const bool in_range = n >= -9.2e18 && n <= 9.2e18;
  if (!in_range || n != static_cast<lua_Number>(static_cast<std::int64_t>(n)))
    raise(L, "bad argument #%d to '%s' (number has no integer representation)", arg - 1, method);
  return n;
}

struct range {
  std::size_t first;  // from 0
  std::size_t size;
};

/// As string.sub takes its arguments.
range check_range(lua_State* L, const buffer& b, const char* method) {
  const auto size = static_cast<lua_Number>(b.size);
  lua_Number first = check_place(L, method, 2, 1);
  lua_Number last = check_place(L, method, 3, -1);
  if (first < 0) first = first + size + 1 < 1 ? 1 : first + size + 1;
  if (first == 0) first = 1;
  if (last < 0) last += size + 1;
  if (last > size) last = size;
  if (first > last) return {0, 0};
  return {static_cast<std::size_t>(first) - 1, static_cast<std::size_t>(last - first + 1)};
}

/// Whether a library has the bytes at this moment.
bool is_lent(const buffer& b) noexcept {
  if (is_alone(b)) b.block->lent = false;
  return b.block->lent;
}

/// A slice on top.
void push_slice(lua_State* L, const buffer& b, range r) {
  buffer& made = new_buffer(L);
  if (r.size == 0) return;
  if (is_lent(b)) return append(L, made, bytes_of(b) + r.first, r.size);
  b.block->holders.fetch_add(1, std::memory_order_relaxed);
  made = {b.block, b.first + r.first, r.size};
}

int buffer_slice(lua_State* L) {
  const buffer& b = check_buffer(L, "slice");
  push_slice(L, b, check_range(L, b, "slice"));
  return 1;
}

int buffer_sub(lua_State* L) {
  const buffer& b = check_buffer(L, "sub");
  const range r = check_range(L, b, "sub");
  lua_pushlstring(L, bytes_of(b) + r.first, r.size);
  return 1;
}

int buffer_clear(lua_State* L) {
  buffer& b = check_buffer(L, "clear");
  if (is_alone(b)) {
    b.first = b.size = 0;
    set_end(b);
  } else {
    release(b.block);
    b = {};
  }
  lua_settop(L, 1);
  return 1;
}

// ---- integers ----

/// "<i4": order (< little, > big, = this machine's), i or I (unsigned), bytes from 1 to 8.
struct integer_format {
  unsigned size = 4;
  bool is_signed = true;
  bool big = std::endian::native == std::endian::big;
};

integer_format check_format(lua_State* L, const char* method) {
  const char* text = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : nullptr;
  if (!text) bad_argument(L, method, 2, "string", 1);
  integer_format f;
  const char* at = text;
  if (*at == '<' || *at == '>' || *at == '=') {
    if (*at != '=') f.big = *at == '>';
    ++at;
  }
  const bool known = *at == 'i' || *at == 'I';
  f.is_signed = *at == 'i';
  if (known && at[1] >= '1' && at[1] <= '8') f.size = static_cast<unsigned>(*++at - '0');
  if (!known || at[1] != 0)
    raise(L, "bad argument #1 to '%s' (a format like \"<i4\" expected, got \"%s\")", method, text);
  return f;
}

/// The offset at argument 3, from 0; `limit` bytes may be there at most.
std::size_t check_offset(lua_State* L, const char* method, const buffer& b, std::size_t size,
                         std::size_t limit) {
  if (lua_isnoneornil(L, 3)) bad_argument(L, method, 3, "number", 2);
  lua_Number offset = check_place(L, method, 3, 0);
  if (offset < 0) offset += static_cast<lua_Number>(b.size) + 1;
  if (offset < 1 || offset - 1 + static_cast<lua_Number>(size) > static_cast<lua_Number>(limit))
    raise(L, "bad argument #2 to '%s' (outside the buffer's %d bytes)", method,
          static_cast<int>(b.size));
  return static_cast<std::size_t>(offset) - 1;
}

std::uint64_t load_integer(const char* bytes, integer_format f) noexcept {
  std::uint64_t v = 0;
  for (unsigned i = 0; i < f.size; ++i)
    v = v << 8 | static_cast<unsigned char>(bytes[f.big ? i : f.size - 1 - i]);
  const unsigned unused = 64 - 8 * f.size;
  return f.is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(v << unused) >> unused)
                     : v;
}

void store_integer(char* bytes, integer_format f, std::uint64_t v) noexcept {
  for (unsigned i = 0; i < f.size; ++i)
    bytes[f.big ? f.size - 1 - i : i] = static_cast<char>(v >> (8 * i));
}

int buffer_get(lua_State* L) {
  const buffer& b = check_buffer(L, "get");
  const integer_format f = check_format(L, "get");
  const std::size_t at = check_offset(L, "get", b, f.size, b.size);
  const std::uint64_t v = load_integer(bytes_of(b) + at, f);
  if constexpr (sizeof(lua_Integer) == 8 && LUA_VERSION_NUM >= 503) {
    lua_pushinteger(L,
                    static_cast<lua_Integer>(v));  // eight unsigned bytes wrap, as in string.unpack
    return 1;
  }
  const lua_Number n = f.is_signed ? static_cast<lua_Number>(static_cast<std::int64_t>(v))
                                   : static_cast<lua_Number>(v);
  if (n > 9007199254740992.0 || n < -9007199254740992.0)
    raise(L, "'get': the integer does not fit a number of this Lua");
  lua_pushnumber(L, n);
  return 1;
}

/// The integer at argument 4, as the bits of a format.
std::uint64_t check_value(lua_State* L, integer_format f) {
  if (lua_type(L, 4) != LUA_TNUMBER) bad_argument(L, "put", 4, "number", 3);
#if LUA_VERSION_NUM >= 503
  int is_integer = 0;
  const auto v = static_cast<std::int64_t>(lua_tointegerx(L, 4, &is_integer));
#else
  const lua_Number n = lua_tonumber(L, 4);
  const bool is_integer = n >= -9007199254740992.0 && n <= 9007199254740992.0 &&
                          n == static_cast<lua_Number>(static_cast<std::int64_t>(n));
  const std::int64_t v = is_integer ? static_cast<std::int64_t>(n) : 0;
#endif
  if (!is_integer) raise(L, "bad argument #3 to 'put' (number has no integer representation)");
  const unsigned bits = 8 * f.size;
  const bool fits = bits == 64 || (f.is_signed ? v >= -(std::int64_t{1} << (bits - 1)) &&
                                                     v < std::int64_t{1} << (bits - 1)
                                               : v >= 0 && v < std::int64_t{1} << bits);
  if (!fits) raise(L, "bad argument #3 to 'put' (it does not fit %d bytes)", f.size);
  return static_cast<std::uint64_t>(v);
}

/// Over bytes that are there, or right behind them.
int buffer_put(lua_State* L) {
  buffer& b = check_buffer(L, "put");
  const integer_format f = check_format(L, "put");
  const std::size_t at = check_offset(L, "put", b, f.size, b.size + f.size);
  const std::uint64_t v = check_value(L, f);
  const std::size_t end = at + f.size;
  if (end > b.size) {
    if (!reserve(b, end - b.size)) no_memory(L);
    extend(b, end - b.size);
  } else if (!make_own(b)) {
    no_memory(L);
  }
  store_integer(b.block->data() + b.first + at, f, v);
  lua_settop(L, 1);
  return 1;
}

// ---- the object ----

int buffer_tostring(lua_State* L) {
  const buffer& b = check_buffer(L, "tostring");
  lua_pushlstring(L, bytes_of(b), b.size);
  return 1;
}
int buffer_length(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(check_buffer(L, "#").size));
  return 1;
}
int buffer_gc(lua_State* L) {
  auto& b = *static_cast<buffer*>(lua_touserdata(L, 1));
  release(std::exchange(b.block, nullptr));
  b = {};
  return 0;
}

/// buffer([n or bytes]) -> an empty one with room for n bytes, or one with these.
int make_buffer(lua_State* L) {
  lua_settop(L, 1);
  const int type = lua_type(L, 1);
  if (type == LUA_TSTRING) {
    std::size_t n = 0;
    const char* bytes = lua_tolstring(L, 1, &n);
    append(L, new_buffer(L), bytes, n);
    return 1;
  }
  if (type != LUA_TNUMBER && type != LUA_TNIL) bad_argument(L, "buffer", 1, "number or string");
  const lua_Number n = lua_tonumber(L, 1);
  if (!(n >= 0 && n < 1e18)) raise(L, "bad argument #1 to 'buffer' (a number of bytes expected)");
  buffer& b = new_buffer(L);
  if (n > 0 && !reserve(b, static_cast<std::size_t>(n))) no_memory(L);
  return 1;
}

const luaL_Reg methods[] = {
    {"append", buffer_append}, {"slice", buffer_slice}, {"sub", buffer_sub}, {"get", buffer_get},
    {"put", buffer_put},       {"clear", buffer_clear}, {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__tostring", buffer_tostring},
                                {"__len", buffer_length},
                                {"__gc", buffer_gc},
                                {nullptr, nullptr}};
const luaL_Reg functions[] = {{"buffer", make_buffer}, {nullptr, nullptr}};

}  // namespace

void fix_bytes(lua_State* L, state& s, int index) {
  const buffer* b = buffer_at(L, s, index);
  if (!b) return;
  push_slice(L, *b, {0, b->size});
  lua_replace(L, index);
}

void open_buffers(lua_State* L) {
  add_type(L, anchor_buffer_mt, "weft.buffer", methods, metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
