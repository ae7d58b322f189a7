#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace zrun::images {

struct Timestamp {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

// A file of the image being made. Hard links are names that share an Inode.
struct Inode {
  struct Name {
    std::shared_ptr<Inode> inode;
    int layer = 0;  // the last one that spoke of this name
  };

  uint32_t mode = 0;  // with its type, as in stat(2)
  uint32_t uid = 0;
  uint32_t gid = 0;
  Timestamp mtime;
  std::map<std::string, std::string> xattrs;

  uint64_t size = 0;         // of a regular file; the writer fills it in for the others
  uint32_t first_block = 0;  // likewise
  uint32_t device = 0;       // makedev()'s halves as EROFS packs them
  std::string target;        // of a symbolic link

  // Of a directory; std::string compares bytes as unsigned, which is the order EROFS wants.
  std::map<std::string, Name> names;
  Inode* parent = nullptr;
  int depth = 0;

  // The writer's.
  uint64_t nid = 0;
  uint32_t number = 0;
  uint32_t links = 0;
};

// As the kernel's new_encode_dev().
constexpr uint32_t EncodeDevice(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

}  // namespace zrun::images
