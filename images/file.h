#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

namespace zrun::images {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  bool is_valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Each throws ImageError naming the file.
UniqueFd OpenFile(const std::filesystem::path& path, int flags);
std::string ReadFile(const std::filesystem::path& path);
// Bytes read: fewer than |size| only at the end of the file.
size_t ReadFully(int fd, void* buffer, size_t size, off_t offset, const std::string& name);
void WriteFully(int fd, const void* data, size_t size, off_t offset, const std::string& name);

// A file that appears under its final name whole, or not at all. Where the file system can
// (O_TMPFILE) it has no name before that, so that even SIGKILL leaves nothing behind.
class NewFile {
 public:
  explicit NewFile(std::filesystem::path path);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  int fd() const { return fd_.get(); }
  const std::filesystem::path& path() const { return path_; }
  // Writes back and gives the file its name, replacing what had it.
  void Publish();

 private:
  std::filesystem::path RandomName() const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  UniqueFd fd_;
};

void WriteFileAtomically(const std::filesystem::path& path, const std::string& contents);

}  // namespace zrun::images
