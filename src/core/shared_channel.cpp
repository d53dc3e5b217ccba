// SPDX-License-Identifier: MIT
#include "weft/shared_channel.hpp"

#include <stdexcept>

namespace weft::inline v0 {

shared_channel::shared_channel(std::optional<sender<value>> in,
                               std::optional<receiver<value>> out) noexcept
    : tx(std::move(in)), rx(std::move(out)) {}

shared_channel::~shared_channel() = default;

value share(sender<value> tx) {
  return make_shared_object<shared_channel>(std::move(tx), std::nullopt);
}
value share(receiver<value> rx) {
  return make_shared_object<shared_channel>(std::nullopt, std::move(rx));
}
value share(std::pair<sender<value>, receiver<value>> both) {
  return make_shared_object<shared_channel>(std::move(both.first), std::move(both.second));
}

sender<value> sender_of(const value& v) {
  const ref<shared_channel> channel = v.as<shared_channel>();
  if (!channel->tx) throw std::invalid_argument("weft::sender_of: this end of a channel receives");
  return *channel->tx;  // NOLINT(bugprone-unchecked-optional-access)
}
receiver<value> receiver_of(const value& v) {
  const ref<shared_channel> channel = v.as<shared_channel>();
  if (!channel->rx) throw std::invalid_argument("weft::receiver_of: this end of a channel sends");
  return *channel->rx;  // NOLINT(bugprone-unchecked-optional-access)
}

}  // namespace weft::inline v0
