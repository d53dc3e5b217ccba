// SPDX-License-Identifier: MIT
// interpreter: the one Python of the process. It is chosen, loaded and started for the first
// runtime, and stays for good.
#pragma once

#include <string>

namespace weft::python {

struct interpreter_options {
  std::string python;  ///< a libpython, an interpreter, a version ("3.11"), or "" for the default
  std::string venv;    ///< a virtual environment, or ""
};

/// Any thread; blocks until Python runs. "", or what went wrong. A second call with options that
/// the running Python does not meet fails.
std::string start_interpreter(const interpreter_options& options);

}  // namespace weft::python
