// SPDX-License-Identifier: MIT
#include "foreign/loader/settings.hpp"

#include <charconv>

namespace weft::loader {

namespace {

constexpr std::string_view marker = "weft-loader\n";

std::string unescaped(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); i++) {
    unsigned char byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 1] + 2, byte, 16).ec == std::errc()) {
      plain.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

}  // namespace

std::optional<settings> parse_settings(std::string_view text) {
  if (!text.starts_with(marker)) return std::nullopt;
  text.remove_prefix(marker.size());
  settings all;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + (line.size() < text.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    all[std::string(line.substr(0, equals))].push_back(unescaped(line.substr(equals + 1)));
  }
  return all;
}

std::string_view first_of(const settings& all, std::string_view key) noexcept {
  const auto found = all.find(key);
  return found == all.end() || found->second.empty() ? std::string_view() : found->second.front();
}

std::optional<seed_settings> parse_seed_settings(const char* text) {
  const std::string_view all = text;
  const std::size_t first = all.find(',');
  if (first == 0 || first == std::string_view::npos) return std::nullopt;
  const std::size_t second = all.find(',', first + 1);
  seed_settings s;
  s.unit = all.substr(0, first);
  s.function = all.substr(first + 1, second - first - 1);
  if (s.function.empty()) return std::nullopt;
  if (second != std::string_view::npos) s.rest = text + second + 1;
  return s;
}

}  // namespace weft::loader
