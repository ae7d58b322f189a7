#pragma once
#include <algorithm>
#include <cstdint>

#include "base/assert.h"

namespace zrun {

// A node inside an object that a Tree can hold.
template <typename Tag = void>
class TreeNode {
 public:
  TreeNode() = default;
  TreeNode(const TreeNode&) = delete;
  TreeNode& operator=(const TreeNode&) = delete;
  ~TreeNode() { DCHECK(!is_in_tree()); }
  bool is_in_tree() const { return height_ != 0; }

 private:
  template <typename, typename, typename>
  friend class Tree;
  TreeNode* parent_ = nullptr;
  TreeNode* left_ = nullptr;
  TreeNode* right_ = nullptr;
  int height_ = 0;  // of the subtree; 0: in no tree
};

// A balanced (AVL) search tree of objects that derive from TreeNode<Tag>. It owns nothing and
// allocates nothing. |Traits| has
//   static Key KeyOf(const T&)     what orders it; equal keys keep the order of insertion
//   static void Update(T&)         optional: recomputes what the node knows of its subtree, from
//   itself
//                                  and Tree::Left/Right; called whenever that subtree changes
template <typename T, typename Traits, typename Tag = void>
class Tree {
  using Node = TreeNode<Tag>;

 public:
  Tree() = default;
  ~Tree() { DCHECK(!root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  bool empty() const { return !root_; }
  T* root() const { return Item(root_); }
  static T* Left(const T& item) { return Item(static_cast<const Node&>(item).left_); }
  static T* Right(const T& item) { return Item(static_cast<const Node&>(item).right_); }
  T* First() const { return Item(Extreme(root_, &Node::left_)); }
  T* Last() const { return Item(Extreme(root_, &Node::right_)); }
  T* Next(const T& item) const { return Item(Step(item, &Node::right_, &Node::left_)); }
  T* Previous(const T& item) const { return Item(Step(item, &Node::left_, &Node::right_)); }

  // The first item whose key is not less than |key|; the first greater; the last not greater.
  template <typename Key>
  T* AtOrAfter(const Key& key) const {
    return Search([&](const T& item) { return !(Traits::KeyOf(item) < key); });
  }
  template <typename Key>
  T* After(const Key& key) const {
    return Search([&](const T& item) { return key < Traits::KeyOf(item); });
  }
  template <typename Key>
  T* AtOrBefore(const Key& key) const {
    T* after = After(key);
    return after ? Previous(*after) : Last();
  }
  template <typename Key>
  T* Find(const Key& key) const {
    T* item = AtOrAfter(key);
    return item && !(key < Traits::KeyOf(*item)) ? item : nullptr;
  }

  void Insert(T& item) {
    Node& node = item;
    DCHECK(!node.is_in_tree());
    Node** link = &root_;
    Node* parent = nullptr;
    while (*link) {
      parent = *link;
      link = Traits::KeyOf(item) < Traits::KeyOf(*Item(parent)) ? &parent->left_ : &parent->right_;
    }
    node.parent_ = parent;
    node.left_ = node.right_ = nullptr;
    *link = &node;
    Rebalance(&node);
  }

  void Remove(T& item) {
    Node& node = item;
    DCHECK(node.is_in_tree());
    Node* deepest;  // where the shape changed
    if (node.left_ && node.right_) {
      Node* heir = Extreme(node.right_, &Node::left_);
      deepest = heir->parent_ == &node ? heir : heir->parent_;
      if (heir->parent_ != &node) {
        Replace(*heir, heir->right_);
        heir->right_ = node.right_;
        heir->right_->parent_ = heir;
      }
      heir->left_ = node.left_;
      heir->left_->parent_ = heir;
      Replace(node, heir);
    } else {
      deepest = node.parent_;
      Replace(node, node.left_ ? node.left_ : node.right_);
    }
    node.parent_ = node.left_ = node.right_ = nullptr;
    node.height_ = 0;
    Rebalance(deepest);
  }

  // To be called when what Update() computes from |item| itself has changed.
  void Refresh(T& item) { Rebalance(&static_cast<Node&>(item)); }

 private:
  static T* Item(const Node* node) { return static_cast<T*>(const_cast<Node*>(node)); }
  static int Height(const Node* node) { return node ? node->height_ : 0; }
  static Node* Extreme(Node* node, Node* Node::*side) {
    while (node && node->*side) node = node->*side;
    return node;
  }
  static Node* Step(const Node& from, Node* Node::*forward, Node* Node::*backward) {
    if (from.*forward) return Extreme(from.*forward, backward);
    const Node* node = &from;
    while (node->parent_ && node->parent_->*forward == node) node = node->parent_;
    return node->parent_;
  }
  // |is_right_of| is false, then true, along the order.
  template <typename Predicate>
  T* Search(Predicate is_right_of) const {
    Node* found = nullptr;
    for (Node* node = root_; node;) {
      if (is_right_of(*Item(node))) {
        found = node;
        node = node->left_;
      } else {
        node = node->right_;
      }
    }
    return Item(found);
  }
  static void Update(Node& node) {
    node.height_ = 1 + std::max(Height(node.left_), Height(node.right_));
    if constexpr (requires(T & item) { Traits::Update(item); }) Traits::Update(*Item(&node));
  }
  // Puts |heir| (or nothing) where |node| hangs.
  void Replace(Node& node, Node* heir) {
    if (heir) heir->parent_ = node.parent_;
    if (!node.parent_) {
      root_ = heir;
    } else if (node.parent_->left_ == &node) {
      node.parent_->left_ = heir;
    } else {
      node.parent_->right_ = heir;
    }
  }
  // Lifts |node|'s child on |side| over it.
  Node* Lift(Node& node, Node* Node::*side, Node* Node::*other) {
    Node* child = node.*side;
    Replace(node, child);
    node.*side = child->*other;
    if (node.*side) (node.*side)->parent_ = &node;
    child->*other = &node;
    node.parent_ = child;
    Update(node);
    Update(*child);
    return child;
  }
  void Rebalance(Node* node) {
    for (; node; node = node->parent_) {
      Update(*node);
      const int balance = Height(node->left_) - Height(node->right_);
      if (balance > 1) {
        if (Height(node->left_->left_) < Height(node->left_->right_))
          Lift(*node->left_, &Node::right_, &Node::left_);
        node = Lift(*node, &Node::left_, &Node::right_);
      } else if (balance < -1) {
        if (Height(node->right_->right_) < Height(node->right_->left_))
          Lift(*node->right_, &Node::left_, &Node::right_);
        node = Lift(*node, &Node::right_, &Node::left_);
      }
    }
  }

  Node* root_ = nullptr;
};

}  // namespace zrun
