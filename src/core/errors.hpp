// SPDX-License-Identifier: MIT
// The one table of error codes: what a program compares and what it shows. Codes never change;
// docs/errors.md lists them.
#pragma once

#include "weft/config.hpp"

namespace weft::inline v0::core {

/// An error travels as a negative int: -errno, or one of these for what has no errno.
enum : int {
  error_name_unknown = 20001,  // the resolver knows no address
  error_name_again,            // the resolver could not be asked; later it may
  error_name_failed,           // the resolver's other failures
};

struct error_text {
  const char* code;     // "ECONNREFUSED"
  const char* message;  // "connection refused"
};

/// Of an error with either sign. Both texts are static.
WEFT_API error_text describe(int error) noexcept;

}  // namespace weft::inline v0::core
