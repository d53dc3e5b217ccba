// SPDX-License-Identifier: MIT
#include "weft/tcp.hpp"

#include <cstring>
#include <new>
#include <stdexcept>

#include "io/homed_socket.hpp"
#include "io/opening.hpp"
#include "io/resolve.hpp"

namespace weft::inline v0 {

namespace {

using address_of = int(int, io::address&) noexcept;

result<address> ask(const detail::homed_socket& s, address_of* of) noexcept {
  if (s.closed()) return make_error_code(errc::closed);
  io::address a;
  if (const int error = of(s.fd(), a)) return detail::to_error_code(error);
  return address(a);
}

io::address to_io(const void* bytes, std::size_t size) noexcept {
  io::address a;
  std::memcpy(&a.any, bytes, size);
  a.size = static_cast<socklen_t>(size);
  return a;
}

}  // namespace

// ---------------------------------------------------------------- address

address::address() noexcept {
  io::address any;
  io::parse_address("0.0.0.0", 0, any);
  *this = address(any);
}

address::address(const io::address& a) noexcept : size_(a.size) {
  static_assert(sizeof a.v6 <= sizeof bytes_);
  std::memcpy(bytes_.data(), &a.any, size_);
}

std::string address::host() const { return io::to_text(to_io(bytes_.data(), size_)).text; }
std::uint16_t address::port() const noexcept { return to_io(bytes_.data(), size_).port(); }
bool address::is_v6() const noexcept { return to_io(bytes_.data(), size_).family() == AF_INET6; }

std::string address::text() const {
  const std::string name = host();
  const bool brackets = name.find(':') != std::string::npos;
  return (brackets ? "[" + name + "]:" : name + ":") + std::to_string(port());
}

// ---------------------------------------------------------------- sockets

result<address> detail::tcp_socket::address() const noexcept {
  return ask(socket(), io::local_address);
}
result<address> tcp_stream::peer_address() const noexcept {
  return ask(socket(), io::peer_address);
}

result<void> tcp_stream::shutdown(half which) noexcept {
  if (socket().closed()) return make_error_code(errc::closed);
  const int how = which == half::in ? SHUT_RD : which == half::out ? SHUT_WR : SHUT_RDWR;
  if (::shutdown(socket().fd(), how) == 0) return {};
  return detail::to_error_code(-errno);
}

namespace detail {

bool opening_arm::attempt(performer& p) {
  if (!p.worker()) return false;
  if (!opening_) {
    io::opening_options o;
    o.listens = recipe_.listens;
    o.nodelay = recipe_.connect.nodelay;
    o.listen.backlog = recipe_.listen.backlog;
    o.listen.reuse_port = recipe_.listen.reuse_port;
    o.listen.v6only = recipe_.listen.v6only;
    opening_ = io::opening::make(recipe_.host.c_str(), recipe_.port, o);
    if (!opening_) throw std::bad_alloc();
    opening_->begin(*p.worker());
  }
  return opening_->finished();
}

core::pass opening_arm::publish(performer& p, std::uint32_t index) {
  if (!p.worker()) throw std::logic_error("weft: an operation on a descriptor outside a task");
  record_.owner = &p.task();
  record_.arm = index;
  opening_->await(record_);
  return core::pass::wait;
}

int opening_arm::take() noexcept {
  const int result = opening_->take();
  abandon();
  return result;
}

void opening_arm::abandon() noexcept {
  if (io::opening* o = std::exchange(opening_, nullptr)) o->abandon();
}

}  // namespace detail

// ---------------------------------------------------------------- names

namespace {

/// One lookup, waited for on the worker that it was begun on.
class lookup_operation : public operation<lookup_operation> {
 public:
  using result_type = result<std::vector<address>>;
  static constexpr bool shared = false;

  class arm {
   public:
    static constexpr bool home_only = false;
    static constexpr bool resident = true;
    explicit arm(const lookup_operation& op) noexcept : host_(op.host_) {}
    arm(const arm&) = delete;
    arm& operator=(const arm&) = delete;
    ~arm() {
      if (lookup_) lookup_->drop_reference();
    }

    template <class F>
    void each_home(F&) noexcept {}
    bool attempt(performer& p) {
      if (!lookup_) lookup_ = io::lookup::begin(*p.worker(), host_->c_str());
      if (!lookup_) throw std::bad_alloc();
      return lookup_->arrived();
    }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      record_.owner = &p.task();
      record_.arm = index;
      lookup_->await(record_);
      return core::pass::wait;
    }
    bool confirm(performer&) noexcept { return true; }
    void retract(performer&) noexcept {
      if (record_.linked()) record_.unlink();
    }
    void decide(std::uint32_t) noexcept {}
    result_type settle(performer&) {
      if (const int error = lookup_->error()) return detail::to_error_code(error);
      std::vector<address> found;
      const addrinfo* at = nullptr;
      for (io::address a; lookup_->next(at, a);) found.emplace_back(a);
      return found;
    }
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }

   private:
    const std::string* host_;
    io::lookup* lookup_ = nullptr;
    core::wait_record record_;
  };

  explicit lookup_operation(const std::string& host) noexcept : host_(&host) {}

 private:
  const std::string* host_;
};

}  // namespace

task<result<std::vector<address>>> resolve(std::string host) {
  io::address numeric;
  if (io::parse_address(host.c_str(), 0, numeric)) {
    std::vector<address> one(1, address(numeric));
    co_return std::move(one);
  }
  if (host.size() >= io::host_limit) co_return make_error_code(errc::name_unknown);
  co_return co_await lookup_operation(host);
}

}  // namespace weft::inline v0
