// SPDX-License-Identifier: MIT
// Names: getaddrinfo on a helper thread, since it has no form that does not block.
//
// A lookup is a completion: the thread holds one reference and its waiter another, so a waiter that
// has lost interest drops its own and leaves the rest to the thread. At most `resolver_threads`
// lookups run at a time in the process; the others queue. A thread ends when it finds the queue
// empty.
#pragma once

#include <cstdint>

#include "io/address.hpp"
#include "weft/config.hpp"
#include "weft/core/completion.hpp"

struct addrinfo;

namespace weft::inline v0::io {

inline constexpr int resolver_threads = 16;
inline constexpr unsigned long host_limit = 256;  // bytes of a name, with the end

class WEFT_API lookup final : public core::completion {
 public:
  /// On home. Null: not enough memory. The name is at most host_limit - 1 bytes.
  static lookup* begin(core::worker& home, const char* host) noexcept;

  // Once arrived():

  /// 0, or an error of core/errors.hpp, negative.
  int error() const noexcept { return error_; }
  /// The address behind the one that `at` stands on; advances it. Begins with null. False: no more.
  bool next(const addrinfo*& at, address& to) const noexcept;

 private:
  friend class resolver;

  lookup(core::worker& home, const char* host) noexcept;
  ~lookup() override;
  void resolve() noexcept;

  lookup* behind_ = nullptr;  // in the queue
  addrinfo* list_ = nullptr;
  int error_ = 0;
  char host_[host_limit];
};

}  // namespace weft::inline v0::io
