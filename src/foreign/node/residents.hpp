// SPDX-License-Identifier: MIT
// residents: the environments of this process, and its exit.
//
// exit() runs the destructors of libnode and libuv on the thread that called it; the threads of
// Node would go on in what is destroyed. So a handler that runs before them stops the environments,
// waits for their threads, and takes Node's platform down, which joins the rest. Where that does
// not come to an end in a short time (a thread is in a system call, or is the one that exits), or
// in the child of a fork, which has the state of the threads but not the threads, the handler
// flushes what stdio holds and ends the process there: no other handler runs.
#pragma once

#if WEFT_LIBNODE

#include <node.h>

namespace weft::node {

/// Registers the handler. It runs before what was registered earlier, and does its work once; so
/// this is called again after Node has registered destructors of its own.
void watch_exit();
/// Node has started: exit() takes it down.
void node_has_started() noexcept;

/// An environment that exit() may stop, from its beginning until before its end.
class resident {
 public:
  explicit resident(::node::Environment* environment);
  resident(const resident&) = delete;
  resident& operator=(const resident&) = delete;
  ~resident();

 private:
  ::node::Environment* const environment_;
};

}  // namespace weft::node

#endif
