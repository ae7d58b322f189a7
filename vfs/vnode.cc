#include "vfs/vnode.h"

#include "vfs/block_device.h"
#include "vfs/devfs/devices.h"
#include "vfs/file_locks.h"
#include "vfs/pipe.h"
#include "vfs/vnode_file.h"

namespace zrun::vfs {

namespace {
constinit std::atomic<uint64_t> vnode_count{0};
}  // namespace

Vnode::Vnode() { vnode_count.fetch_add(1, std::memory_order_relaxed); }

Vnode::~Vnode() {
  vnode_count.fetch_sub(1, std::memory_order_relaxed);
  delete locks_.load(std::memory_order_relaxed);
}

uint64_t Vnode::count() { return vnode_count.load(std::memory_order_relaxed); }

Result<Ownership> Vnode::GetOwnership() {
  const Attributes attributes = TRY(GetAttributes());
  return Ownership{attributes.mode, attributes.uid, attributes.gid};
}

Result<RefPtr<FileDescription>> Vnode::Open(const Path& path, OpenFlags flags) {
  switch (type()) {
    case VnodeType::kRegular:
    case VnodeType::kDirectory:
      return VnodeFile::Create(path, flags);
    case VnodeType::kFifo:
      return OpenFifo(path, flags);
    case VnodeType::kCharDevice:
      return OpenCharDevice(path, TRY(GetAttributes()).rdev, flags);
    case VnodeType::kBlockDevice:
      return OpenBlockDevice(path, TRY(GetAttributes()).rdev, flags);
    case VnodeType::kSymlink:
      return Errno::kELOOP;
    case VnodeType::kSocket:
      break;
  }
  return Errno::kENXIO;
}

Result<Path> Vnode::FollowMagicLink() { return Errno::kENOENT; }

namespace {

class SinkVisitor final : public VmObject::PieceVisitor {
 public:
  explicit SinkVisitor(DataSink& sink) : sink_(sink) {}
  Result<size_t> Visit(std::span<std::byte> piece) override { return sink_.Put(piece); }

 private:
  DataSink& sink_;
};
class SourceVisitor final : public VmObject::PieceVisitor {
 public:
  explicit SourceVisitor(DataSource& source) : source_(source) {}
  Result<size_t> Visit(std::span<std::byte> piece) override { return source_.Take(piece); }

 private:
  DataSource& source_;
};

}  // namespace

Result<size_t> ReadObject(VmObject& object, uint64_t offset, uint64_t size, DataSink& sink) {
  SinkVisitor visitor(sink);
  return object.ForEachPiece(offset, std::min<uint64_t>(size, sink.remaining()), hal::Access::kRead,
                             visitor);
}

Result<size_t> WriteObject(VmObject& object, uint64_t offset, uint64_t size, DataSource& source) {
  SourceVisitor visitor(source);
  return object.ForEachPiece(offset, std::min<uint64_t>(size, source.remaining()),
                             hal::Access::kWrite, visitor);
}

Result<size_t> Vnode::Read(uint64_t offset, DataSink& sink) {
  if (type() == VnodeType::kDirectory) return Errno::kEISDIR;
  return ReadObject(*TRY(Contents()), offset, UINT64_MAX, sink);
}

Result<size_t> Vnode::Write(uint64_t offset, DataSource& source) {
  if (type() == VnodeType::kDirectory) return Errno::kEISDIR;
  auto contents = TRY(Contents());
  const uint64_t end = offset + source.remaining();
  if (end > contents->size()) TRY(contents->Resize(end));
  return WriteObject(*contents, offset, UINT64_MAX, source);
}

Result<size_t> Vnode::Append(DataSource& source, uint64_t& offset) {
  offset = TRY(GetAttributes()).size;
  return Write(offset, source);
}

Result<uint64_t> Vnode::SeekData(uint64_t offset, bool data) {
  // All data, with the hole that every file ends with.
  const uint64_t size = TRY(GetAttributes()).size;
  if (offset >= size) return Errno::kENXIO;
  return data ? offset : size;
}

Result<FileLocks*> Vnode::locks() {
  if (FileLocks* locks = existing_locks()) return locks;
  OwnPtr<FileLocks> fresh = TRY(MakeOwned<FileLocks>());
  FileLocks* expected = nullptr;
  if (!locks_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return expected;
  return fresh.release();
}

RefPtr<KernelObject> Vnode::attached_object() const {
  MutexLock lock(attach_lock_);
  return attached_;
}

RefPtr<KernelObject> Vnode::AttachObject(RefPtr<KernelObject> object) {
  MutexLock lock(attach_lock_);
  if (!attached_) attached_ = std::move(object);
  return attached_;
}

void Vnode::DetachObject(const KernelObject& object) {
  RefPtr<KernelObject> detached;  // dropped without the lock
  MutexLock lock(attach_lock_);
  if (attached_.get() == &object) std::swap(attached_, detached);
}

bool Vnode::AddWriter() {
  int32_t count = writers_.load(std::memory_order_relaxed);
  do {
    if (count < 0) return false;
  } while (!writers_.compare_exchange_weak(count, count + 1, std::memory_order_seq_cst));
  return true;
}
void Vnode::RemoveWriter() { writers_.fetch_sub(1, std::memory_order_seq_cst); }

bool Vnode::AddExecutor() {
  int32_t count = writers_.load(std::memory_order_relaxed);
  do {
    if (count > 0) return false;
  } while (!writers_.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel));
  return true;
}
void Vnode::RemoveExecutor() { writers_.fetch_add(1, std::memory_order_acq_rel); }

}  // namespace zrun::vfs
