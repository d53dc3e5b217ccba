// SPDX-License-Identifier: MIT
// Load generator for TCP echo servers: one thread, edge-triggered epoll, one message in flight on
// each connection.
//   load [-c connections] [-s bytes] [-t seconds] [-w warm-up seconds] port server_pid
//   load -i ... port server_pid      connect, echo once on each, then see what an idle connection
//   costs
// Prints lines "RESULT name value unit". Latency runs from the send of a message to the receive
// that completes it.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "load: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void result(const char* name, double value, const char* unit) {
  std::printf("RESULT %s %.6g %s\n", name, value, unit);
}

uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// CPU time of all threads of a process; schedstat counts nanoseconds, so short windows are exact.
uint64_t cpu_ns(int pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task/";
  DIR* dir = opendir(tasks.c_str());
  if (!dir) fail("the server is gone");
  uint64_t sum = 0;
  while (dirent* entry = readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    unsigned long long ns;
    FILE* f = std::fopen((tasks + entry->d_name + "/schedstat").c_str(), "r");
    if (!f) continue;
    if (std::fscanf(f, "%llu", &ns) == 1) sum += ns;
    std::fclose(f);
  }
  closedir(dir);
  return sum;
}

long resident_bytes(int pid) {
  FILE* f = std::fopen(("/proc/" + std::to_string(pid) + "/statm").c_str(), "r");
  long size, pages;
  if (!f || std::fscanf(f, "%ld %ld", &size, &pages) != 2) fail("the server is gone");
  std::fclose(f);
  return pages * sysconf(_SC_PAGESIZE);
}

// Counts of values in buckets 1/32 of an octave wide.
class histogram {
 public:
  void add(uint64_t v) {
    ++buckets_[index(v)];
    ++count_;
  }
  uint64_t quantile(double q) const {
    uint64_t target = static_cast<uint64_t>(q * count_), seen = 0;
    size_t i = 0;
    while (i + 1 < buckets_.size() && (seen += buckets_[i]) <= target) ++i;
    return i < 64 ? i : (32 + i % 32) << (i / 32 - 1);
  }
  uint64_t count() const { return count_; }

 private:
  static size_t index(uint64_t v) {
    if (v < 64) return v;
    int shift = std::bit_width(v) - 6;
    return (shift + 1) * 32 + ((v >> shift) & 31);
  }
  std::vector<uint64_t> buckets_ = std::vector<uint64_t>(60 * 32);
  uint64_t count_ = 0;
};

struct connection {
  int fd;
  size_t to_send = 0, to_receive = 0;
  uint64_t sent_at = 0;
};

struct options {
  int connections = 100, port = 0, server = 0;
  size_t bytes = 64;
  double seconds = 1, warm_up = 0.3;
  bool idle = false;
};

class load {
 public:
  explicit load(const options& o) : o_(o), message_(o.bytes, 'x'), epoll_(epoll_create1(0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(o.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connections_.reserve(o.connections);
    for (int i = 0; i < o.connections; ++i) {
      int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to)) fail("connect");
      fcntl(fd, F_SETFL, O_NONBLOCK);
      connections_.push_back({fd});
      epoll_event event{EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &connections_.back()}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
      if (i % 64 == 63) usleep(500);  // let the server accept: its backlog is not measured
    }
  }

  void echo() {
    for (connection& c : connections_) post(c);
    serve(now_ns() + static_cast<uint64_t>(o_.warm_up * 1e9));
    latency_ = {};
    uint64_t cpu = cpu_ns(o_.server), start = now_ns();
    serve(start + static_cast<uint64_t>(o_.seconds * 1e9));
    double elapsed = now_ns() - start, messages = latency_.count();
    result("cpu", (cpu_ns(o_.server) - cpu) / messages * 1e-3, "us");
    result("p50", latency_.quantile(0.5) * 1e-3, "us");
    result("p99", latency_.quantile(0.99) * 1e-3, "us");
    result("rate", messages / elapsed * 1e6, "k/s");
  }

  void idle(long resident_before) {
    again_ = false;
    for (connection& c : connections_) post(c);
    while (latency_.count() < connections_.size()) turn();
    usleep(500000);
    result("idle", double(resident_bytes(o_.server) - resident_before) / connections_.size(), "B");
  }

 private:
  void serve(uint64_t until) {
    while (now_ns() < until) turn();
  }

  void turn() {
    epoll_event events[512];
    int n = epoll_wait(epoll_, events, 512, 5000);
    if (n == 0) errno = ETIMEDOUT, fail("no echo");
    for (int i = 0; i < n; ++i) {
      auto& c = *static_cast<connection*>(events[i].data.ptr);
      if (c.to_send) flush(c);
      if (events[i].events & ~EPOLLOUT) receive(c);
    }
  }

  void post(connection& c) {
    c.to_send = c.to_receive = o_.bytes;
    c.sent_at = now_ns();
    flush(c);
  }

  void flush(connection& c) {
    while (c.to_send) {
      ssize_t sent = send(c.fd, message_.data(), c.to_send, MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) fail("send");
      c.to_send -= sent;
    }
  }

  void receive(connection& c) {
    static char buffer[65536];
    for (;;) {
      ssize_t got = recv(c.fd, buffer, sizeof buffer, 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) fail("recv");
      if (static_cast<size_t>(got) > c.to_receive) fail("more came back than was sent");
      c.to_receive -= got;
      if (c.to_receive == 0) {
        latency_.add(now_ns() - c.sent_at);
        if (again_) post(c);
      }
      if (static_cast<size_t>(got) < sizeof buffer) return;  // drained; another edge follows
    }
  }

  options o_;
  std::string message_;
  int epoll_;
  bool again_ = true;
  std::vector<connection> connections_;
  histogram latency_;
};

}  // namespace

int main(int argc, char** argv) {
  options o;
  for (int c; (c = getopt(argc, argv, "c:s:t:w:i")) != -1;) {
    if (c == 'c')
      o.connections = std::atoi(optarg);
    else if (c == 's')
      o.bytes = std::strtoul(optarg, nullptr, 10);
    else if (c == 't')
      o.seconds = std::atof(optarg);
    else if (c == 'w')
      o.warm_up = std::atof(optarg);
    else if (c == 'i')
      o.idle = true;
    else
      return 2;
  }
  if (argc - optind != 2) return std::fprintf(stderr, "load: port and server_pid are missing\n"), 2;
  o.port = std::atoi(argv[optind]);
  o.server = std::atoi(argv[optind + 1]);

  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  long resident = resident_bytes(o.server);
  load l(o);
  if (o.idle)
    l.idle(resident);
  else
    l.echo();
}
