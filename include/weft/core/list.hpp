// SPDX-License-Identifier: MIT
// Intrusive circular doubly linked list. A node unlinks itself in O(1) without knowing its list,
// which is what lets a lost arm of a choice be retracted wherever it was published.
#pragma once

namespace weft::inline v0::core {

struct list_node {
  list_node* prev = nullptr;
  list_node* next = nullptr;  // null: in no list

  bool linked() const noexcept { return next != nullptr; }
  void unlink() noexcept {
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }
};

/// A list of T, which derives from list_node. First in, first out.
template <class T>
class list {
 public:
  list() noexcept { head_.prev = head_.next = &head_; }
  list(const list&) = delete;
  list& operator=(const list&) = delete;

  bool empty() const noexcept { return head_.next == &head_; }
  void push_back(T& item) noexcept {
    list_node& n = item;
    n.prev = head_.prev;
    n.next = &head_;
    head_.prev->next = &n;
    head_.prev = &n;
  }
  T* front() noexcept { return empty() ? nullptr : static_cast<T*>(head_.next); }
  T* pop_front() noexcept {
    T* item = front();
    if (item) static_cast<list_node*>(item)->unlink();
    return item;
  }
  /// The item behind this one, or null. The item may be unlinked after the call.
  T* after(T& item) noexcept {
    list_node* n = static_cast<list_node&>(item).next;
    return n == &head_ ? nullptr : static_cast<T*>(n);
  }
  /// Moves everything to the end of another list, in order.
  void splice_to(list& other) noexcept {
    if (empty()) return;
    head_.next->prev = other.head_.prev;
    other.head_.prev->next = head_.next;
    head_.prev->next = &other.head_;
    other.head_.prev = head_.prev;
    head_.prev = head_.next = &head_;
  }

 private:
  list_node head_;
};

}  // namespace weft::inline v0::core
