#pragma once
#include <string_view>

#include "base/string.h"
#include "objects/vm/vm_object.h"
#include "vfs/data_buffer.h"
#include "vfs/types.h"

namespace zrun::vfs {

class FileDescription;
class FileSystem;
struct Path;
class FileLocks;  // advisory locks of one file (vfs/file_locks.h)

// A file, whatever its name: an inode. File systems implement this and FileSystem, nothing else;
// path walking, mounts, permissions, caching, holes in names are done once, above. Names are single
// components, checked for length. Methods do their own locking (LockRank::kVnode). Permission
// checks have been made by the caller.
class Vnode : public RefCounted<Vnode> {
 public:
  virtual ~Vnode();
  static uint64_t count();  // how many there are
  virtual VnodeType type() const = 0;
  virtual FileSystem& file_system() const = 0;
  virtual uint64_t inode() const = 0;
  // The same for all vnodes of one file: trees that do not keep theirs (procfs) make one each time
  // that somebody looks. Odd where it is not an address.
  virtual uintptr_t identity() const { return reinterpret_cast<uintptr_t>(this); }
  // Attributes::device may stay 0.
  virtual Result<Attributes> GetAttributes() = 0;
  virtual Result<void> SetAttributes(const AttributeChange&) { return Errno::kEPERM; }
  // What permission checks need, for every directory on a path: quicker than all attributes.
  virtual Result<Ownership> GetOwnership();
  // Its contents (or names, or target) were read: the access time as relatime has it.
  virtual void NoteAccess() {}
  // Makes the FileDescription for open(2); the default serves regular files and directories
  // (VnodeFile), FIFOs and devices by number (devfs registry). |flags| has no creation flags left.
  virtual Result<RefPtr<FileDescription>> Open(const Path& path, OpenFlags flags);

  // ---- Directories
  virtual Result<RefPtr<Vnode>> Lookup(std::string_view) { return Errno::kENOTDIR; }
  // |mode| holds the type: regular, directory, FIFO, socket, device.
  virtual Result<RefPtr<Vnode>> Create(std::string_view, uint32_t /*mode*/, uint64_t /*rdev*/,
                                       uint32_t /*uid*/, uint32_t /*gid*/) {
    return Errno::kEPERM;
  }
  virtual Result<RefPtr<Vnode>> Symlink(std::string_view, std::string_view /*target*/,
                                        uint32_t /*uid*/, uint32_t /*gid*/) {
    return Errno::kEPERM;
  }
  virtual Result<void> Link(std::string_view, Vnode& /*target*/) { return Errno::kEPERM; }
  // An unnamed file (O_TMPFILE, memfd); Link() may name it later.
  virtual Result<RefPtr<Vnode>> CreateUnnamed(uint32_t /*mode*/, uint32_t /*uid*/,
                                              uint32_t /*gid*/) {
    return Errno::kEOPNOTSUPP;
  }
  virtual Result<void> Unlink(std::string_view, Vnode& /*victim*/, bool /*directory*/) {
    return Errno::kEPERM;
  }
  // |flags|: RENAME_NOREPLACE 1, EXCHANGE 2, WHITEOUT 4. |victim| is what the new name names now,
  // or null.
  virtual Result<void> Rename(std::string_view, Vnode& /*moved*/, Vnode& /*new_parent*/,
                              std::string_view /*new_name*/, Vnode* /*victim*/,
                              uint32_t /*flags*/) {
    return Errno::kEPERM;
  }
  // From |cursor| (0 at first; "." and ".." are the caller's work) until |sink| is full.
  virtual Result<void> ReadDirectory(uint64_t /*cursor*/, DirentSink&) { return Errno::kENOTDIR; }
  // May the dentry cache keep names of this directory (false for procfs and other live trees)?
  virtual bool CacheNames() const { return true; }
  // Where others can change names behind our back (hostfs: CacheNames() is false): names are cached
  // yet, and good only while NamesStamp() is what it was before they were looked up. 0: never.
  virtual bool RevalidateNames() const { return false; }
  virtual uint64_t NamesStamp() { return 0; }

  // ---- Symbolic links
  virtual Result<String> ReadLink() { return Errno::kEINVAL; }
  // The target, where it lives as long as the vnode: then following the link allocates nothing.
  virtual std::string_view StableLink() const { return {}; }
  // procfs's magic links go straight to a place; ENOENT otherwise.
  virtual Result<Path> FollowMagicLink();

  // ---- Regular files. Read stops at the end of file.
  virtual Result<size_t> Read(uint64_t offset, DataSink& sink);
  virtual Result<size_t> Write(uint64_t offset, DataSource& source);
  // Appends atomically: takes the end of file under the vnode's lock and returns where it wrote.
  virtual Result<size_t> Append(DataSource& source, uint64_t& offset);
  // What mmap maps. Where a file system returns one, Read and Write go through it by default.
  virtual Result<RefPtr<VmObject>> Contents() { return Errno::kENODEV; }
  virtual Result<void> Truncate(uint64_t /*size*/) { return Errno::kEINVAL; }
  // fallocate(2)'s mode.
  virtual Result<void> Allocate(uint32_t /*mode*/, uint64_t /*offset*/, uint64_t /*size*/) {
    return Errno::kEOPNOTSUPP;
  }
  virtual Result<uint64_t> SeekData(uint64_t offset, bool data);
  virtual Result<void> Sync(bool /*data_only*/) { return {}; }
  // A VnodeFile of this vnode came and went: what a file system keeps only while it is open.
  virtual Result<void> Opened(OpenFlags) { return {}; }
  virtual void Closed(OpenFlags) {}
  // memfd_create(2): F_GET_SEALS and F_ADD_SEALS (FileSeal bits); EINVAL where files have none.
  virtual Result<uint32_t> GetSeals() { return Errno::kEINVAL; }
  virtual Result<void> AddSeals(uint32_t) { return Errno::kEINVAL; }

  // Somebody watches it (inotify(7), F_NOTIFY), one more or one less: where others can change it
  // behind our back, they are watched too. ENOSPC. No lock held from kFileSystem on.
  virtual Result<void> BeginWatch() { return {}; }
  virtual void EndWatch() {}

  // chattr(1), InodeFlag bits: ENOTTY where files have none.
  virtual Result<uint32_t> GetFlags() { return Errno::kENOTTY; }
  virtual Result<void> SetFlags(uint32_t) { return Errno::kENOTTY; }

  // ---- Extended attributes; names with their prefix ("user.x"). kERANGE if |buffer| is too small;
  // a zero-size buffer asks for the size. |flags|: XATTR_CREATE 1, XATTR_REPLACE 2.
  virtual Result<size_t> GetXattr(std::string_view, std::span<std::byte>) {
    return Errno::kEOPNOTSUPP;
  }
  virtual Result<void> SetXattr(std::string_view, std::span<const std::byte>, uint32_t) {
    return Errno::kEOPNOTSUPP;
  }
  virtual Result<void> RemoveXattr(std::string_view) { return Errno::kEOPNOTSUPP; }
  virtual Result<size_t> ListXattr(std::span<char>) { return Errno::kEOPNOTSUPP; }

  // ---- State that belongs to the file rather than to a file system.
  // Advisory locks, made on first use.
  Result<FileLocks*> locks();
  // Where a bound unix socket or a FIFO's pipe hangs, so that every opener of the name finds it.
  RefPtr<KernelObject> attached_object() const EXCLUDES(attach_lock_);
  // Attaches |object| unless there is one; returns the one that is attached then.
  RefPtr<KernelObject> AttachObject(RefPtr<KernelObject> object) EXCLUDES(attach_lock_);
  void DetachObject(const KernelObject& object) EXCLUDES(attach_lock_);
  // ETXTBSY: executing (deny write) and writers exclude each other. Return false if the other side
  // is there.
  bool AddWriter();
  void RemoveWriter();
  bool AddExecutor();
  void RemoveExecutor();
  // How many have it open for writing (negative: are executing it), and for reading alone: what
  // leases look at. Counted before they are looked at, in one order for all.
  int32_t writers() const { return writers_.load(std::memory_order_seq_cst); }
  int32_t readers() const { return readers_.load(std::memory_order_seq_cst); }
  void AddReader() { readers_.fetch_add(1, std::memory_order_seq_cst); }
  void RemoveReader() { readers_.fetch_sub(1, std::memory_order_seq_cst); }
  // Whether leases (fcntl(F_SETLEASE)) can be had: not where others open files behind our back.
  virtual bool can_lease() const { return true; }
  // An unnamed file that Link() may name (O_TMPFILE without O_EXCL).
  bool is_linkable() const { return linkable_.load(std::memory_order_relaxed); }
  void set_linkable() { linkable_.store(true, std::memory_order_relaxed); }
  // What those flags forbid: any change; any but to append, or to add a name.
  bool is_immutable() const { return inode_flags() & InodeFlag::kImmutable; }
  bool is_append_only() const { return inode_flags() & InodeFlag::kAppendOnly; }
  // How long what is written is expected to live (F_SET_RW_HINT, RWH_WRITE_LIFE_*): kept, nothing
  // more.
  uint64_t write_hint() const { return write_hint_.load(std::memory_order_relaxed); }
  void set_write_hint(uint64_t hint) { write_hint_.store(hint, std::memory_order_relaxed); }
  // The locks if there are any.
  FileLocks* existing_locks() const { return locks_.load(std::memory_order_acquire); }

 protected:
  Vnode();
  uint32_t inode_flags() const { return inode_flags_.load(std::memory_order_relaxed); }
  void set_inode_flags(uint32_t flags) { inode_flags_.store(flags, std::memory_order_relaxed); }

 private:
  mutable Mutex attach_lock_{LockRank::kLeaf};
  RefPtr<KernelObject> attached_ GUARDED_BY(attach_lock_);
  std::atomic<FileLocks*> locks_{nullptr};
  std::atomic<int32_t> writers_{0};  // negative: executors
  std::atomic<int32_t> readers_{0};
  std::atomic<bool> linkable_{false};
  std::atomic<uint32_t> inode_flags_{0};
  std::atomic<uint64_t> write_hint_{0};
};

// At most |size| bytes of an object, as many as the other side takes or has; not beyond its end.
Result<size_t> ReadObject(VmObject& object, uint64_t offset, uint64_t size, DataSink& sink);
Result<size_t> WriteObject(VmObject& object, uint64_t offset, uint64_t size, DataSource& source);

}  // namespace zrun::vfs
