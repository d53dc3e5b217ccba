// SPDX-License-Identifier: MIT
// module: _weft, the module of C functions that the Python side of the loader is built on.
#pragma once

#include "foreign/python/api.hpp"
#include "weft/foreign.h"

namespace weft::python {

/// The host's functions, the same for every runtime.
inline constinit const weft_foreign* host = nullptr;

/// Holding the interpreter's lock: puts _weft into sys.modules. False with an exception pending.
bool add_module() noexcept;

}  // namespace weft::python
