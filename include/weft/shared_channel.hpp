// SPDX-License-Identifier: MIT
// shared_channel: a channel of values as a value, so that it can be given to a Lua state or sent
// through another channel. In Lua it is what weft.shared_channel(n) makes: an object with the
// methods of a channel, whose other end may be in another Lua state or in C++.
//
//   auto [tx, rx] = weft::channel<weft::value>(16);
//   weft::value jobs = weft::share(rx);             // Lua can get from it
//   weft::sender<weft::value> back = weft::sender_of(some_value);
#pragma once

#include <optional>
#include <utility>

#include "weft/channel.hpp"
#include "weft/config.hpp"
#include "weft/value.hpp"

namespace weft::inline v0 {

/// One end of a channel of values, or both. Immutable.
class WEFT_API shared_channel final : public shared_object {
 public:
  shared_channel(std::optional<sender<value>> in, std::optional<receiver<value>> out) noexcept;
  const char* type_name() const noexcept override { return "channel"; }

  const std::optional<sender<value>> tx;
  const std::optional<receiver<value>> rx;

 private:
  ~shared_channel() override;
};

/// The sending end as a value: Lua can put to it, and close it.
WEFT_API value share(sender<value> tx);
/// The receiving end as a value: Lua can get from it, and close it.
WEFT_API value share(receiver<value> rx);
/// Both. While the value lives, so do the ends: the channel does not close by itself.
WEFT_API value share(std::pair<sender<value>, receiver<value>> both);

/// A copy of an end that is in a value. Throws std::invalid_argument if that is not there.
WEFT_API sender<value> sender_of(const value& v);
WEFT_API receiver<value> receiver_of(const value& v);

}  // namespace weft::inline v0
