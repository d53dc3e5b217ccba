// SPDX-License-Identifier: MIT
// embedded: Node in this process, where libnode was there when weft was built. An environment talks
// to its runtime over a socket pair, as a child does.
#pragma once

#include <string>

namespace weft::node {

/// Whether run_embedded is there.
bool has_embedded() noexcept;

/// Runs `script` in an environment of its own, which has `socket`, until that ends; on a thread for
/// it alone. How it ended.
std::string run_embedded(int socket, const std::string& script);

}  // namespace weft::node
