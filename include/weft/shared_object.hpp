// SPDX-License-Identifier: MIT
// shared_object: what may be referred to from several Lua states and from C++ at once, through a
// weft::value. ref<T>: one counted reference to such an object.
// Tests: tests/embed/shared_channel_test.cpp.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "weft/config.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0 {

/// Base of what is shared by reference. Whoever uses an object from several threads makes it safe
/// for that; the count is. The last reference destroys it, on whichever thread that goes.
class WEFT_API shared_object {
 public:
  shared_object(const shared_object&) = delete;
  shared_object& operator=(const shared_object&) = delete;

  /// What it is, for messages and Lua's tostring: "channel", "database".
  virtual const char* type_name() const noexcept = 0;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// One: the caller's is the only reference, and stays so until the caller gives another away.
  std::uint32_t references() const noexcept { return references_.load(std::memory_order_acquire); }

 protected:
  /// With one reference, the creator's.
  shared_object() noexcept = default;
  virtual ~shared_object();

 private:
  core::atomic<std::uint32_t> references_{1};
};

/// One reference to a T, a shared_object, or none. Copies may be used by different threads.
template <class T>
class ref {
 public:
  ref() noexcept = default;
  /// Takes over a reference that is the caller's.
  static ref adopt(T* object) noexcept {
    ref r;
    r.object_ = object;
    return r;
  }
  explicit ref(T& object) noexcept : object_(&object) { object.add_reference(); }
  ref(const ref& other) noexcept : object_(other.object_) {
    if (object_) object_->add_reference();
  }
  ref(ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class U>
    requires std::is_convertible_v<U*, T*>
  ref(ref<U> other) noexcept : object_(other.release()) {}
  ref& operator=(ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~ref() {
    if (object_) object_->drop_reference();
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  /// Gives the reference to the caller.
  T* release() noexcept { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

/// Makes a shared object: `auto db = weft::make_shared_object<database>(path);`
template <class T, class... Args>
ref<T> make_shared_object(Args&&... args) {
  return ref<T>::adopt(new T(std::forward<Args>(args)...));
}

}  // namespace weft::inline v0
