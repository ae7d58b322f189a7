#pragma once
// Helpers for unit tests of open files.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

#include "objects/vm/page_allocator.h"
#include "vfs/file_description.h"
#include "vfs/namei.h"

namespace zrun::vfs::testing {

// Files in memory need frames.
inline const bool frames_are_ready = (InitPageAllocator(), true);

inline Handle HandleOf(RefPtr<FileDescription> file) {
  const Rights rights = file->default_rights();
  return Handle(std::move(file), rights);
}

// What a call gave: bytes, or "!EAGAIN".
inline std::string ReadText(FileDescription& file, size_t size = 65536) {
  std::string buffer(size, '\0');
  SpanSink sink(std::as_writable_bytes(std::span(buffer)));
  auto done = file.Read(sink);
  if (!done.ok()) return "!" + std::string(ErrnoName(done.error()));
  buffer.resize(done.value());
  return buffer;
}
// Bytes written, or the negated errno.
inline long WriteText(FileDescription& file, std::string_view text) {
  SpanSource source(std::as_bytes(std::span(text.data(), text.size())));
  auto done = file.Write(source);
  return done.ok() ? long(done.value()) : -long(done.error());
}
inline bool Has(const FileDescription& file, Signals signals) {
  return HasAll(file.signals(), signals);
}

// A walk as root, of a name space with one file system.
struct Tree {
  explicit Tree(RefPtr<FileSystem> file_system) {
    auto root = Dentry::CreateRoot(file_system->Root()).value();
    auto mount = Mount::Create(file_system, root, MountFlags::kNone, "none").value();
    mounts = MountNamespace::Create(mount).value();
    credentials = MakeRef<Credentials>().value();
    credentials->cap_effective = ~0ull;
    walk.emplace(WalkContext{*credentials, *mounts, mounts->root(), mounts->root()});
  }
  RefPtr<MountNamespace> mounts;
  RefPtr<Credentials> credentials;
  std::optional<WalkContext> walk;
};

}  // namespace zrun::vfs::testing
