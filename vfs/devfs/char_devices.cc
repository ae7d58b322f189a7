#include "hal/devices.h"
#include "vfs/devfs/devices.h"
#include "vfs/tty/console_tty.h"
#include "vfs/tty/pty.h"
#include "vfs/tty/pty_pair.h"
#include "vfs/tty/tty.h"

namespace zrun::vfs {
namespace {

// random(4)'s requests. The machine's generator keeps no count of its own: it is full, what is
// added stirs nothing, and what would empty it is done at once.
Result<uint64_t> RandomRequest(uint32_t request, uint64_t argument, UserMemory& memory) {
  enum : uint32_t {  // <linux/random.h>
    kGetEntropyCount = 0x80045200,
    kAddToEntropyCount = 0x40045201,
    kAddEntropy = 0x40085203,
    kZapEntropyCount = 0x5204,
    kClearPool = 0x5206,
    kReseed = 0x5207,
  };
  constexpr int32_t kPoolBits = 256;  // /proc/sys/kernel/random/poolsize
  if (request == kGetEntropyCount) {
    TRY(memory.Write(UserPtr<int32_t>(argument), kPoolBits));
    return 0;
  }
  switch (request) {
    case kAddToEntropyCount:
    case kAddEntropy:
    case kZapEntropyCount:
    case kClearPool:
    case kReseed:
      break;
    default:
      return Errno::kEINVAL;
  }
  JobControl* const jobs = GetJobControl();
  if (!jobs || !jobs->GetCaller().privileged) return Errno::kEPERM;
  if (request != kAddToEntropyCount && request != kAddEntropy) return 0;
  const UserPtr<const int32_t> numbers(argument);  // bits, then bytes and the bytes themselves
  if (TRY(memory.Read(numbers)) < 0) return Errno::kEINVAL;
  if (request == kAddEntropy && TRY(memory.Read(numbers.at(1))) < 0) return Errno::kEFAULT;
  return 0;
}

// The memory devices, null(4) and random(4): always readable and writable.
class MemoryDevice final : public FileDescription {
 public:
  enum class What : uint8_t { kNull, kZero, kFull, kRandom, kUrandom, kLog };
  MemoryDevice(Path path, OpenFlags flags, What what)
      : FileDescription(std::move(path), flags, Signals::kReadable | Signals::kWritable),
        what_(what) {}
  Result<size_t> Read(DataSink& sink) override {
    switch (what_) {
      case What::kNull:
        return 0;
      case What::kZero:
      case What::kFull:
        return sink.PutZeros(sink.remaining());
      case What::kRandom:
      case What::kUrandom:
        return ReadRandom(sink);
      case What::kLog:
        return Errno::kEAGAIN;
    }
    return Errno::kEINVAL;
  }
  Result<size_t> ReadAt(uint64_t, DataSink& sink) override { return Read(sink); }
  Result<size_t> Write(DataSource& source) override {
    if (what_ == What::kFull) return Errno::kENOSPC;
    if (what_ == What::kLog) return WriteLog(source);
    // The bytes are not even looked at, except those that would stir the pool.
    if (!is_random()) return source.remaining();
    std::array<std::byte, 256> chunk;
    size_t done = 0;
    while (source.remaining() != 0) {
      auto taken = source.Take(std::span(chunk).first(std::min(chunk.size(), source.remaining())));
      if (!taken.ok() && done == 0) return taken.error();
      if (!taken.ok() || taken.value() == 0) break;
      done += taken.value();
    }
    return done;
  }
  Result<size_t> WriteAt(uint64_t, DataSource& source) override { return Write(source); }
  Result<uint64_t> Seek(int64_t, int) override { return 0; }
  Result<uint64_t> Ioctl(uint32_t request, uint64_t argument, UserMemory& memory) override {
    if (!is_random()) return Errno::kENOTTY;
    return RandomRequest(request, argument, memory);
  }
  bool can_wait() const override { return what_ == What::kRandom || what_ == What::kLog; }
  bool MapsAnonymously() const override { return what_ == What::kZero; }
  // Each shared mapping of /dev/zero is an object of its own.
  Result<RefPtr<VmObject>> Mmap() override {
    if (what_ != What::kZero) return Errno::kENODEV;
    return VmObject::CreateAnonymous(uint64_t{1} << 40);
  }

 private:
  bool is_random() const { return what_ == What::kRandom || what_ == What::kUrandom; }
  static Result<size_t> ReadRandom(DataSink& sink) {
    std::array<std::byte, 256> chunk;
    size_t done = 0;
    while (sink.remaining() != 0) {
      const auto piece = std::span(chunk).first(std::min(chunk.size(), sink.remaining()));
      hal::FillEntropy(piece);
      auto given = sink.Put(piece);
      if (!given.ok() && done == 0) return given.error();
      if (!given.ok()) break;
      done += given.value();
      if (given.value() < piece.size()) break;
    }
    return done;
  }
  // /dev/kmsg: what init systems say goes to the machine's console.
  static Result<size_t> WriteLog(DataSource& source) {
    std::array<std::byte, 1024> line;
    const size_t size =
        TRY(source.Take(std::span(line).first(std::min(line.size() - 1, source.remaining()))));
    if (size == 0) return 0;
    hal::ConsoleWrite({reinterpret_cast<const char*>(line.data()), size});
    if (line[size - 1] != std::byte{'\n'}) hal::ConsoleWrite("\n");
    return size;
  }
  const What what_;
};

template <MemoryDevice::What what>
Result<RefPtr<FileDescription>> OpenMemoryDevice(const Path& path, uint32_t, OpenFlags flags) {
  return TRY(MakeRef<MemoryDevice>(path, flags, what));
}
Result<RefPtr<FileDescription>> OpenDevTty(const Path& path, uint32_t, OpenFlags flags) {
  return OpenCallersTty(path, flags);
}
Result<RefPtr<FileDescription>> OpenDevConsole(const Path& path, uint32_t, OpenFlags flags) {
  return OpenConsole(path, flags);
}
Result<RefPtr<FileDescription>> OpenDevPtmx(const Path& path, uint32_t, OpenFlags flags) {
  return OpenPtyMaster(path, flags);
}

// Which driver serves which numbers.
struct CharDevice {
  uint32_t major;
  uint32_t first_minor, last_minor;
  Result<RefPtr<FileDescription>> (*open)(const Path& path, uint32_t minor, OpenFlags flags);
};
using What = MemoryDevice::What;
constexpr CharDevice kCharDevices[] = {
    {1, 3, 3, OpenMemoryDevice<What::kNull>},
    {1, 5, 5, OpenMemoryDevice<What::kZero>},
    {1, 7, 7, OpenMemoryDevice<What::kFull>},
    {1, 8, 8, OpenMemoryDevice<What::kRandom>},
    {1, 9, 9, OpenMemoryDevice<What::kUrandom>},
    {1, 11, 11, OpenMemoryDevice<What::kLog>},
    {5, 0, 0, OpenDevTty},
    {5, 1, 1, OpenDevConsole},
    {5, 2, 2, OpenDevPtmx},
    {Pty::kMajor, 0, DevPts::kMaxPtys - 1, OpenPtySlave},
};

}  // namespace

Result<RefPtr<FileDescription>> OpenCharDevice(const Path& path, uint64_t rdev, OpenFlags flags) {
  const uint32_t major = DeviceMajor(rdev), minor = DeviceMinor(rdev);
  for (const CharDevice& device : kCharDevices)
    if (device.major == major && minor >= device.first_minor && minor <= device.last_minor)
      return device.open(path, minor, flags);
  return Errno::kENXIO;
}

}  // namespace zrun::vfs
