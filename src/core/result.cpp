// SPDX-License-Identifier: MIT
#include "weft/result.hpp"

#include <string>

#include "core/errors.hpp"
#include "weft/error.hpp"

namespace weft::inline v0 {

namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "weft"; }
  std::string message(int code) const override {
    switch (static_cast<errc>(code)) {
      case errc::timeout: return "timeout";
      case errc::closed: return "closed";
      case errc::name_unknown: return core::describe(core::error_name_unknown).message;
      case errc::name_again: return core::describe(core::error_name_again).message;
      case errc::name_failed: return core::describe(core::error_name_failed).message;
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& weft_category() noexcept {
  static const category one;
  return one;
}

const char* cancelled::what() const noexcept { return "cancelled"; }
deadlock::~deadlock() = default;
timed_out::~timed_out() = default;

void detail::misuse(const char* what) { throw std::logic_error(what); }

}  // namespace weft::inline v0
