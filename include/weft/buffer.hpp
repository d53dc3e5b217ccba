// SPDX-License-Identifier: MIT
// mutable_buffer, const_buffer: memory that a stream reads into, and writes from. Made, without a
// word, of whatever has its elements side by side, be they std::byte, char or unsigned char:
// std::string, std::string_view, std::vector<char>, std::array, std::span, char[n].
//
// The memory stays the caller's: it has to live, and to be left alone, until the operation or task
// is done. A temporary lives until the end of the expression, so
// `co_await s.write_all(text + "\n")` is right; what is kept, to be awaited later, needs memory
// that is kept as well.
#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>
#include <type_traits>

#include "weft/config.hpp"

namespace weft::inline v0 {

namespace detail {

template <class T>
concept byte_like =
    std::same_as<T, std::byte> || std::same_as<T, char> || std::same_as<T, unsigned char> ||
    std::same_as<T, signed char> || std::same_as<T, char8_t>;

template <class R>
using element_of = std::remove_reference_t<std::ranges::range_reference_t<R>>;

template <class R, class Buffer>
concept bytes_for =
    !std::same_as<std::remove_cvref_t<R>, Buffer> && std::ranges::contiguous_range<R> &&
    std::ranges::sized_range<R> && byte_like<std::remove_const_t<element_of<R>>>;

template <class R>
inline constexpr bool is_literal = false;
template <class T, std::size_t N>
inline constexpr bool is_literal<const T (&)[N]> =
    std::same_as<T, char> || std::same_as<T, char8_t>;

}  // namespace detail

/// Memory to read into.
class mutable_buffer : public std::span<std::byte> {
 public:
  mutable_buffer() noexcept {}  // of no bytes
  mutable_buffer(std::byte* data, std::size_t size) noexcept : span(data, size) {}
  /// Not of a temporary, with which what was read would go.
  template <class R>
    requires detail::bytes_for<R, mutable_buffer> && (!std::is_const_v<detail::element_of<R>>) &&
             (std::is_lvalue_reference_v<R> || std::ranges::borrowed_range<R>)
  mutable_buffer(R&& r)
      : span(reinterpret_cast<std::byte*>(std::ranges::data(r)), std::ranges::size(r)) {}
};

/// Memory to write from. An array of const char is refused: in a literal the 0 at its end is one of
/// its elements.
class const_buffer : public std::span<const std::byte> {
 public:
  const_buffer() noexcept {}
  const_buffer(const std::byte* data, std::size_t size) noexcept : span(data, size) {}
  template <class R>
    requires detail::bytes_for<R, const_buffer>
  const_buffer(R&& r)
      : span(reinterpret_cast<const std::byte*>(std::ranges::data(r)), std::ranges::size(r)) {
    static_assert(!detail::is_literal<R>,
                  "weft: a literal ends with a 0: std::string_view(\"text\") or \"text\"sv is the "
                  "text without it, std::span(array) all of an array");
  }
};

}  // namespace weft::inline v0
