#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "images/file.h"
#include "images/inode.h"
#include "images/sha256.h"

namespace zrun::images {

// Writes an EROFS image: files' data as they come, from block 1 on; then, when the tree is known,
// the metadata behind them. images/README.md says which part of the format comes out.
class ErofsWriter {
 public:
  explicit ErofsWriter(std::filesystem::path output);

  // Blocks for |size| bytes, all zero. Data that is never written stays a hole.
  uint32_t Allocate(uint64_t size);
  void Free(uint32_t first_block, uint64_t size);
  void Write(uint32_t first_block, uint64_t offset, const void* data, size_t size);
  std::string Read(uint32_t first_block, uint64_t size);

  // Adds the metadata of everything below |root| and publishes the image.
  void Finish(Inode& root);

 private:
  void Place(const std::vector<Inode*>& inodes);
  void WriteInode(const Inode& inode);
  void WriteSuperBlock(const Inode& root, size_t inodes, uint32_t meta_block);

  std::string name_;
  NewFile file_;
  uint64_t end_block_ = 1;
  std::map<uint64_t, uint64_t> free_;  // first block to length, never adjacent
  Sha256 hash_;
  std::string meta_;
};

}  // namespace zrun::images
