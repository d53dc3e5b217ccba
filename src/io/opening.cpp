// SPDX-License-Identifier: MIT
#include "io/opening.hpp"

#include <cstring>
#include <new>
#include <utility>

#include "core/errors.hpp"

namespace weft::inline v0::io {

using core::direction;

const core::task_kind opening::kind_table = {"opening", opening::run, opening::wake};

opening::opening(const char* host, std::uint16_t port, const opening_options& o) noexcept
    : core::task(kind_table), options_(o), port_(port), result_(-core::error_name_unknown) {
  std::strncpy(host_, host, sizeof host_ - 1);
  host_[sizeof host_ - 1] = 0;
  if (std::strlen(host) >= sizeof host_) finished_ = true;  // no name is that long
  numeric_ = parse_address(host, port, address_);
}

opening::~opening() {
  if (names_) names_->drop_reference();
  if (finished_ && result_ >= 0) ::close(result_);
}

opening* opening::make(const char* host, std::uint16_t port, const opening_options& o) noexcept {
  return new (std::nothrow) opening(host, port, o);
}

void opening::begin(core::worker& w) noexcept {
  at_ = &w;
  if (finished_) return;
  state = core::task_state::running;
  if (numeric_) return go_on();
  names_ = lookup::begin(w, host_);
  if (!names_) return finish(-ENOMEM);
  park();
  names_->await(record_);
}

void opening::await(core::wait_record& r) noexcept {
  waiters_.push_back(r);
  if (finished_) finish(result_);
}

int opening::take() noexcept {
  const int result = result_;
  result_ = -EBADF;
  return result;
}

void opening::abandon() noexcept {
  abandoned_ = true;
  if (record_.linked()) record_.unlink();
  drop_socket();
  if (state != core::task_state::runnable) delete this;  // else when it runs
}

// ---- its task ----

void opening::wake(core::task& t) noexcept { static_cast<opening&>(t).at_->ready(t); }

void opening::run(core::task& t, core::worker&) {
  auto& o = static_cast<opening&>(t);
  o.state = core::task_state::running;
  if (o.abandoned_) return o.abandon();
  if (o.connecting_) {
    begin_turn(o.socket_, direction::out);
    const int result = o.connected();
    if (result == -EINPROGRESS) {
      o.socket_.set_ready(direction::out, false);
      o.park();
      return io::await(o.socket_, direction::out, o.record_);
    }
    o.connecting_ = false;
    if (result == 0) return o.finish(release(o.socket_));
    o.result_ = result;
    o.drop_socket();
  } else if (o.names_ && !o.candidate_ && o.names_->error() != 0) {
    return o.finish(o.names_->error());
  }
  o.go_on();
}

void opening::park() noexcept {
  state = core::task_state::parked;
  begin_plain();
  record_.owner = this;
  record_.arm = 0;
}

bool opening::next_address(address& a) noexcept {
  if (!numeric_) {
    if (!names_->next(candidate_, a)) return false;
    a.set_port(port_);
    return true;
  }
  a = address_;
  return !std::exchange(numeric_used_, true);
}

/// Tries addresses until one has to be waited for, or all are through; the last error stands.
void opening::go_on() noexcept {
  address a;
  while (next_address(a)) {
    const int result = options_.listens ? listen(a, options_.listen) : connect_to(a);
    if (result >= 0) return finish(result);
    if (connecting_) {
      park();
      return io::await(socket_, direction::out, record_);
    }
    result_ = result;
  }
  finish(result_);
}

/// The descriptor; -EINPROGRESS, connecting_ set; or another error.
int opening::connect_to(const address& a) noexcept {
  const int fd = ::socket(a.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (options_.nodelay) set_nodelay(fd, true);
  int result = sys::connect(fd, &a.any, a.size);
  if (result == 0) return fd;
  if (result == -EINPROGRESS) {
    socket_.fd = fd;
    const int error = attach(socket_, *at_);
    if (error == 0) {
      socket_.set_ready(direction::out, false);
      connecting_ = true;
      return result;
    }
    socket_.fd = -1;
    result = error;
  }
  ::close(fd);
  return result;
}

/// 0, -EINPROGRESS, or why it has failed.
int opening::connected() noexcept {
  if (const int error = sys::socket_error(socket_.fd)) return error;
  address peer;
  const int error = peer_address(socket_.fd, peer);
  return error == -ENOTCONN ? -EINPROGRESS : error;
}

void opening::drop_socket() noexcept {
  if (record_.linked()) record_.unlink();
  close(socket_);
}

void opening::finish(int result) noexcept {
  result_ = result;
  finished_ = true;
  state = core::task_state::done;
  while (core::wait_record* r = waiters_.pop_front()) {
    core::task& waiter = *r->owner;
    if (waiter.complete_at_home(r->arm)) waiter.kind->wake(waiter);
  }
}

}  // namespace weft::inline v0::io
