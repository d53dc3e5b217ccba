// SPDX-License-Identifier: MIT
// embedded: Node in this process, where libnode was there when weft was built. An environment talks
// to its runtime over a socket pair, as a child does.
#pragma once

#include <string>

namespace weft::node {

/// Whether run_embedded is there.
bool has_embedded() noexcept;

/// Held for a thread that calls run_embedded, from before it starts until it has been joined.
/// exit() ends all of them before libnode's destructors run, or leaves those out.
class residence {
 public:
  residence();
  residence(const residence&) = delete;
  residence& operator=(const residence&) = delete;
  ~residence();
  /// Why there is none, a static text; null: the thread may run.
  const char* refusal() const noexcept { return refusal_; }

 private:
  const char* refusal_;
};

/// Runs `script` in an environment of its own, which has `socket`, until that ends; on a thread for
/// it alone, under a residence. How it ended.
std::string run_embedded(int socket, const std::string& script);

}  // namespace weft::node
