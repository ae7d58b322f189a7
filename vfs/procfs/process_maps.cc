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

void ShowName(const ProcRequest& request, const Mapping& mapping, FileDescription* file,
              CountingSink& out) {
  const auto pad = [&] {
    while (out.count() < kNameColumn) out.Append(" ");
  };
  if (file) {
    const auto name = request.source.NameOf(file->path());
    pad();
    if (name.ok()) AppendEscaped(out, name.value().view());
  } else if (HasAny(mapping.flags, MapFlags::kVdso)) {
    pad();
    out.Append("[vdso]");
  } else if (HasAny(mapping.flags, MapFlags::kGrowsDown)) {
    pad();
    out.Append("[stack]");
  } else if (HasAny(mapping.flags, MapFlags::kHeap)) {
    pad();
    out.Append("[heap]");
  } else if (!HasAny(mapping.flags, MapFlags::kPrivate)) {
    pad();
    out.Append("/dev/zero (deleted)");  // shared memory without a file is an unlinked one's
  }
}

void ShowLine(const ProcRequest& request, const Mapping& mapping, TextSink& sink) {
  using hal::Access;
  CountingSink out(sink);
  const auto file = Downcast<FileDescription>(mapping.file);
  Attributes attributes;
  if (file) {
    const auto stat = Stat(file->path());
    if (stat.ok()) attributes = stat.value();
  }
  Write(out, Hex{mapping.range.base, 8}, '-', Hex{mapping.range.end(), 8}, ' ',
        HasAny(mapping.access, Access::kRead) ? 'r' : '-',
        HasAny(mapping.access, Access::kWrite) ? 'w' : '-',
        HasAny(mapping.access, Access::kExecute) ? 'x' : '-',
        HasAny(mapping.flags, MapFlags::kPrivate) ? 'p' : 's', ' ',
        Hex{file ? mapping.object_offset : 0, 8}, ' ', Hex{DeviceMajor(attributes.device), 2}, ':',
        Hex{DeviceMinor(attributes.device), 2}, ' ', attributes.inode, ' ');
  ShowName(request, mapping, file.get(), out);
  sink.Append("\n");
}

// Figures of one mapping, or of many together. Which private pages are there is known to the
// machine alone: what could be touched counts as resident.
struct Figures {
  uint64_t size = 0, resident = 0, anonymous = 0, shared_dirty = 0, locked = 0;
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
    if (!is_private && HasAny(mapping.access, hal::Access::kWrite)) shared_dirty += there;
    if (HasAny(mapping.flags, MapFlags::kLocked)) locked += there;
  }
};

void ShowFigures(const Figures& figures, bool rollup, TextSink& out) {
  const auto line = [&](std::string_view name, uint64_t bytes) {
    Write(out, PadText{name, -16}, Pad{int64_t(bytes / 1024), 8}, " kB\n");
  };
  if (!rollup) {
    line("Size:", figures.size);
    line("KernelPageSize:", hal::kPageSize);
    line("MMUPageSize:", hal::kPageSize);
  }
  line("Rss:", figures.resident);
  line("Pss:", figures.resident);
  line("Shared_Clean:", 0);
  line("Shared_Dirty:", figures.shared_dirty);
  line("Private_Clean:", figures.resident - figures.anonymous - figures.shared_dirty);
  line("Private_Dirty:", figures.anonymous);
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

}  // namespace zrun::vfs
