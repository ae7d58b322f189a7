#pragma once
#include <cstddef>
#include <iterator>

#include "base/assert.h"

namespace zrun {

// A node inside an object, so that being in a list needs no allocation and leaving it is O(1).
// An object may be in several lists at once by deriving from ListNode<Tag> several times.
template <typename Tag = void>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { DCHECK(!is_linked()); }
  bool is_linked() const { return next_ != nullptr; }
  void Unlink() {
    if (!next_) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename, typename>
  friend class IntrusiveList;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// A doubly linked list of objects that derive from ListNode<Tag>. It owns nothing.
template <typename T, typename Tag = void>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  ~IntrusiveList() {
    Clear();
    head_.next_ = head_.previous_ = nullptr;
  }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  T* back() { return empty() ? nullptr : static_cast<T*>(head_.previous_); }
  void PushBack(T& item) { InsertBefore(head_, item); }
  void PushFront(T& item) { InsertBefore(*head_.next_, item); }
  void Insert(T& before, T& item) { InsertBefore(static_cast<Node&>(before), item); }
  void Remove(T& item) { static_cast<Node&>(item).Unlink(); }
  T* PopFront() {
    T* item = front();
    if (item) Remove(*item);
    return item;
  }
  void Clear() {
    while (PopFront()) {
    }
  }
  // Moves all of |other|, in order, to this list's end.
  void TakeAll(IntrusiveList& other) {
    while (T* item = other.PopFront()) PushBack(*item);
  }
  T* NextOf(T& item) {
    Node* next = static_cast<Node&>(item).next_;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }
  T* PreviousOf(T& item) {
    Node* previous = static_cast<Node&>(item).previous_;
    return previous == &head_ ? nullptr : static_cast<T*>(previous);
  }
  size_t CountSlow() const {
    size_t count = 0;
    for (const Node* node = head_.next_; node != &head_; node = node->next_) count++;
    return count;
  }

  class Iterator {
   public:
    explicit Iterator(Node* node) : node_(node) {}
    T& operator*() const { return *static_cast<T*>(node_); }
    T* operator->() const { return static_cast<T*>(node_); }
    Iterator& operator++() {
      node_ = node_->next_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Node* node_;
  };
  Iterator begin() { return Iterator(head_.next_); }
  Iterator end() { return Iterator(&head_); }

 private:
  void InsertBefore(Node& position, T& item) {
    Node& node = static_cast<Node&>(item);
    DCHECK(!node.is_linked());
    node.next_ = &position;
    node.previous_ = position.previous_;
    position.previous_->next_ = &node;
    position.previous_ = &node;
  }
  Node head_;
};

}  // namespace zrun
