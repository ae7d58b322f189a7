#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

// A reader of the flattened device tree that the firmware hands over. It trusts the firmware, whose
// word everything else rests on as well, but never reads outside the blob. Source: Devicetree
// specification 0.4, chapter 5.
namespace zrun::hal {

class DeviceTree {
 public:
  // A node; tests as false past the last.
  class Node {
   public:
    Node() = default;
    explicit operator bool() const { return tree_ != nullptr; }
    std::string_view name() const;  // with its "@address"
    bool Is(std::string_view name) const;
    // The property's bytes; none if it is not there.
    std::optional<std::span<const std::byte>> Property(std::string_view name) const;
    bool Has(std::string_view name) const { return Property(name).has_value(); }
    std::string_view Text(std::string_view name) const;  // up to the first NUL; empty if none
    // Big-endian cells, |cells| of 32 bits from the |index|th on; 0 if there are not so many.
    uint64_t Number(std::string_view name, unsigned index = 0, unsigned cells = 1) const;
    bool IsCompatible(std::string_view with) const;
    Node FirstChild() const;
    Node Next() const;  // sibling

   private:
    friend class DeviceTree;
    Node(const DeviceTree* tree, size_t offset) : tree_(tree), offset_(offset) {}
    const DeviceTree* tree_ = nullptr;
    size_t offset_ = 0;  // of its begin token, in the structure block
  };

  DeviceTree() = default;
  // False if |blob| is no device tree.
  bool Open(const std::byte* blob);
  uint64_t size() const { return size_; }
  Node Root() const { return Node(this, 0); }
  // "/soc/plic": each component with or without its "@address".
  Node Find(std::string_view path) const;
  // The first node below |under| that is compatible.
  Node FindCompatible(Node under, std::string_view with) const;

 private:
  uint32_t Token(size_t& offset) const;
  std::string_view TextAt(std::span<const std::byte> block, size_t offset) const;
  // Past the name, and past the properties.
  size_t SkipName(size_t node) const;
  size_t SkipProperties(size_t offset) const;
  size_t SkipNode(size_t node) const;

  uint64_t size_ = 0;
  std::span<const std::byte> structure_, strings_;
};

// The machine's, after InitMemory().
const DeviceTree& MachineTree();

}  // namespace zrun::hal
