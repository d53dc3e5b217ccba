// SPDX-License-Identifier: MIT
// published: what a broadcast and a watch have in common. Copies of the publishing side are
// counted: when the last has gone, what they publish is closed.
#pragma once

#include <memory>
#include <utility>

#include "weft/core/waiters.hpp"

namespace weft::inline v0::detail {

/// What publishers and readers share; the lock guards all of it.
class published {
 public:
  core::waiters& waiting() noexcept { return waiting_; }
  bool closed() const noexcept { return closed_; }
  /// False: it was closed before.
  bool close() noexcept {
    core::waiters::holding held(waiting_);
    held.complete_all();
    return !std::exchange(closed_, true);
  }

 private:
  core::waiters waiting_;
  bool closed_ = false;
};

/// Closes it when the last publisher has gone.
template <class State>
class publishing {
 public:
  template <class... Args>
  explicit publishing(Args&&... args)
      : state(std::make_shared<State>(std::forward<Args>(args)...)) {}
  publishing(const publishing&) = delete;
  publishing& operator=(const publishing&) = delete;
  ~publishing() { state->close(); }

  const std::shared_ptr<State> state;
};

}  // namespace weft::inline v0::detail
