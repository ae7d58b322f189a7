#include "vfs/procfs/proc_text_file.h"

#include <algorithm>

namespace zrun::vfs {
namespace {

constexpr size_t kMaxWrite = 4096;

// How the contents are made: by a table's entry, or by a function and a number.
struct Contents {
  const ProcEntry* entry = nullptr;
  ProcNumberedShow show = nullptr;
  int number = 0;
};

class TextFile final : public FileDescription, private SignalObserver {
 public:
  TextFile(Path path, OpenFlags flags, const ProcRequest& request, const Contents& contents)
      : FileDescription(std::move(path), flags, kReady), request_(request), contents_(contents) {
    if (contents.entry && contents.entry->changes) changes_ = contents.entry->changes(request);
    if (changes_) changes_->AddObserverUnchecked(*this, Signals::kSignaled);
  }
  ~TextFile() override {
    if (changes_) changes_->RemoveObserver(*this);
  }

  Signals signals() const override { return changed_.load() ? kReady | kChanged : kReady; }
  // That there was a change is told once.
  Signals TakeSignals() override { return changed_.exchange(false) ? kReady | kChanged : kReady; }

  Result<size_t> Read(DataSink& sink) override EXCLUDES(lock_) {
    uint64_t position;
    {
      MutexLock lock(lock_);
      position = position_;
    }
    const size_t count = TRY(ReadAt(position, sink));
    MutexLock lock(lock_);
    position_ = position + count;
    return count;
  }

  Result<size_t> ReadAt(uint64_t offset, DataSink& sink) override EXCLUDES(lock_) {
    // The contents come first: making them takes locks that may not be taken under this file's.
    if (offset == 0 || !has_text()) {
      String text = TRY(Make());
      MutexLock lock(lock_);
      std::swap(text_, text);
      has_text_ = true;
    }
    MutexLock lock(lock_);
    if (offset >= text_.size()) return size_t{0};
    const auto bytes = std::as_bytes(std::span(text_.data(), text_.size())).subspan(offset);
    return sink.Put(bytes.first(std::min(bytes.size(), sink.remaining())));
  }

  Result<size_t> Write(DataSource& source) override { return Store(source); }
  Result<size_t> WriteAt(uint64_t, DataSource& source) override { return Store(source); }
  bool can_wait() const override {
    if (!contents_.entry) return false;
    return request_.id.pid == 0 || contents_.entry->changes ||
           contents_.entry->path.starts_with("net/");
  }

  Result<uint64_t> Ioctl(uint32_t command, uint64_t argument, UserMemory& memory) override {
    if (!contents_.entry || !contents_.entry->ioctl) return Errno::kENOTTY;
    return contents_.entry->ioctl(request_, command, argument, memory);
  }

  // A file without a size has any: programs truncate before they write, as if it were a real one.
  Result<void> Truncate(uint64_t) override { return {}; }

  Result<uint64_t> Seek(int64_t offset, int whence) override EXCLUDES(lock_) {
    MutexLock lock(lock_);
    position_ = TRY(SeekFrom(position_, offset, whence));
    return position_;
  }

 private:
  bool has_text() EXCLUDES(lock_) {
    MutexLock lock(lock_);
    return has_text_;
  }
  // What is about the network or the mounts outlives the process whose directory shows it.
  Result<void> CheckSubject() {
    const bool is_of_process =
        request_.id.pid != 0 && !(contents_.entry && contents_.entry->path.starts_with("net/"));
    if (is_of_process && !request_.source.Exists(request_.id)) return Errno::kESRCH;
    return {};
  }
  Result<String> Make() {
    TRY(CheckSubject());
    TextBuilder out;
    if (contents_.show) {
      TRY(contents_.show(request_.source, request_.id, contents_.number, out));
    } else if (contents_.entry->setting) {
      zrun::Write(out, contents_.entry->setting->get(), "\n");
    } else if (contents_.entry->show) {
      TRY(contents_.entry->show(request_, out));
    } else if (!contents_.entry->constant.empty()) {
      zrun::Write(out, contents_.entry->constant, "\n");
    }
    TRY(out.result());
    return out.Take();
  }
  Result<size_t> Store(DataSource& source) {
    if (!contents_.entry || !(contents_.entry->store || contents_.entry->setting))
      return request_.id.pid != 0 ? Errno::kEINVAL : Errno::kEIO;
    TRY(CheckSubject());
    std::array<std::byte, 512> buffer;
    String text;
    size_t total = 0;
    while (source.remaining() > 0 && total < kMaxWrite) {
      const size_t count = TRY(source.Take(buffer));
      TRY(text.Append({reinterpret_cast<const char*>(buffer.data()), count}));
      total += count;
    }
    std::string_view view = text.view();
    while (!view.empty() && (view.back() == '\n' || view.back() == '\0')) view.remove_suffix(1);
    if (contents_.entry->setting) {
      TRY(StoreSetting(*contents_.entry->setting, view));
    } else {
      TRY(contents_.entry->store(request_, view));
    }
    return total;
  }
  static Result<void> StoreSetting(Setting& setting, std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    const bool negative = text.starts_with('-');
    const ParsedNumber number = ParseUnsigned(text.substr(negative));
    if (number.length == 0 || number.length != text.size() - negative ||
        number.value > uint64_t(INT64_MAX))
      return Errno::kEINVAL;
    const int64_t value = negative ? -int64_t(number.value) : int64_t(number.value);
    if (value < setting.least || value > setting.most) return Errno::kEINVAL;
    setting.value.store(value, std::memory_order_relaxed);
    return {};
  }

  static constexpr Signals kReady = Signals::kReadable | Signals::kWritable;
  static constexpr Signals kChanged = Signals::kPriority | Signals::kError;
  void OnSignals(Signals) override {
    changed_.store(true);
    NotifyObservers(kChanged, true);
  }

  const ProcRequest request_;
  const Contents contents_;
  RefPtr<ChangeNotice> changes_;
  std::atomic<bool> changed_{false};
  Mutex lock_{LockRank::kFile};
  String text_ GUARDED_BY(lock_);
  bool has_text_ GUARDED_BY(lock_) = false;
  uint64_t position_ GUARDED_BY(lock_) = 0;
};

}  // namespace

Result<uint64_t> SeekFrom(uint64_t position, int64_t offset, int whence) {
  if (whence != kSeekSet && whence != kSeekCurrent) return Errno::kEINVAL;
  int64_t target;
  if (__builtin_add_overflow(whence == kSeekSet ? 0 : int64_t(position), offset, &target))
    return Errno::kEINVAL;
  if (target < 0) return Errno::kEINVAL;
  return uint64_t(target);
}

Result<RefPtr<FileDescription>> OpenProcText(const Path& path, OpenFlags flags,
                                             const ProcRequest& request, const ProcEntry& entry) {
  return RefPtr<FileDescription>(
      TRY(MakeRef<TextFile>(path, flags, request, Contents{.entry = &entry})));
}

Result<RefPtr<FileDescription>> OpenProcNumbered(const Path& path, OpenFlags flags,
                                                 const ProcRequest& request, int number,
                                                 ProcNumberedShow show) {
  return RefPtr<FileDescription>(
      TRY(MakeRef<TextFile>(path, flags, request, Contents{.show = show, .number = number})));
}

}  // namespace zrun::vfs
