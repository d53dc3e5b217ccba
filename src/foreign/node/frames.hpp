// SPDX-License-Identifier: MIT
// frames: what goes over the socket between the loader and its node child, both ways. All integers
// are little-endian, as node's Buffer reads them here:
//
//   u32 length of what follows, u8 kind, u64 task, body
//
//   to node      start   body: the settings (settings.hpp)
//                call    i64 nanoseconds left (-1: for ever), u8 request there, u32 length of the
//                        method's name, name, request
//                cancel  nobody waits for this task any more
//                more    the reader of this task's parts has caught up
//                end     answer what is there, then exit
//   from node    started body: "" or the error
//                answer  i32 status, u8 there, bytes
//                part    bytes
//                hold    the sender of parts waits for `more`
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "weft/foreign.h"

namespace weft::node {

enum class kind : std::uint8_t { start, call, cancel, more, end, started, answer, part, hold };

/// Frames that are to be sent together.
class frame_writer {
 public:
  void begin(kind k, weft_task* task) {
    start_ = bytes_.size();
    put(std::uint32_t{0});
    put(k);
    put(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(task)));
  }
  template <typename T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view text) { bytes_.append(text); }
  void finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - start_ - sizeof(std::uint32_t));
    std::memcpy(&bytes_[start_], &length, sizeof length);
  }
  const std::string& bytes() const noexcept { return bytes_; }
  void clear() noexcept { bytes_.clear(); }

 private:
  std::string bytes_;
  std::size_t start_ = 0;
};

/// One frame that has come; the body may be taken apart.
struct frame {
  kind what;
  weft_task* task;
  std::string_view body;

  template <typename T>
  T take() noexcept {
    T value{};
    if (body.size() < sizeof value) return value;
    std::memcpy(&value, body.data(), sizeof value);
    body.remove_prefix(sizeof value);
    return value;
  }
};

/// Takes the first frame off bytes. False: it is not complete.
inline bool take_frame(std::string_view& bytes, frame& f) noexcept {
  std::uint32_t length = 0;
  if (bytes.size() < sizeof length) return false;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (bytes.size() - sizeof length < length) return false;
  f.body = bytes.substr(sizeof length, length);
  bytes.remove_prefix(sizeof length + length);
  f.what = f.take<kind>();
  f.task = reinterpret_cast<weft_task*>(static_cast<std::uintptr_t>(f.take<std::uint64_t>()));
  return true;
}

}  // namespace weft::node
