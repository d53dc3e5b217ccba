// SPDX-License-Identifier: MIT
// settings: how lua/weft/loaders.lua tells a loader what to run. The configuration string of such
// a runtime is "weft-loader\n", then lines of "key=value"; bytes below 33, "%" and 127 are written
// %XX, so that it has no NUL. A key may stand there several times. A string that begins otherwise
// is the seed's own, "module,function,rest".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::loader {

using settings = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Nothing: the text is not one of ours, but the seed's.
std::optional<settings> parse_settings(std::string_view text);

/// The first value of a key, or "".
std::string_view first_of(const settings& all, std::string_view key) noexcept;

/// "module,function,rest" as the seed writes it. The rest keeps its commas; it is a part of the
/// text itself, or null without a second comma. Nothing: the text is not of that form.
struct seed_settings {
  std::string unit, function;
  const char* rest = nullptr;
};
std::optional<seed_settings> parse_seed_settings(const char* text);

}  // namespace weft::loader
