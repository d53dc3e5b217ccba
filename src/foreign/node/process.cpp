// SPDX-License-Identifier: MIT
#include "foreign/node/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace weft::node {

namespace {

constexpr int childs_socket = 3;

/// The child is to get none of the host's descriptors, signal mask and ignored signals; and a
/// Ctrl-C at the terminal is the host's affair.
class spawn_setup {
 public:
  explicit spawn_setup(int socket) noexcept {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, socket, childs_socket);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, childs_socket + 1);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  spawn_setup(const spawn_setup&) = delete;
  spawn_setup& operator=(const spawn_setup&) = delete;
  ~spawn_setup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

std::string process::start(const std::vector<std::string>& command) {
  close();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return std::string("no socket for node: ") + std::strerror(errno);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const spawn_setup setup(ends[1]);
  const int failed = ::posix_spawnp(&child_, arguments[0], &setup.actions, &setup.attributes,
                                    arguments.data(), environ);
  ::close(ends[1]);
  socket_ = ends[0];
  if (failed == 0) return "";
  child_ = -1;
  close();
  return command[0] + ": " + std::strerror(failed);
}

bool process::write(const char* data, std::size_t size) noexcept {
  while (size > 0) {
    const ssize_t sent = ::send(socket_, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    data += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

std::size_t process::read(char* data, std::size_t size) noexcept {
  for (;;) {
    const ssize_t got = ::recv(socket_, data, size, 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return 0;
  }
}

void process::hang_up() noexcept { ::shutdown(socket_, SHUT_RDWR); }

std::string process::ending() {
  int status = 0;
  pid_t ended = -1;
  do ended = ::waitpid(child_, &status, 0);
  while (ended < 0 && errno == EINTR);
  child_ = -1;
  if (ended < 0) return "node has ended";  // the host has waited for it itself
  if (WIFSIGNALED(status)) return std::string("node was killed: ") + ::strsignal(WTERMSIG(status));
  return "node has exited with status " + std::to_string(WEXITSTATUS(status));
}

void process::close() noexcept {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

}  // namespace weft::node
