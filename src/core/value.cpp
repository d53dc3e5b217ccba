// SPDX-License-Identifier: MIT
#include "weft/value.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace weft::inline v0 {

shared_object::~shared_object() = default;

namespace detail {

byte_block* byte_block::make(std::string_view bytes) {
  void* place = std::malloc(sizeof(byte_block) + bytes.size());
  if (!place) throw std::bad_alloc();
  auto* block = ::new (place) byte_block(bytes.size());
  if (!bytes.empty()) std::memcpy(static_cast<void*>(block + 1), bytes.data(), bytes.size());
  return block;
}

void byte_block::drop_reference() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~byte_block();
  std::free(this);
}

}  // namespace detail

value::value(std::string_view bytes) : bytes_(detail::byte_block::make(bytes)) {
  kind_ = kind::bytes;
}

value::value(ref<shared_object> object) noexcept
    : kind_(object ? kind::object : kind::nil), object_(object.release()) {}

void value::take_bits(const value& other) noexcept {
  std::memcpy(&integer_, &other.integer_, sizeof integer_);
}

void value::swap(value& other) noexcept {
  std::swap(kind_, other.kind_);
  std::int64_t mine = 0;
  std::memcpy(&mine, &integer_, sizeof mine);
  take_bits(other);
  std::memcpy(&other.integer_, &mine, sizeof mine);
}

void value::count() noexcept {
  if (kind_ == kind::bytes) bytes_->add_reference();
  if (kind_ == kind::object) object_->add_reference();
}

void value::drop() noexcept {
  kind_ == kind::bytes ? bytes_->drop_reference() : object_->drop_reference();
}

const char* value::type_name() const noexcept {
  static constexpr const char* names[] = {"nil", "boolean", "integer", "number", "bytes"};
  return kind_ == kind::object ? object_->type_name() : names[static_cast<unsigned>(kind_)];
}

void value::refuse(const char* expected) const {
  throw std::invalid_argument(std::string("weft::value: ") + expected + " expected, got " +
                              type_name());
}

bool value::as_boolean() const {
  if (kind_ != kind::boolean) refuse("boolean");
  return boolean_;
}

std::int64_t value::as_integer() const {
  if (kind_ == kind::integer) return integer_;
  constexpr double limit = 9223372036854775808.0;  // 2^63
  if (kind_ != kind::number || number_ != std::floor(number_) || !(std::fabs(number_) < limit))
    refuse("integer");
  return static_cast<std::int64_t>(number_);
}

double value::as_number() const {
  if (kind_ == kind::integer) return static_cast<double>(integer_);
  if (kind_ != kind::number) refuse("number");
  return number_;
}

std::string_view value::as_bytes() const {
  if (kind_ != kind::bytes) refuse("bytes");
  return bytes_->view();
}

shared_object& value::as_object() const {
  if (kind_ != kind::object) refuse("object");
  return *object_;
}

bool value::equals(const value& other) const noexcept {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case kind::nil: return true;
    case kind::boolean: return boolean_ == other.boolean_;
    case kind::integer: return integer_ == other.integer_;
    case kind::number: return number_ == other.number_;
    case kind::bytes: return bytes_->view() == other.bytes_->view();
    default: return object_ == other.object_;
  }
}

}  // namespace weft::inline v0
