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
#include <utility>

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

std::string process::start(const command& c) {
  close();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return std::string("no socket for node: ") + std::strerror(errno);
  socket_ = ends[0];
  std::string error = c.program.empty() ? start_embedded(ends[1], c.script) : spawn(ends[1], c);
  if (!error.empty()) close();
  return error;
}

std::string process::spawn(int socket, const command& c) {
  std::vector<char*> arguments;
  for (const std::string& word : c.program) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(const_cast<char*>(c.script.c_str()));
  arguments.push_back(nullptr);
  const spawn_setup setup(socket);
  const int failed = ::posix_spawnp(&child_, arguments[0], &setup.actions, &setup.attributes,
                                    arguments.data(), environ);
  ::close(socket);
  return failed == 0 ? "" : c.program[0] + ": " + std::strerror(failed);
}

std::string process::start_embedded(int socket, const std::string& script) {
  embedded_ = std::make_unique<tenant>(socket, script);
  const char* refusal = embedded_->room.refusal();
  if (!refusal && ::pthread_create(&embedded_->thread, nullptr, live, embedded_.get()) != 0)
    refusal = "no thread for node";
  if (!refusal) return "";
  embedded_.reset();
  ::close(socket);
  return refusal;
}

/// Node closes the descriptor that it gets, and so gets another one than ours.
void* process::live(void* embedded) {
  auto& t = *static_cast<tenant*>(embedded);
  t.ending = run_embedded(::fcntl(t.socket, F_DUPFD_CLOEXEC, 0), t.script);
  ::shutdown(t.socket, SHUT_RDWR);
  ::close(t.socket);
  return nullptr;
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
  if (embedded_) {
    ::pthread_join(embedded_->thread, nullptr);
    const auto gone = std::exchange(embedded_, nullptr);
    return gone->ending;
  }
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
