#pragma once
#include "objects/task/call_time.h"
#include "vfs/procfs/proc_entry.h"
#include "vfs/procfs/procfs.h"

namespace zrun::vfs {

class ProcFs final : public FileSystem {
 public:
  enum class Kind : uint8_t { kProc, kSys };
  ProcFs(ProcSource& source, Kind kind)
      : source_(source), kind_(kind), mounted_at_(CallTime::Now()) {}
  std::string_view type_name() const override { return kind_ == Kind::kProc ? "proc" : "sysfs"; }
  RefPtr<Vnode> Root() override;
  Result<StatFs> GetStatFs() override;
  Kind kind() const { return kind_; }
  ProcSource& source() const { return source_; }
  hal::Nanoseconds mounted_at() const { return mounted_at_; }

 private:
  ProcSource& source_;
  const Kind kind_;
  const hal::Nanoseconds mounted_at_;
};

// A file of /proc. It lives as long as somebody looks at it; a name looked up again makes another.
class ProcNode : public Vnode {
 public:
  FileSystem& file_system() const override { return *file_system_; }
  VnodeType type() const override { return TypeOfMode(mode_); }
  uint64_t inode() const override { return inode_; }
  uintptr_t identity() const override { return uintptr_t(inode_) << 1 | 1; }
  Result<Attributes> GetAttributes() override;
  // open(2) with O_TRUNC, as shells do before they write.
  Result<void> Truncate(uint64_t) override { return {}; }

 protected:
  ProcNode(RefPtr<ProcFs> file_system, ProcId id, uint64_t inode, uint32_t mode)
      : file_system_(std::move(file_system)), id_(id), inode_(inode), mode_(mode) {}
  ProcSource& source() const { return file_system_->source(); }
  ProcRequest request() const { return {source(), id_}; }
  const RefPtr<ProcFs> file_system_;
  const ProcId id_;

 private:
  const uint64_t inode_;
  const uint32_t mode_;
};

// Its names change by themselves, so that they are never cached. Listing takes no lock: what it
// asks may take any.
class ProcDirectory : public ProcNode {
 public:
  bool CacheNames() const override { return false; }
  Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags) override;
  // Names that are not there cannot be made: as on Linux they are simply not there.
  Result<RefPtr<Vnode>> Create(std::string_view, uint32_t, uint64_t, uint32_t, uint32_t) override {
    return Errno::kENOENT;
  }
  Result<RefPtr<Vnode>> Symlink(std::string_view, std::string_view, uint32_t, uint32_t) override {
    return Errno::kENOENT;
  }

 protected:
  using ProcNode::ProcNode;
};

// Inode numbers: who, what kind of file, which.
enum class ProcInodeKind : uint8_t { kEntry, kDirectory, kFd, kFdInfo, kProcess, kTask };
constexpr uint64_t ProcInode(ProcId id, ProcInodeKind kind, uint32_t index) {
  return uint64_t(uint32_t(id.number())) << 32 | uint64_t(kind) << 28 |
         uint64_t{id.tid != 0} << 27 | (index & 0x7ffffff);
}
// The process's number in such an inode number, if it is of |kind|; otherwise 0.
constexpr int32_t NumberInInode(uint64_t inode, ProcInodeKind kind) {
  return ProcInodeKind(inode >> 28 & 0xf) == kind ? int32_t(inode >> 32) : 0;
}

// Everything that a table lists below |prefix| ("" or "net/"); |entries| outlives everything.
class TableDirectory : public ProcDirectory {
 public:
  static Result<RefPtr<Vnode>> Create(RefPtr<ProcFs> file_system, ProcTable entries,
                                      std::string_view prefix, ProcId id, uint32_t mode);
  Result<RefPtr<Vnode>> Lookup(std::string_view name) override;
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override;

 protected:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  TableDirectory(RefPtr<ProcFs> file_system, ProcTable entries, std::string_view prefix, ProcId id,
                 uint64_t inode, uint32_t mode)
      : ProcDirectory(std::move(file_system), id, inode, mode),
        entries_(entries),
        prefix_(prefix) {}
  // Cursors of the table's names: below this.
  uint64_t end_cursor() const { return entries_.size(); }

 private:
  // The |index|th entry's next component below the prefix, and whether it is a directory's.
  struct Component {
    std::string_view name;  // as the table has it, with its mark
    bool is_directory = false;
    using Text = TextBuffer<64>;
    unsigned count() const;  // how many it stands for
    bool is_series() const;
    Text NameOf(unsigned which) const;
  };
  ProcId IdOf(const Component& component, unsigned which) const {
    return component.is_series() ? ProcId{0, int32_t(which) + 1} : id_;
  }
  Component ComponentAt(size_t index) const;
  bool IsRepeated(size_t index) const;
  const ProcTable entries_;
  const std::string_view prefix_;
};

// A link that leads to a place of its own rather than to a name.
class ProcLink : public ProcNode {
 public:
  ProcLink(RefPtr<ProcFs> file_system, ProcId id, uint64_t inode, const ProcEntry& entry)
      : ProcNode(std::move(file_system), id, inode, entry.mode), entry_(entry) {}
  Result<String> ReadLink() override;
  Result<Path> FollowMagicLink() override;

 private:
  Result<Path> Follow();
  const ProcEntry& entry_;
};

Result<RefPtr<Vnode>> MakeProcFile(RefPtr<ProcFs> file_system, const ProcEntry& entry, ProcId id,
                                   uint64_t inode);
// /proc/PID, which may name a thread, or, if |is_task|, /proc/PID/task/TID.
Result<RefPtr<Vnode>> MakeProcessDirectory(RefPtr<ProcFs> file_system, ProcId id, bool is_task);

}  // namespace zrun::vfs
