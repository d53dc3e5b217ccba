// SPDX-License-Identifier: MIT
// without_io_uring PROGRAM [ARGUMENT...]: runs it where the kernel refuses io_uring, as it does in
// many containers. 77 where that cannot be had.
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "reactor/refused.hpp"

int main(int n, char** arguments) {
  if (n < 2) return 2;
  if (!weft_test::refuse_call(SYS_io_uring_setup, EPERM)) return 77;
  ::execvp(arguments[1], arguments + 1);
  std::perror(arguments[1]);
  return 127;
}
