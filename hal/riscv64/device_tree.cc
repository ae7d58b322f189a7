#include "hal/riscv64/device_tree.h"

#include "base/assert.h"

namespace zrun::hal {
namespace {

enum : uint32_t { kBeginNode = 1, kEndNode = 2, kProperty = 3, kNop = 4, kEnd = 9 };

uint32_t ReadBig(const std::byte* at) {
  uint32_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}

constexpr size_t RoundUp4(size_t value) { return (value + 3) & ~size_t{3}; }

}  // namespace

bool DeviceTree::Open(const std::byte* blob) {
  constexpr uint32_t kMagic = 0xd00dfeed;
  if (ReadBig(blob) != kMagic) return false;
  const auto field = [&](int index) { return ReadBig(blob + index * 4); };
  size_ = field(1);
  const uint32_t structure = field(2), strings = field(3), strings_size = field(8),
                 structure_size = field(9);
  if (uint64_t{structure} + structure_size > size_ || uint64_t{strings} + strings_size > size_)
    return false;
  structure_ = {blob + structure, structure_size};
  strings_ = {blob + strings, strings_size};
  return true;
}

std::string_view DeviceTree::TextAt(std::span<const std::byte> block, size_t offset) const {
  if (offset >= block.size()) return {};
  const char* text = reinterpret_cast<const char*>(block.data()) + offset;
  size_t length = 0;
  while (offset + length < block.size() && text[length] != '\0') length++;
  return {text, length};
}

uint32_t DeviceTree::Token(size_t& offset) const {
  for (;;) {
    if (offset + 4 > structure_.size()) return kEnd;
    const uint32_t token = ReadBig(structure_.data() + offset);
    if (token == kEnd) return kEnd;
    offset += 4;
    if (token != kNop) return token;
  }
}

size_t DeviceTree::SkipName(size_t node) const {
  size_t offset = node;
  Token(offset);
  return offset + RoundUp4(TextAt(structure_, offset).size() + 1);
}

size_t DeviceTree::SkipProperties(size_t offset) const {
  for (;;) {
    size_t next = offset;
    if (Token(next) != kProperty || next + 8 > structure_.size()) return offset;
    offset = next + 8 + RoundUp4(ReadBig(structure_.data() + next));
  }
}

size_t DeviceTree::SkipNode(size_t node) const {
  size_t offset = SkipName(node);
  for (int depth = 1; depth > 0;) {
    offset = SkipProperties(offset);
    size_t next = offset;
    const uint32_t token = Token(next);
    if (token == kBeginNode) {
      depth++;
      offset = SkipName(offset);
    } else if (token == kEndNode) {
      depth--;
      offset = next;
    } else {
      return structure_.size();
    }
  }
  return offset;
}

std::string_view DeviceTree::Node::name() const {
  size_t offset = offset_;
  tree_->Token(offset);
  return tree_->TextAt(tree_->structure_, offset);
}

bool DeviceTree::Node::Is(std::string_view wanted) const {
  const std::string_view mine = name();
  return mine == wanted ||
         (mine.starts_with(wanted) && mine.size() > wanted.size() && mine[wanted.size()] == '@');
}

std::optional<std::span<const std::byte>> DeviceTree::Node::Property(std::string_view name) const {
  const auto structure = tree_->structure_;
  size_t offset = tree_->SkipName(offset_);
  for (;;) {
    if (tree_->Token(offset) != kProperty || offset + 8 > structure.size()) return std::nullopt;
    const uint32_t size = ReadBig(structure.data() + offset);
    const uint32_t name_offset = ReadBig(structure.data() + offset + 4);
    offset += 8;
    if (size > structure.size() - offset) return std::nullopt;
    if (tree_->TextAt(tree_->strings_, name_offset) == name) return structure.subspan(offset, size);
    offset += RoundUp4(size);
  }
}

std::string_view DeviceTree::Node::Text(std::string_view name) const {
  const auto bytes = Property(name);
  if (!bytes) return {};
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return text.substr(0, text.find('\0'));
}

uint64_t DeviceTree::Node::Number(std::string_view name, unsigned index, unsigned cells) const {
  const auto bytes = Property(name);
  if (!bytes || (size_t{index} + cells) * 4 > bytes->size()) return 0;
  uint64_t value = 0;
  for (unsigned i = 0; i < cells; i++)
    value = value << 32 | ReadBig(bytes->data() + (index + i) * 4);
  return value;
}

bool DeviceTree::Node::IsCompatible(std::string_view with) const {
  const auto bytes = Property("compatible");
  if (!bytes) return false;
  std::string_view list(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find('\0'));
    if (one == with) return true;
    list.remove_prefix(one.size() < list.size() ? one.size() + 1 : list.size());
  }
  return false;
}

DeviceTree::Node DeviceTree::Node::FirstChild() const {
  const size_t offset = tree_->SkipProperties(tree_->SkipName(offset_));
  size_t next = offset;
  return tree_->Token(next) == kBeginNode ? Node(tree_, next - 4) : Node();
}

DeviceTree::Node DeviceTree::Node::Next() const {
  const size_t offset = tree_->SkipNode(offset_);
  size_t next = offset;
  return tree_->Token(next) == kBeginNode ? Node(tree_, next - 4) : Node();
}

DeviceTree::Node DeviceTree::Find(std::string_view path) const {
  Node node = Root();
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(component.size());
    Node child = node.FirstChild();
    while (child && !child.Is(component)) child = child.Next();
    if (!child) return {};
    node = child;
  }
  return node;
}

DeviceTree::Node DeviceTree::FindCompatible(Node under, std::string_view with) const {
  for (Node child = under.FirstChild(); child; child = child.Next()) {
    if (child.IsCompatible(with)) return child;
  }
  return {};
}

}  // namespace zrun::hal
