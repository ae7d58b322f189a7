#include "vfs/ramfs/ramfs.h"

#include "base/text.h"
#include "vfs/ramfs/ram_directory.h"
#include "vfs/ramfs/ram_regular.h"
#include "vfs/ramfs/ramfs_options.h"

namespace zrun::vfs {
namespace {

constexpr uint64_t kTmpfsMagic = 0x01021994, kRamfsMagic = 0x858458f6;  // <linux/magic.h>

// A number with k, m or g behind it; for sizes also "%", of all memory.
Result<uint64_t> ParseSize(std::string_view text, bool percent) {
  const ParsedNumber number = ParseUnsigned(text);
  if (number.length == 0) return Errno::kEINVAL;
  const std::string_view suffix = text.substr(number.length);
  if (suffix.empty()) return number.value;
  if (suffix.size() != 1) return Errno::kEINVAL;
  if (suffix == "%" && percent)
    return hal::TotalRam() / 100 * std::min<uint64_t>(number.value, 100);
  unsigned shift;
  switch (suffix.front() | 0x20) {
    case 'k':
      shift = 10;
      break;
    case 'm':
      shift = 20;
      break;
    case 'g':
      shift = 30;
      break;
    case 't':
      shift = 40;
      break;
    default:
      return Errno::kEINVAL;
  }
  uint64_t value;
  if (__builtin_mul_overflow(number.value, uint64_t{1} << shift, &value)) return Errno::kEINVAL;
  return value;
}

Result<uint32_t> ParseId(std::string_view text, unsigned base) {
  const ParsedNumber number = ParseUnsigned(text, base);
  if (number.length == 0 || number.length != text.size() || number.value > UINT32_MAX)
    return Errno::kEINVAL;
  return uint32_t(number.value);
}

Result<void> ApplyOption(std::string_view key, std::string_view value, bool strict,
                         RamfsOptions& options) {
  if (key == "mode") {
    options.root.mode = TRY(ParseId(value, 8)) & 07777;
    return {};
  }
  if (!strict) return {};
  if (key == "size") {
    options.limits.bytes = hal::RoundUp(TRY(ParseSize(value, true)));
    if (options.limits.bytes == 0) options.limits.bytes = UINT64_MAX;
  } else if (key == "nr_blocks") {
    options.limits.bytes = TRY(ParseSize(value, false)) * hal::kPageSize;
    if (options.limits.bytes == 0) options.limits.bytes = UINT64_MAX;
  } else if (key == "nr_inodes") {
    options.limits.inodes = TRY(ParseSize(value, false));
    if (options.limits.inodes == 0) options.limits.inodes = UINT64_MAX;
  } else if (key == "uid") {
    options.root.uid = TRY(ParseId(value, 10));
  } else if (key == "gid") {
    options.root.gid = TRY(ParseId(value, 10));
  } else if (key != "huge" && key != "inode64" && key != "inode32" && key != "noswap" &&
             key != "mpol") {
    return Errno::kEINVAL;
  }
  return {};
}

constinit std::atomic<RamFileSystem*> memfd_files{nullptr};

Result<RamFileSystem*> MemfdFileSystem() {
  if (RamFileSystem* existing = memfd_files.load(std::memory_order_acquire)) return existing;
  auto created = TRY(RamFileSystem::Create("tmpfs", kTmpfsMagic, {}, {}));
  RamFileSystem* expected = nullptr;
  if (memfd_files.compare_exchange_strong(expected, created.get(), std::memory_order_acq_rel))
    return created.Leak();  // lives for ever
  return expected;
}

}  // namespace

Result<void> RamfsOptions::Parse(std::string_view text, bool strict) {
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    TRY(ApplyOption(item.substr(0, equals), value, strict, *this));
  }
  return {};
}

Result<String> RamfsOptions::Show() const {
  // No limit is shown as it is asked for.
  const auto shown = [](uint64_t limit) { return limit == UINT64_MAX ? 0 : limit; };
  const RamfsOptions usual = TmpfsDefaults();
  TextBuilder out;
  if (limits.bytes != usual.limits.bytes) Write(out, ",size=", shown(limits.bytes) / 1024, "k");
  if (limits.inodes != usual.limits.inodes) Write(out, ",nr_inodes=", shown(limits.inodes));
  if (root.mode != usual.root.mode) Write(out, ",mode=", Octal{root.mode, 3});
  if (root.uid != usual.root.uid) Write(out, ",uid=", root.uid);
  if (root.gid != usual.root.gid) Write(out, ",gid=", root.gid);
  TRY(out.result());
  return out.Take();
}

RamfsOptions RamfsOptions::TmpfsDefaults() {
  RamfsOptions options;
  options.root.mode = 01777;
  options.limits.bytes = hal::RoundDown(hal::TotalRam() / 2);
  options.limits.inodes = hal::TotalRam() / 2 / hal::kPageSize;
  return options;
}

Result<RefPtr<FileSystem>> MountTmpfs(std::string_view, std::string_view text) {
  RamfsOptions options = RamfsOptions::TmpfsDefaults();
  TRY(options.Parse(text, true));
  auto made = TRY(RamFileSystem::Create("tmpfs", kTmpfsMagic, options.limits, options.root));
  made->SetShownOptions(TRY(options.Show()));
  return RefPtr<FileSystem>(std::move(made));
}

Result<RefPtr<FileSystem>> MountRamfs(std::string_view, std::string_view text) {
  RamfsOptions options;
  TRY(options.Parse(text, false));
  return RefPtr<FileSystem>(
      TRY(RamFileSystem::Create("ramfs", kRamfsMagic, options.limits, options.root)));
}

Result<RefPtr<Vnode>> CreateMemfdVnode(uint32_t mode, uint32_t uid, uint32_t gid, bool sealable) {
  RamFileSystem* fs = TRY(MemfdFileSystem());
  RefPtr<RamVnode> vnode = TRY(RamRegular::Create(*fs, kModeRegular | (mode & 07777), uid, gid));
  static_cast<RamRegular&>(*vnode).EnableSeals(sealable);
  return RefPtr<Vnode>(std::move(vnode));
}

}  // namespace zrun::vfs
