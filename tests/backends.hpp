// SPDX-License-Identifier: MIT
// The backends that this machine has.
#pragma once

#include <memory>
#include <vector>

#include "weft/core/reactor.hpp"

namespace weft_test {

inline std::vector<const char*> backend_names() {
  std::vector<const char*> names;
  for (const char* name : {"io_uring", "epoll", "kqueue", "select"}) {
    const char* error = nullptr;
    const std::unique_ptr<weft::core::reactor> r(weft::core::make_reactor(name, &error));
    if (r) names.push_back(name);
  }
  return names;
}

}  // namespace weft_test
