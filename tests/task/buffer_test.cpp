// SPDX-License-Identifier: MIT
// What a stream reads into and writes from: bytes, in whatever container of the caller's.
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "memory_stream.hpp"
#include "net_support.hpp"

namespace {

using namespace std::literals;
using weft::const_buffer;
using weft::mutable_buffer;
using weft::result;
using weft::task;

template <class T>
constexpr bool can_be_read_into = std::is_convertible_v<T, mutable_buffer>;
template <class T>
constexpr bool can_be_written = std::is_convertible_v<T, const_buffer>;

static_assert(can_be_read_into<std::span<std::byte>> && can_be_read_into<std::span<char>> &&
              can_be_read_into<std::string&> && can_be_read_into<std::vector<char>&> &&
              can_be_read_into<std::array<std::uint8_t, 4>&> && can_be_read_into<char (&)[8]>);
static_assert(!can_be_read_into<std::string> && !can_be_read_into<std::vector<std::byte>>,
              "what was read would go with it");
static_assert(!can_be_read_into<const std::string&> && !can_be_read_into<std::string_view> &&
              !can_be_read_into<std::span<const std::byte>> && !can_be_read_into<const_buffer>);
static_assert(can_be_written<std::span<const std::byte>> && can_be_written<std::span<char>> &&
              can_be_written<std::string_view> && can_be_written<std::string> &&
              can_be_written<const std::vector<char>&> && can_be_written<std::vector<std::byte>> &&
              can_be_written<char (&)[8]> && can_be_written<const std::byte (&)[8]> &&
              can_be_written<mutable_buffer>);
static_assert(!can_be_read_into<std::vector<int>&> && !can_be_written<std::u32string_view> &&
                  !can_be_written<std::vector<bool>> && !can_be_written<std::list<char>> &&
                  !can_be_written<const char*>,
              "bytes, side by side, and so many");
static_assert(std::is_trivially_copyable_v<mutable_buffer> &&
              std::is_trivially_copyable_v<const_buffer> && !std::is_aggregate_v<const_buffer>);

TEST(Buffer, IsTheMemoryOfTheCaller) {
  std::string text = "text";
  const mutable_buffer all = text;
  EXPECT_EQ(static_cast<void*>(all.data()), text.data());
  EXPECT_EQ(all.size(), 4U);
  const const_buffer part = std::string_view(text).substr(1, 2);
  EXPECT_EQ(static_cast<const void*>(part.data()), text.data() + 1);
  EXPECT_EQ(part.size(), 2U);
  EXPECT_EQ(const_buffer(std::string_view()).size(), 0U);
  EXPECT_TRUE(const_buffer().empty() && mutable_buffer().empty());
  const std::uint8_t table[] = {1, 2, 0};
  EXPECT_EQ(const_buffer(table).size(), 3U);
}

task<> through_memory() {
  memory_stream s;
  EXPECT_TRUE(co_await weft::write_all(s, "a view, "sv));
  EXPECT_TRUE(co_await weft::write_all(s, std::string("a string, ") + "a temporary, "));
  const std::vector<char> chars = {'c', 'h', 'a', 'r', 's'};
  EXPECT_TRUE(co_await weft::write_all(s, chars));
  std::vector<char> got(100);
  const auto n = co_await weft::read_all(s, got);
  EXPECT_EQ(std::string_view(got.data(), n.value()), "a view, a string, a temporary, chars");
}
TEST(Buffer, OfAStreamOfOnesOwn) { weft::runtime().block_on(through_memory()); }

// What is spawned keeps a copy of its arguments.
task<> spawned_write() {
  memory_stream s;
  auto h = weft::spawn(weft::write_all<memory_stream>, std::ref(s), "a copy, long enough"s);
  EXPECT_TRUE(co_await h);
  std::string got(100, 0);
  got.resize((co_await weft::read_all(s, got)).value_or(0));
  EXPECT_EQ(got, "a copy, long enough");
}
TEST(Buffer, OfASpawnedWrite) { weft::runtime().block_on(spawned_write()); }

task<> through_tcp() {
  const auto listener = (co_await weft::tcp_listener::bind("127.0.0.1", 0)).value();
  auto here = (co_await weft::tcp_stream::connect("127.0.0.1", listener.address()->port())).value();
  auto there = (co_await listener.accept()).value();
  const std::string text = "from a view, a span";
  const std::string_view view = text;
  std::vector<char> rest(text.begin() + 12, text.end());
  EXPECT_EQ((co_await here.write_some(view.substr(0, 12))).value(), 12U);
  EXPECT_EQ((co_await here.write_some_op(std::span<char>(rest))).value(), rest.size());
  EXPECT_TRUE(co_await here.write_all(std::vector<char>(3, '.')));
  std::array<char, 4> first{};
  EXPECT_EQ((co_await there.read_some(first)).value(), 4U);
  EXPECT_EQ(std::string_view(first.data(), 4), "from");
  char next[8];
  EXPECT_EQ((co_await there.read_some_op(next)).value(), 8U);
  EXPECT_EQ(std::string_view(next, 8), " a view,");
  std::string last(text.size() + 3 - 12, 0);
  EXPECT_EQ((co_await weft::read_all(there, last)).value(), last.size());
  EXPECT_EQ(last, " a span...");
}
TEST(Buffer, OfASocket) { weft::runtime().block_on(through_tcp()); }

}  // namespace
