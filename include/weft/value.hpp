// SPDX-License-Identifier: MIT
// value: what may be passed between Lua states and C++, by copy: nil, a boolean, an integer, a
// floating-point number, bytes; or a shared object, by reference. The element of channels that Lua
// shares (shared_channel.hpp), and what Lua functions are called with and return (lua.hpp).
//
// 16 bytes. Bytes are immutable and counted, so a copy of any value is cheap and throws nothing.
// Copies may be used by different threads.
// Tests: tests/task/value_test.cpp.
#pragma once

#include <concepts>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/config.hpp"
#include "weft/core/seams.hpp"
#include "weft/shared_object.hpp"

namespace weft::inline v0 {

namespace detail {

/// Counted, immutable bytes: this header, and the bytes behind it.
class WEFT_API byte_block {
 public:
  byte_block(const byte_block&) = delete;
  byte_block& operator=(const byte_block&) = delete;

  /// With one reference, the caller's. Throws std::bad_alloc.
  static byte_block* make(std::string_view bytes);
  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), size_};
  }
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

 private:
  explicit byte_block(std::size_t size) noexcept : size_(size) {}
  ~byte_block() = default;

  core::atomic<std::uint32_t> references_{1};
  const std::size_t size_;
};

}  // namespace detail

class WEFT_API value {
 public:
  enum class kind : std::uint8_t { nil, boolean, integer, number, bytes, object };

  /// nil.
  value() noexcept {}
  value(std::nullptr_t) noexcept {}
  template <class T>
    requires std::same_as<T, bool>
  value(T b) noexcept : kind_(kind::boolean) {
    boolean_ = b;
  }
  template <class T>
    requires(std::integral<T> && !std::same_as<T, bool> &&
             (std::signed_integral<T> || sizeof(T) < 8))
  value(T n) noexcept : kind_(kind::integer) {
    integer_ = n;
  }
  value(double n) noexcept : kind_(kind::number) { number_ = n; }
  /// Copies the bytes, which may be any. Throws std::bad_alloc.
  value(std::string_view bytes);
  value(const std::string& bytes) : value(std::string_view(bytes)) {}
  value(const char* text) : value(std::string_view(text)) {}
  /// The object by reference; an empty ref is nil.
  value(ref<shared_object> object) noexcept;
  template <class T>
    requires std::is_base_of_v<shared_object, T>
  value(ref<T> object) noexcept : value(ref<shared_object>(std::move(object))) {}

  value(const value& other) noexcept : kind_(other.kind_) {
    take_bits(other);
    count();
  }
  value(value&& other) noexcept : kind_(std::exchange(other.kind_, kind::nil)) { take_bits(other); }
  value& operator=(value other) noexcept {
    swap(other);
    return *this;
  }
  ~value() {
    if (kind_ >= kind::bytes) drop();
  }
  void swap(value& other) noexcept;

  kind type() const noexcept { return kind_; }
  /// "nil", "boolean", "integer", "number", "bytes", or the object's type_name().
  const char* type_name() const noexcept;
  bool is_nil() const noexcept { return kind_ == kind::nil; }
  /// As Lua takes it: everything but nil and false.
  bool is_true() const noexcept { return !is_nil() && !(kind_ == kind::boolean && !boolean_); }

  // Each throws std::invalid_argument, which says what the value is, for a value of another kind.
  bool as_boolean() const;
  /// Also of a number that is an integer: LuaJIT and Lua 5.1 know no other.
  std::int64_t as_integer() const;
  /// Also of an integer.
  double as_number() const;
  /// Valid as long as a copy of the value lives.
  std::string_view as_bytes() const;
  shared_object& as_object() const;
  /// The object as a T, which it has to be.
  template <class T>
  ref<T> as() const {
    auto* object = dynamic_cast<T*>(&as_object());
    if (!object) refuse("another object");
    return ref<T>(*object);
  }

  /// Of one kind and content; an integer equals no number, an object only itself.
  friend bool operator==(const value& a, const value& b) noexcept { return a.equals(b); }

 private:
  void take_bits(const value& other) noexcept;
  bool equals(const value& other) const noexcept;
  void count() noexcept;
  void drop() noexcept;
  [[noreturn]] void refuse(const char* expected) const;

  kind kind_ = kind::nil;
  union {
    bool boolean_;               // NOLINT(readability-identifier-naming)
    std::int64_t integer_ = 0;   // NOLINT(readability-identifier-naming)
    double number_;              // NOLINT(readability-identifier-naming)
    detail::byte_block* bytes_;  // NOLINT(readability-identifier-naming)
    shared_object* object_;      // NOLINT(readability-identifier-naming)
  };
};

static_assert(sizeof(value) == 16);

}  // namespace weft::inline v0
