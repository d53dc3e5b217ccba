// SPDX-License-Identifier: MIT
// byte_stream: what reads and writes bytes, be it a socket or memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "weft/buffer.hpp"
#include "weft/operation.hpp"
#include "weft/result.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

namespace detail {
template <class Op>
concept counts_bytes =
    is_operation<Op> && std::same_as<typename Op::result_type, result<std::size_t>>;
}

/// read_some(to): an operation that gives the number of bytes read, 0 at the end; write_some(from):
/// one that gives how many were taken, at least 1 unless there are none.
template <class S>
concept byte_stream = requires(S& s, std::span<std::byte> to, std::span<const std::byte> from) {
  { s.read_some(to) } -> detail::counts_bytes;
  { s.write_some(from) } -> detail::counts_bytes;
};

/// `co_await write_all(s, bytes)`: writes until all are taken. After an error, or a cancellation,
/// some of them may have been. The bytes and the stream outlive it: see buffer.hpp.
template <byte_stream S>
task<result<void>> write_all(S& s, const_buffer bytes) {
  while (!bytes.empty()) {
    const result<std::size_t> n = co_await s.write_some(bytes);
    if (!n) co_return n.error();
    bytes = bytes.subspan(*n);
  }
  co_return result<void>();
}

/// `co_await read_all(s, to)`: reads until `to` is full or the stream ends: how many bytes. `to`
/// and the stream outlive it.
template <byte_stream S>
task<result<std::size_t>> read_all(S& s, mutable_buffer to) {
  std::size_t got = 0;
  while (got < to.size()) {
    const result<std::size_t> n = co_await s.read_some(to.subspan(got));
    if (!n) co_return n.error();
    if (*n == 0) break;
    got += *n;
  }
  co_return got;
}

}  // namespace weft::inline v0
