#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "objects/boot_for_test.h"
#include "vfs/namei.h"
#include "vfs/ramfs/ramfs.h"

// For tests: a name space on a fresh tmpfs, and file operations in one line each.
namespace zrun::vfs::test {

inline std::string NameOfError(Errno error) {
  return error == Errno{} ? "OK" : std::string(ErrnoName(error));
}
template <typename T>
std::string ErrorOf(const Result<T>& result) {
  return result.ok() ? "OK" : NameOfError(result.error());
}
template <typename T>
T Get(Result<T> result) {
  if (!result.ok()) throw std::runtime_error("unexpected " + NameOfError(result.error()));
  return std::move(result).value();
}
inline void Check(Result<void> result) {
  if (!result.ok()) throw std::runtime_error("unexpected " + NameOfError(result.error()));
}

inline RefPtr<Credentials> RootCredentials() {
  auto credentials = Get(MakeRef<Credentials>());
  credentials->cap_effective = credentials->cap_permitted = ~uint64_t{0};
  return credentials;
}
inline RefPtr<Credentials> UserCredentials(uint32_t uid) {
  auto credentials = Get(MakeRef<Credentials>());
  credentials->uid = credentials->euid = credentials->suid = credentials->fsuid = uid;
  credentials->gid = credentials->egid = credentials->sgid = credentials->fsgid = uid;
  return credentials;
}

inline std::string ReadAll(FileDescription& file) {
  std::string text;
  std::vector<std::byte> buffer(5000);
  for (;;) {
    SpanSink sink(buffer);
    const size_t count = Get(file.Read(sink));
    if (count == 0) return text;
    text.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
}
inline Result<size_t> WriteText(FileDescription& file, std::string_view text) {
  SpanSource source(std::as_bytes(std::span(text)));
  return file.Write(source);
}

class NameSink final : public DirentSink {
 public:
  explicit NameSink(size_t limit = SIZE_MAX) : limit_(limit) {}
  bool Add(uint64_t inode, VnodeType type, std::string_view name, uint64_t next) override {
    if (names.size() == limit_) return false;
    names.emplace_back(name);
    inodes.push_back(inode);
    types.push_back(type);
    cursor = next;
    return true;
  }
  std::vector<std::string> names;
  std::vector<uint64_t> inodes;
  std::vector<VnodeType> types;
  uint64_t cursor = 0;

 private:
  const size_t limit_;
};

class Tree {
 public:
  explicit Tree(RefPtr<FileSystem> file_system = nullptr) : as(RootCredentials()) {
    if (!file_system) file_system = Get(MountTmpfs("tmpfs", "mode=755,nr_inodes=0"));
    mounts = Get(MountNamespace::Create(
        Get(vfs::Mount::CreateFor(std::move(file_system), MountFlags::kNone, "tmpfs"))));
    root = cwd = mounts->root();
  }
  WalkContext context() const { return {*as, *mounts, root, cwd}; }

  Result<Path> Walk(std::string_view path, WalkFlags flags = WalkFlags::kNone) {
    return vfs::Walk(context(), path, flags);
  }
  Result<RefPtr<FileDescription>> Open(std::string_view path, OpenFlags flags, uint32_t mode = 0644,
                                       WalkFlags resolve = WalkFlags::kNone) {
    return vfs::Open(context(), path, {flags, mode, resolve});
  }
  void MakeDirectory(std::string_view path, uint32_t mode = 0755) {
    Check(vfs::MakeDirectory(context(), path, mode));
  }
  void MakeFile(std::string_view path, std::string_view text = "", uint32_t mode = 0644) {
    auto file =
        Get(Open(path, OpenFlags::kWriteOnly | OpenFlags::kCreate | OpenFlags::kTruncate, mode));
    if (!text.empty()) Get(WriteText(*file, text));
  }
  void MakeSymlink(std::string_view path, std::string_view target) {
    Check(vfs::MakeSymlink(context(), target, path));
  }
  Result<void> Link(std::string_view from, std::string_view to) {
    return vfs::MakeLink(context(), from, context(), to, WalkFlags::kNoFollow);
  }
  Result<void> Unlink(std::string_view path) { return vfs::Unlink(context(), path); }
  Result<void> RemoveDirectory(std::string_view path) {
    return vfs::RemoveDirectory(context(), path);
  }
  Result<void> Rename(std::string_view from, std::string_view to, uint32_t flags = 0) {
    return vfs::Rename(context(), from, context(), to, flags);
  }
  std::string Read(std::string_view path) {
    auto file = Open(path, OpenFlags::kReadOnly);
    if (!file.ok()) return NameOfError(file.error());
    return ReadAll(*file.value());
  }
  Attributes Stat(std::string_view path, WalkFlags flags = WalkFlags::kNoFollow) {
    return Get(vfs::Stat(Get(Walk(path, flags))));
  }
  bool Exists(std::string_view path) { return Walk(path, WalkFlags::kNoFollow).ok(); }
  std::vector<std::string> List(std::string_view path) {
    auto file = Get(Open(path, OpenFlags::kReadOnly | OpenFlags::kDirectory));
    NameSink sink;
    Check(file->ReadDirectory(sink));
    std::sort(sink.names.begin(), sink.names.end());
    return sink.names;
  }
  std::string NameOf(const Path& path) {
    return std::string(Get(vfs::NameOf(path, root, *mounts)).view());
  }
  std::string NameOf(std::string_view path) { return NameOf(Get(Walk(path))); }
  void Mount(std::string_view path, RefPtr<FileSystem> file_system,
             MountFlags flags = MountFlags::kNone) {
    Check(mounts->Attach(Get(Walk(path)),
                         Get(vfs::Mount::CreateFor(std::move(file_system), flags, "test"))));
  }

  RefPtr<Credentials> as;
  RefPtr<MountNamespace> mounts;
  Path root, cwd;
};

}  // namespace zrun::vfs::test
