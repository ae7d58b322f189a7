#include "vfs/socket/unix_name.h"

#include "base/text.h"
#include "vfs/socket/unix_socket.h"

namespace zrun::vfs {
namespace {

constexpr size_t kFamilySize = 2, kMaxSize = 110;  // sizeof(sockaddr_un)
constexpr size_t kBuckets = 64;

// IntrusiveList has no constant initialisation, so the buckets are made on first use.
struct NameTable {
  IntrusiveList<AbstractNameNode> buckets[kBuckets];
};
constinit Mutex table_lock{LockRank::kFileSystem};
constinit NameTable* table GUARDED_BY(table_lock) = nullptr;

size_t BucketOf(std::string_view name) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (char c : name) hash = (hash ^ uint8_t(c)) * 16777619u;
  return hash % kBuckets;
}

std::string_view TextOf(const SocketAddress& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()) + kFamilySize,
          address.size - kFamilySize};
}

}  // namespace

SocketAddress UnnamedUnixAddress() {
  SocketAddress address{};
  address.bytes[0] = std::byte{kFamilyUnix};
  address.size = kFamilySize;
  return address;
}

bool IsUnnamed(const SocketAddress& address) {
  return address.size == kFamilySize && address.family() == kFamilyUnix;
}

Result<RefPtr<UnixName>> UnixName::Create(const SocketAddress& address) {
  if (address.size <= kFamilySize || address.size > kMaxSize || address.family() != kFamilyUnix)
    return Errno::kEINVAL;
  auto name = TRY(MakeRef<UnixName>());
  name->address_ = address;
  const std::string_view text = TextOf(address);
  if (text[0] != 0) {
    // Up to its NUL, which counts; an unterminated one gets its own.
    const size_t length = std::min(text.find('\0'), text.size());
    name->address_.bytes[kFamilySize + length] = std::byte{0};
    name->address_.size = kFamilySize + length + 1;
  }
  return name;
}

Result<RefPtr<UnixName>> UnixName::CreateAutomatic(uint32_t number) {
  auto name = TRY(MakeRef<UnixName>());
  name->address_ = UnnamedUnixAddress();
  const TextBuffer<8> digits(Hex{number & 0xfffff, 5});
  __builtin_memcpy(&name->address_.bytes[kFamilySize + 1], digits.view().data(), 5);
  name->address_.size = kFamilySize + 6;
  return name;
}

std::string_view UnixName::path() const {
  const std::string_view text = TextOf(address_);
  return text.substr(0, text.size() - 1);
}

std::string_view UnixName::abstract() const { return TextOf(address_); }

bool AbstractNames::Add(const UnixName& name, AbstractNameNode& node) {
  MutexLock lock(table_lock);
  if (!table) {
    auto made = MakeOwned<NameTable>();
    if (!made.ok()) return false;
    table = std::move(made).value().release();
  }
  auto& bucket = table->buckets[BucketOf(name.abstract())];
  for (const AbstractNameNode& other : bucket)
    if (other.name_->abstract() == name.abstract() &&
        other.socket_.socket_type() == node.socket_.socket_type())
      return false;
  node.name_ = &name;
  bucket.PushBack(node);
  return true;
}

void AbstractNames::Remove(AbstractNameNode& node) {
  MutexLock lock(table_lock);
  node.Unlink();
}

RefPtr<UnixSocket> AbstractNames::Find(const UnixName& name, SocketType type) {
  MutexLock lock(table_lock);
  if (!table) return nullptr;
  for (const AbstractNameNode& node : table->buckets[BucketOf(name.abstract())]) {
    if (node.name_->abstract() != name.abstract() || node.socket_.socket_type() != type) continue;
    return node.socket_.TryAddRef() ? RefPtr<UnixSocket>::Adopt(&node.socket_) : nullptr;
  }
  return nullptr;
}

}  // namespace zrun::vfs
