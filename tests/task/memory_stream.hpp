// SPDX-License-Identifier: MIT
// memory_stream: a byte stream of the user's own, over plain spans.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "weft/weft.hpp"

/// Memory as a stream: what is written can be read.
class memory_stream {
 public:
  weft::always_operation<weft::result<std::size_t>> read_some(std::span<std::byte> to) {
    const std::size_t n = std::min(to.size(), held_.size() - at_);
    std::copy_n(held_.begin() + static_cast<std::ptrdiff_t>(at_), n, to.begin());
    at_ += n;
    return weft::always(weft::result<std::size_t>(n));
  }
  weft::always_operation<weft::result<std::size_t>> write_some(std::span<const std::byte> from) {
    const std::size_t n = std::min<std::size_t>(from.size(), 3);
    held_.insert(held_.end(), from.begin(), from.begin() + static_cast<std::ptrdiff_t>(n));
    return weft::always(weft::result<std::size_t>(n));
  }

 private:
  std::vector<std::byte> held_;
  std::size_t at_ = 0;
};
