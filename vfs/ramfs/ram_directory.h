#pragma once
#include "vfs/ramfs/ram_vnode.h"

namespace zrun::vfs {

// A directory in memory. Entries have ascending cursors, so that reading goes on where it was
// whatever is removed meanwhile. An entry without a vnode is a whiteout: it hides the name of a
// layer below (overlayfs derives from this).
class RamDirectory : public RamVnode {
 public:
  static Result<RefPtr<RamDirectory>> Create(RamFileSystem& fs, uint32_t mode, uint32_t uid,
                                             uint32_t gid);
  ~RamDirectory() override;
  Result<RefPtr<Vnode>> Lookup(std::string_view name) final;
  Result<RefPtr<Vnode>> Create(std::string_view name, uint32_t mode, uint64_t rdev, uint32_t uid,
                               uint32_t gid) override;
  Result<RefPtr<Vnode>> Symlink(std::string_view name, std::string_view target, uint32_t uid,
                                uint32_t gid) final;
  Result<void> Link(std::string_view name, Vnode& target) final;
  Result<RefPtr<Vnode>> CreateUnnamed(uint32_t mode, uint32_t uid, uint32_t gid) final;
  Result<void> Unlink(std::string_view name, Vnode& victim, bool directory) final;
  Result<void> Rename(std::string_view name, Vnode& moved, Vnode& new_parent,
                      std::string_view new_name, Vnode* victim, uint32_t flags) override;
  Result<void> ReadDirectory(uint64_t cursor, DirentSink& sink) final;

  // Puts a node into the tree while it is being set up, by nobody's leave.
  Result<void> Place(std::string_view name, RefPtr<RamVnode> vnode);

 protected:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  RamDirectory(RamFileSystem& fs, uint64_t inode, uint32_t mode, uint32_t uid, uint32_t gid);

  // ---- The layers below; all but ReadBelow with the tree's lock held.
  // ENOENT if they do not have the name.
  virtual Result<RefPtr<RamVnode>> LookupBelow(std::string_view) { return Errno::kENOENT; }
  // Whether a name, once removed, must be hidden.
  virtual Result<bool> HasBelow(std::string_view) { return false; }
  // Calls |visit| for names of below until it returns false.
  class NameVisitor {
   public:
    virtual bool Visit(std::string_view name) = 0;

   protected:
    ~NameVisitor() = default;
  };
  virtual Result<void> VisitBelow(NameVisitor&) { return {}; }
  // Cursors from kBelowCursor on.
  virtual Result<void> ReadBelow(uint64_t /*cursor*/, DirentSink&) { return {}; }
  static constexpr uint64_t kBelowCursor = uint64_t{1} << 60;
  // Whether the directory itself says something about |name|: an entry or a whiteout.
  bool Overrides(std::string_view name);

 private:
  friend class RamFileSystem;
  struct Entry {
    String name;
    RefPtr<RamVnode> vnode;  // null: a whiteout
    uint64_t cursor;
    uint32_t hash;
    Entry* next;  // in the bucket
  };
  struct Slot {
    uint64_t cursor;
    Entry* entry;  // null: removed
  };
  struct Batch;

  static uint32_t Hash(std::string_view name);
  Entry* Find(std::string_view name);
  Result<Entry*> Add(std::string_view name, RefPtr<RamVnode> vnode);
  void Erase(Entry& entry);
  void Unhash(Entry& entry);
  Result<void> GrowBuckets();
  size_t SlotOf(uint64_t cursor) const;
  Result<RefPtr<RamVnode>> FindAnywhere(std::string_view name);
  Result<void> CheckNewName(std::string_view name);
  Result<void> CheckEmpty();
  Result<void> Insert(std::string_view name, RefPtr<RamVnode> vnode);
  Result<RefPtr<RamVnode>> MakeNode(uint32_t mode, uint64_t rdev, uint32_t uid, uint32_t gid);
  void Adopted(const RamVnode& child, int sign);

  // All guarded by the file system's tree lock.
  Vector<Slot> slots_;
  size_t live_ = 0;         // entries, whiteouts among them
  Vector<Entry*> buckets_;  // none for a few entries
  uint64_t next_cursor_ = 1;
  bool dead_ = false;  // removed: nothing can be made in it
};

}  // namespace zrun::vfs
