#include <algorithm>

#include "vfs/namei.h"
#include "vfs/procfs/proc_entry.h"

// /proc/PID/maps and its relatives. The mappings are asked for one after another: what changes
// meanwhile may be seen or not, but every line is true.
namespace zrun::vfs {
namespace {

constexpr size_t kNameColumn = 73;

// Counts what it passes on, for the column of the name.
class CountingSink final : public TextSink {
 public:
  explicit CountingSink(TextSink& sink) : sink_(sink) {}
  void Append(std::string_view text) override {
    count_ += text.size();
    sink_.Append(text);
  }
  size_t count() const { return count_; }

 private:
  TextSink& sink_;
  size_t count_ = 0;
};

// Names in such files have their newlines escaped.
void AppendEscaped(TextSink& out, std::string_view name) {
  for (char c : name) {
    if (c == '\n') {
      out.Append("\\012");
    } else {
      Write(out, c);
    }
  }
}

// "" if it has none.
Result<String> NameOf(const ProcRequest& request, const Mapping& mapping, FileDescription* file) {
  if (file) return request.source.NameOf(file->path());
  if (HasAny(mapping.flags, MapFlags::kVdso)) return String::Create("[vdso]");
  if (HasAny(mapping.flags, MapFlags::kGrowsDown)) return String::Create("[stack]");
  if (HasAny(mapping.flags, MapFlags::kHeap)) return String::Create("[heap]");
  // Shared memory without a file is an unlinked one's.
  if (!HasAny(mapping.flags, MapFlags::kPrivate)) return String::Create("/dev/zero (deleted)");
  return String();
}

Attributes AttributesOf(FileDescription* file) {
  if (!file) return {};
  const auto stat = Stat(file->path());
  return stat.ok() ? stat.value() : Attributes();
}

void ShowLine(const ProcRequest& request, const Mapping& mapping, TextSink& sink) {
  using hal::Access;
  CountingSink out(sink);
  const auto file = Downcast<FileDescription>(mapping.file);
  const Attributes attributes = AttributesOf(file.get());
  Write(out, Hex{mapping.range.base, 8}, '-', Hex{mapping.range.end(), 8}, ' ',
        HasAny(mapping.access, Access::kRead) ? 'r' : '-',
        HasAny(mapping.access, Access::kWrite) ? 'w' : '-',
        HasAny(mapping.access, Access::kExecute) ? 'x' : '-',
        HasAny(mapping.flags, MapFlags::kPrivate) ? 'p' : 's', ' ',
        Hex{file ? mapping.object_offset : 0, 8}, ' ', Hex{DeviceMajor(attributes.device), 2}, ':',
        Hex{DeviceMinor(attributes.device), 2}, ' ', attributes.inode, ' ');
  const auto name = NameOf(request, mapping, file.get());
  if (name.ok() && !name.value().empty()) {
    while (out.count() < kNameColumn) out.Append(" ");
    AppendEscaped(out, name.value().view());
  }
  sink.Append("\n");
}

// Figures of one mapping, or of many together. Which private pages are there is known to the
// machine alone: what could be touched counts as resident.
struct Figures {
  uint64_t size = 0, resident = 0, anonymous = 0, shared_dirty = 0, own_dirty = 0, locked = 0;
  void Add(const Mapping& mapping) {
    const bool reachable = mapping.access != hal::Access::kNone;
    const bool is_private = HasAny(mapping.flags, MapFlags::kPrivate);
    uint64_t there = 0;
    if (reachable)
      there = mapping.object && !mapping.object->is_physical()
                  ? std::min(mapping.range.size, mapping.object->committed_bytes())
                  : mapping.range.size;
    size += mapping.range.size;
    resident += there;
    if (is_private && !mapping.object) anonymous += there;
    if (!is_private && HasAny(mapping.access, hal::Access::kWrite)) {
      const bool is_shared = mapping.object && mapping.object->IsMappedTwice(mapping.object_offset,
                                                                             mapping.range.size);
      (is_shared ? shared_dirty : own_dirty) += there;
    }
    if (HasAny(mapping.flags, MapFlags::kLocked)) locked += there;
  }
};

void ShowFigures(const Figures& figures, bool rollup, TextSink& out) {
  const auto line = [&](std::string_view name, uint64_t bytes) {
    Write(out, PadText{name, -16}, Pad{int64_t(bytes / 1024), 8}, " kB\n");
  };
  const uint64_t dirty = figures.anonymous + figures.own_dirty + figures.shared_dirty;
  if (!rollup) {
    line("Size:", figures.size);
    line("KernelPageSize:", hal::kPageSize);
    line("MMUPageSize:", hal::kPageSize);
  }
  line("Rss:", figures.resident);
  line("Pss:", figures.resident);
  line("Shared_Clean:", 0);
  line("Shared_Dirty:", figures.shared_dirty);
  line("Private_Clean:", figures.resident - dirty);
  line("Private_Dirty:", figures.anonymous + figures.own_dirty);
  line("Referenced:", figures.resident);
  line("Anonymous:", figures.anonymous);
  line("LazyFree:", 0);
  line("AnonHugePages:", 0);
  line("ShmemPmdMapped:", 0);
  line("Shared_Hugetlb:", 0);
  line("Private_Hugetlb:", 0);
  line("Swap:", 0);
  line("SwapPss:", 0);
  line("Locked:", figures.locked);
}

// Calls |visit| for each mapping, with no lock held.
template <typename Visit>
Result<void> ForEachMapping(const ProcRequest& request, Visit visit) {
  const auto region = TRY(request.source.Memory(request.id));
  if (!region) return {};
  uint64_t address = 0;
  while (const auto mapping = region->FindFrom(address)) {
    visit(*mapping);
    address = mapping->range.end();
  }
  return {};
}

}  // namespace

Result<void> ShowMaps(const ProcRequest& request, TextSink& out) {
  return ForEachMapping(request, [&](const Mapping& mapping) { ShowLine(request, mapping, out); });
}

Result<void> ShowSmaps(const ProcRequest& request, TextSink& out) {
  return ForEachMapping(request, [&](const Mapping& mapping) {
    ShowLine(request, mapping, out);
    Figures figures;
    figures.Add(mapping);
    ShowFigures(figures, false, out);
    const bool is_shared = !HasAny(mapping.flags, MapFlags::kPrivate);
    const bool may_write = !is_shared || HasAny(mapping.max_access, hal::Access::kWrite);
    Write(out, "THPeligible:           0\nVmFlags:",
          HasAny(mapping.access, hal::Access::kRead) ? " rd" : "",
          HasAny(mapping.access, hal::Access::kWrite) ? " wr" : "",
          HasAny(mapping.access, hal::Access::kExecute) ? " ex" : "", is_shared ? " sh" : "", " mr",
          may_write ? " mw" : "", " me", is_shared && may_write ? " ms" : "",
          HasAny(mapping.flags, MapFlags::kGrowsDown) ? " gd" : "",
          HasAny(mapping.flags, MapFlags::kLocked) ? " lo" : "",
          HasAny(mapping.flags, MapFlags::kNoReserve) ? " nr" : "",
          HasAny(mapping.flags, MapFlags::kDontFork) ? " dc" : "",
          HasAny(mapping.flags, MapFlags::kWipeOnFork) ? " wf" : "", " \n");
  });
}

Result<void> ShowSmapsRollup(const ProcRequest& request, TextSink& out) {
  Figures figures;
  uint64_t first = 0, last = 0;
  TRY(ForEachMapping(request, [&](const Mapping& mapping) {
    if (first == 0) first = mapping.range.base;
    last = mapping.range.end();
    figures.Add(mapping);
  }));
  Write(out, Hex{first, 8}, '-', Hex{last, 8},
        " ---p 00000000 00:00 0                          [rollup]\n");
  ShowFigures(figures, true, out);
  return {};
}

// ---- PROCMAP_QUERY (<linux/fs.h>, fs/proc/task_mmu.c).

namespace {

constexpr uint32_t kQueryMaps = 0xc0686611;
enum : uint64_t {
  kQueryRead = 1,
  kQueryWrite = 2,
  kQueryExecute = 4,
  kQueryShared = 8,
  kQueryAccess = kQueryRead | kQueryWrite | kQueryExecute | kQueryShared,
  kQueryCoveringOrNext = 16,
  kQueryFile = 32,
};

struct MapQuery {  // struct procmap_query
  uint64_t size, flags, address;
  uint64_t start, end, access, page_size, offset, inode;
  uint32_t device_major, device_minor, name_size, build_id_size;
  uint64_t name, build_id;
};
static_assert(sizeof(MapQuery) == 104);

uint64_t QueryAccessOf(const Mapping& mapping) {
  using hal::Access;
  uint64_t access = 0;
  if (HasAny(mapping.access, Access::kRead)) access |= kQueryRead;
  if (HasAny(mapping.access, Access::kWrite)) access |= kQueryWrite;
  if (HasAny(mapping.access, Access::kExecute)) access |= kQueryExecute;
  if (!HasAny(mapping.flags, MapFlags::kPrivate)) access |= kQueryShared;
  return access;
}

// The mapping at the address, or the next one if that will do. ENOENT.
Result<Mapping> FindQueried(VmAddressRegion& region, const MapQuery& query) {
  uint64_t address = query.address;
  while (auto mapping = region.FindFrom(address)) {
    const bool goes_on = query.flags & kQueryCoveringOrNext;
    if (mapping->range.base > query.address && !goes_on) break;
    const uint64_t wanted = query.flags & kQueryAccess;
    if ((QueryAccessOf(*mapping) & wanted) == wanted &&
        (mapping->file || !(query.flags & kQueryFile)))
      return std::move(*mapping);
    if (!goes_on) break;
    address = mapping->range.end();
  }
  return Errno::kENOENT;
}

Result<MapQuery> ReadQuery(uint64_t argument, UserMemory& memory) {
  constexpr uint64_t kLeast = offsetof(MapQuery, start);
  const uint64_t size = TRY(memory.Read(UserPtr<const uint64_t>(argument)));
  if (size > hal::kPageSize) return Errno::kE2BIG;
  if (size < kLeast) return Errno::kEINVAL;
  // What a later kernel would know must be zero.
  for (uint64_t at = sizeof(MapQuery); at < size; at++)
    if (TRY(memory.Read(UserPtr<const uint8_t>(argument + at))) != 0) return Errno::kE2BIG;
  MapQuery query{};
  const auto bytes = std::as_writable_bytes(std::span(&query, 1));
  const auto known = bytes.first(std::min<uint64_t>(size, sizeof query));
  if (TRY(memory.CopyIn(known, UserPtr<const std::byte>(argument))) < known.size())
    return Errno::kEFAULT;
  query.size = size;
  if (query.flags & ~(kQueryAccess | kQueryCoveringOrNext | kQueryFile)) return Errno::kEINVAL;
  if ((query.name_size != 0) != (query.name != 0)) return Errno::kEINVAL;
  if ((query.build_id_size != 0) != (query.build_id != 0)) return Errno::kEINVAL;
  return query;
}

}  // namespace

Result<uint64_t> QueryMaps(const ProcRequest& request, uint32_t command, uint64_t argument,
                           UserMemory& memory) {
  if (command != kQueryMaps) return Errno::kENOTTY;
  MapQuery query = TRY(ReadQuery(argument, memory));
  const auto region = TRY(request.source.Memory(request.id));
  if (!region) return Errno::kESRCH;
  const Mapping mapping = TRY(FindQueried(*region, query));
  const auto file = Downcast<FileDescription>(mapping.file);
  const Attributes attributes = AttributesOf(file.get());
  query.start = mapping.range.base;
  query.end = mapping.range.end();
  query.access = QueryAccessOf(mapping);
  query.page_size = hal::kPageSize;
  query.offset = file ? mapping.object_offset : 0;
  query.inode = attributes.inode;
  query.device_major = DeviceMajor(attributes.device);
  query.device_minor = DeviceMinor(attributes.device);
  query.build_id_size = 0;  // as of a file without one: callers look into the file themselves then
  if (query.name_size != 0) {
    String name = TRY(NameOf(request, mapping, file.get()));
    if (!name.empty()) TRY(name.Append(std::string_view("\0", 1)));  // its NUL
    if (name.size() > query.name_size) return Errno::kENAMETOOLONG;
    query.name_size = uint32_t(name.size());
    const auto bytes = std::as_bytes(std::span(name.view().data(), name.size()));
    if (TRY(memory.CopyOut(UserPtr<std::byte>(query.name), bytes)) < bytes.size())
      return Errno::kEFAULT;
  }
  const auto bytes = std::as_bytes(std::span(&query, 1));
  const auto known = bytes.first(std::min<uint64_t>(query.size, sizeof query));
  if (TRY(memory.CopyOut(UserPtr<std::byte>(argument), known)) < known.size())
    return Errno::kEFAULT;
  return 0;
}

}  // namespace zrun::vfs
