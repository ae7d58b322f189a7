#include "vfs/procfs/proc_node.h"
#include "vfs/procfs/proc_text_file.h"

// /proc/PID: the table's files, and the directories whose names are numbers.
namespace zrun::vfs {
namespace {

// A name that is a number as the kernel writes it, or -1.
int32_t NumberOf(std::string_view name) {
  const ParsedNumber number = ParseUnsigned(name);
  if (number.length == 0 || number.length != name.size()) return -1;
  if ((name[0] == '0' && name.size() > 1) || number.value > INT32_MAX) return -1;
  return int32_t(number.value);
}

// ---- fd and fdinfo.

class FdLink final : public ProcNode {
 public:
  FdLink(RefPtr<ProcFs> file_system, ProcId id, int fd, uint32_t mode)
      : ProcNode(std::move(file_system), id, ProcInode(id, ProcInodeKind::kFd, uint32_t(fd)), mode),
        fd_(fd) {}
  Result<String> ReadLink() override {
    auto target = Target();
    if (!target.ok() && target.error() == Errno::kESRCH) return Errno::kENOENT;
    return source().NameOf(TRY(std::move(target)));
  }
  Result<Path> FollowMagicLink() override {
    auto target = Target();
    if (!target.ok() && target.error() == Errno::kENOENT) return Errno::kESRCH;
    return target;
  }

 private:
  Result<Path> Target() {
    TRY(source().CheckInspect(id_));
    return Path(TRY(source().File(id_, fd_)).file->path());
  }
  const int fd_;
};

Result<void> ShowFdInfo(ProcSource& source, ProcId id, int fd, TextSink& out) {
  constexpr int kCurrent = 1;
  const ProcFile open = TRY(source.File(id, fd));
  const auto position = open.file->Seek(0, kCurrent);
  uint32_t flags = uint32_t(open.file->flags());
  if (open.close_on_exec) flags |= uint32_t(OpenFlags::kCloseOnExec);
  const Path& path = open.file->path();
  const auto vnode = path.vnode();
  Write(out, "pos:\t", position.ok() ? position.value() : 0, "\nflags:\t0", Octal{flags},
        "\nmnt_id:\t", path.mount ? path.mount->id() : 0, "\nino:\t", vnode ? vnode->inode() : 0,
        "\n");
  TRY(ShowLocksOf(*open.file, out));
  open.file->ShowInfo(out);
  return {};
}

class FdInfoNode final : public ProcNode {
 public:
  FdInfoNode(RefPtr<ProcFs> file_system, ProcId id, int fd)
      : ProcNode(std::move(file_system), id, ProcInode(id, ProcInodeKind::kFdInfo, uint32_t(fd)),
                 kModeRegular | 0444),
        fd_(fd) {}
  Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags) override {
    TRY(source().CheckInspect(id_));
    return OpenProcNumbered(path, flags, request(), fd_, ShowFdInfo);
  }

 private:
  const int fd_;
};

class FdDirectory final : public ProcDirectory {
 public:
  FdDirectory(RefPtr<ProcFs> file_system, ProcId id, bool info)
      : ProcDirectory(std::move(file_system), id,
                      ProcInode(id, ProcInodeKind::kDirectory, info ? kInfoIndex : kFdIndex),
                      kModeDirectory | (info ? 0555 : 0500)),
        info_(info) {}
  Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags) override {
    TRY(source().CheckInspect(id_));
    return ProcDirectory::Open(path, flags);
  }
  Result<RefPtr<Vnode>> Lookup(std::string_view name) override {
    const int fd = NumberOf(name);
    if (fd < 0) return Errno::kENOENT;
    TRY(source().CheckInspect(id_));
    const auto open = source().File(id_, fd);
    if (!open.ok()) return Errno::kENOENT;
    if (info_) return RefPtr<Vnode>(TRY(MakeRef<FdInfoNode>(file_system_, id_, fd)));
    uint32_t mode = kModeSymlink;
    if (open.value().file->readable()) mode |= 0500;
    if (open.value().file->writable()) mode |= 0300;
    return RefPtr<Vnode>(TRY(MakeRef<FdLink>(file_system_, id_, fd, mode)));
  }
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override {
    if (!source().Exists(id_)) return Errno::kENOENT;
    if (cursor > INT32_MAX) return {};
    const auto kind = info_ ? ProcInodeKind::kFdInfo : ProcInodeKind::kFd;
    const auto type = info_ ? VnodeType::kRegular : VnodeType::kSymlink;
    for (int fd = source().NextFd(id_, int(cursor)); fd >= 0; fd = source().NextFd(id_, fd + 1)) {
      const TextBuffer<16> name(fd);
      if (!sink.Add(ProcInode(id_, kind, uint32_t(fd)), type, name.view(), uint64_t(fd) + 1))
        return {};
    }
    return {};
  }

 private:
  static constexpr uint32_t kFdIndex = 0x100000, kInfoIndex = 0x100001;
  const bool info_;
};

// ---- task

class TaskDirectory final : public ProcDirectory {
 public:
  TaskDirectory(RefPtr<ProcFs> file_system, ProcId id)
      : ProcDirectory(std::move(file_system), id,
                      ProcInode(id, ProcInodeKind::kDirectory, 0x100002), kModeDirectory | 0555) {}
  // Each thread's directory is a link to it.
  Result<Attributes> GetAttributes() override {
    Attributes attributes = TRY(ProcNode::GetAttributes());
    for (int32_t tid = source().NextThread(id_.pid, 0); tid >= 0;
         tid = source().NextThread(id_.pid, tid + 1))
      attributes.links++;
    return attributes;
  }
  Result<RefPtr<Vnode>> Lookup(std::string_view name) override {
    if (!source().Exists(id_)) return Errno::kESRCH;
    const ProcId thread{id_.pid, NumberOf(name)};
    if (thread.tid <= 0 || !source().Exists(thread)) return Errno::kENOENT;
    return MakeProcessDirectory(file_system_, thread, true);
  }
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override {
    if (!source().Exists(id_)) return Errno::kENOENT;
    if (cursor > INT32_MAX) return {};
    for (int32_t tid = source().NextThread(id_.pid, int32_t(cursor)); tid >= 0;
         tid = source().NextThread(id_.pid, tid + 1)) {
      const TextBuffer<16> name(tid);
      const ProcId thread{id_.pid, tid};
      if (!sink.Add(ProcInode(thread, ProcInodeKind::kTask, 0), VnodeType::kDirectory, name.view(),
                    uint64_t(tid) + 1))
        return {};
    }
    return {};
  }
};

// ---- mem, pagemap

using OpenMemory = Result<RefPtr<FileDescription>> (*)(const Path& path, OpenFlags flags,
                                                       const ProcRequest& request);
class MemoryNode final : public ProcNode {
 public:
  MemoryNode(RefPtr<ProcFs> file_system, ProcId id, uint32_t index, uint32_t mode, OpenMemory open)
      : ProcNode(std::move(file_system), id, ProcInode(id, ProcInodeKind::kEntry, index),
                 kModeRegular | mode),
        open_(open) {}
  Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags) override {
    return open_(path, flags, request());
  }

 private:
  const OpenMemory open_;
};

// ---- children

Result<void> ShowChildren(const ProcRequest& request, TextSink& out) {
  for (int32_t pid = request.source.NextChild(request.id, 0); pid >= 0;
       pid = request.source.NextChild(request.id, pid + 1))
    Write(out, pid, ' ');
  return {};
}
constexpr ProcEntry kChildren{.path = "children", .show = ShowChildren};

class ProcessDirectory final : public TableDirectory {
 public:
  ProcessDirectory(RefPtr<ProcFs> file_system, ProcId id, bool is_task)
      : TableDirectory(std::move(file_system), kProcessEntries, {}, id,
                       ProcInode(id, is_task ? ProcInodeKind::kTask : ProcInodeKind::kProcess, 0),
                       kModeDirectory | 0555),
        is_task_(is_task) {}
  Result<RefPtr<Vnode>> Lookup(std::string_view name) override {
    if (!source().Exists(id_)) return is_task_ ? Errno::kENOENT : Errno::kESRCH;
    if (name == "fd") return RefPtr<Vnode>(TRY(MakeRef<FdDirectory>(file_system_, id_, false)));
    if (name == "fdinfo") return RefPtr<Vnode>(TRY(MakeRef<FdDirectory>(file_system_, id_, true)));
    if (name == "mem")
      return RefPtr<Vnode>(
          TRY(MakeRef<MemoryNode>(file_system_, id_, 0x100003u, 0600u, OpenProcMemory)));
    if (name == "pagemap")
      return RefPtr<Vnode>(
          TRY(MakeRef<MemoryNode>(file_system_, id_, 0x100004u, 0400u, OpenProcPagemap)));
    if (name == "children" && is_task_)
      return MakeProcFile(file_system_, kChildren, id_,
                          ProcInode(id_, ProcInodeKind::kDirectory, 0x100003));
    if (name == "task" && !is_task_)
      return RefPtr<Vnode>(TRY(MakeRef<TaskDirectory>(file_system_, id_)));
    return TableDirectory::Lookup(name);
  }
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override {
    static constexpr struct {
      std::string_view name;
      VnodeType type;
    } kOwn[] = {{"fd", VnodeType::kDirectory},   {"fdinfo", VnodeType::kDirectory},
                {"mem", VnodeType::kRegular},    {"pagemap", VnodeType::kRegular},
                {"task", VnodeType::kDirectory}, {"children", VnodeType::kRegular}};
    if (!source().Exists(id_)) return Errno::kENOENT;
    constexpr uint64_t own = std::size(kOwn) - 1;
    for (; cursor < own; cursor++) {
      const auto& entry = kOwn[cursor == own - 1 && is_task_ ? own : cursor];
      const uint64_t inode = ProcInode(id_, ProcInodeKind::kDirectory, uint32_t(0x100000 + cursor));
      if (!sink.Add(inode, entry.type, entry.name, cursor + 1)) return {};
    }
    Shifted shifted(sink, own);
    return TableDirectory::ReadDirectory(cursor - own, shifted);
  }

 private:
  class Shifted final : public DirentSink {
   public:
    Shifted(DirentSink& sink, uint64_t by) : sink_(sink), by_(by) {}
    bool Add(uint64_t inode, VnodeType type, std::string_view name, uint64_t next) override {
      return sink_.Add(inode, type, name, next + by_);
    }

   private:
    DirentSink& sink_;
    const uint64_t by_;
  };
  const bool is_task_;
};

// ---- /proc itself.

class RootDirectory final : public TableDirectory {
 public:
  explicit RootDirectory(RefPtr<ProcFs> file_system)
      : TableDirectory(std::move(file_system), kSystemEntries, {}, {}, 1, kModeDirectory | 0555) {}
  Result<RefPtr<Vnode>> Lookup(std::string_view name) override {
    if (name == "sys") return Create(file_system_, kSysctlEntries, {}, {}, 0555);
    const int32_t number = NumberOf(name);
    if (number < 0) return TableDirectory::Lookup(name);
    const auto id = source().Find(number);
    if (!id.ok()) return Errno::kENOENT;
    return MakeProcessDirectory(file_system_, id.value(), false);
  }
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) override {
    const uint64_t table = end_cursor();
    if (cursor < table) {
      Last last(sink);
      TRY(TableDirectory::ReadDirectory(cursor, last));
      if (last.full()) return {};
      cursor = table;
    }
    if (cursor == table) {
      if (!sink.Add(ProcInode({}, ProcInodeKind::kDirectory, (1 << 20) + 1), VnodeType::kDirectory,
                    "sys", table + 1))
        return {};
      cursor++;
    }
    const uint64_t first = table + 1;
    if (cursor - first > INT32_MAX) return {};
    for (int32_t pid = source().NextProcess(int32_t(cursor - first)); pid >= 0;
         pid = source().NextProcess(pid + 1)) {
      const TextBuffer<16> name(pid);
      if (!sink.Add(ProcInode({pid, 0}, ProcInodeKind::kProcess, 0), VnodeType::kDirectory,
                    name.view(), first + uint64_t(pid) + 1))
        return {};
    }
    return {};
  }

 private:
  // Remembers whether the sink had room to the end.
  class Last final : public DirentSink {
   public:
    explicit Last(DirentSink& sink) : sink_(sink) {}
    bool Add(uint64_t inode, VnodeType type, std::string_view name, uint64_t next) override {
      full_ = !sink_.Add(inode, type, name, next);
      return !full_;
    }
    bool full() const { return full_; }

   private:
    DirentSink& sink_;
    bool full_ = false;
  };
};

constinit ProcSource* proc_source = nullptr;

}  // namespace

Result<RefPtr<Vnode>> MakeProcessDirectory(RefPtr<ProcFs> file_system, ProcId id, bool is_task) {
  return RefPtr<Vnode>(TRY(MakeRef<ProcessDirectory>(std::move(file_system), id, is_task)));
}

RefPtr<Vnode> ProcFs::Root() {
  if (kind_ == Kind::kSys) {
    auto top = TableDirectory::Create(RefPtr<ProcFs>(this), kSysFsEntries, {}, {}, 0555);
    return top.ok() ? std::move(top).value() : nullptr;
  }
  auto root = MakeRef<RootDirectory>(RefPtr<ProcFs>(this));
  return root.ok() ? RefPtr<Vnode>(std::move(root).value()) : nullptr;
}

Result<StatFs> ProcFs::GetStatFs() {
  StatFs stat;
  stat.type = kind_ == Kind::kProc ? 0x9fa0 : 0x62656572;  // PROC_, SYSFS_SUPER_MAGIC
  return stat;
}

void SetProcSource(ProcSource* source) { proc_source = source; }

namespace {
Result<RefPtr<FileSystem>> MountKind(ProcFs::Kind kind) {
  if (!proc_source) return Errno::kENODEV;
  return RefPtr<FileSystem>(TRY(MakeRef<ProcFs>(*proc_source, kind)));
}
}  // namespace

Result<RefPtr<FileSystem>> MountProcFs(std::string_view, std::string_view) {
  return MountKind(ProcFs::Kind::kProc);
}

Result<RefPtr<FileSystem>> MountSysFs(std::string_view, std::string_view) {
  return MountKind(ProcFs::Kind::kSys);
}

int32_t ProcessOfDirectory(const FileDescription& file) {
  const auto vnode = file.path().vnode();
  if (file.kind() != FileDescription::Kind::kVnode || !vnode ||
      vnode->file_system().type_name() != "proc" || vnode->type() != VnodeType::kDirectory)
    return 0;
  return NumberInInode(vnode->inode(), ProcInodeKind::kProcess);
}

}  // namespace zrun::vfs
