// ioctl_tty(2).
#include "vfs/tty/tty.h"

namespace zrun::vfs {
namespace {

constexpr int kSigTtou = 22;

// <asm-generic/ioctls.h>
enum : uint32_t {
  kTcGets = 0x5401,
  kTcSets = 0x5402,
  kTcSetsW = 0x5403,
  kTcSetsF = 0x5404,
  kTcGetA = 0x5405,
  kTcSetA = 0x5406,
  kTcSetAW = 0x5407,
  kTcSetAF = 0x5408,
  kTcSBrk = 0x5409,
  kTcXonC = 0x540a,
  kTcFlsh = 0x540b,
  kTiocExcl = 0x540c,
  kTiocNxcl = 0x540d,
  kTiocSCtty = 0x540e,
  kTiocGPgrp = 0x540f,
  kTiocSPgrp = 0x5410,
  kTiocOutQ = 0x5411,
  kTiocSti = 0x5412,
  kTiocGWinSz = 0x5413,
  kTiocSWinSz = 0x5414,
  kTiocGSoftCar = 0x5419,
  kTiocSSoftCar = 0x541a,
  kTiocInQ = 0x541b,
  kTiocNoTty = 0x5422,
  kTiocSetD = 0x5423,
  kTiocGetD = 0x5424,
  kTcSBrkP = 0x5425,
  kTiocSBrk = 0x5427,
  kTiocCBrk = 0x5428,
  kTiocGSid = 0x5429,
  kTcGets2 = 0x802c542a,
  kTcSets2 = 0x402c542b,
  kTcSetsW2 = 0x402c542c,
  kTcSetsF2 = 0x402c542d,
  kTiocGDev = 0x80045432,
  kTiocVHangUp = 0x5437,
  kTiocGExcl = 0x80045440,
};

// tcflow(3) and tcflush(3).
enum : uint64_t { kTcOOff = 0, kTcOOn = 1, kTcIOff = 2, kTcIOn = 3 };
enum : uint64_t { kTcIFlush = 0, kTcOFlush = 1, kTcIOFlush = 2 };

std::span<std::byte> BytesOf(Termios& termios, size_t size) {
  return std::as_writable_bytes(std::span(&termios, 1)).first(size);
}

Termio ToTermio(const Termios& termios) {
  Termio old{};
  old.iflag = uint16_t(termios.iflag);
  old.oflag = uint16_t(termios.oflag);
  old.cflag = uint16_t(termios.cflag);
  old.lflag = uint16_t(termios.lflag);
  old.line = termios.line;
  for (size_t i = 0; i < sizeof(old.cc); i++) old.cc[i] = termios.cc[i];
  return old;
}

void FromTermio(const Termio& old, Termios& termios) {
  const auto replace_low = [](uint32_t& word, uint16_t low) { word = (word & 0xffff0000) | low; };
  replace_low(termios.iflag, old.iflag);
  replace_low(termios.oflag, old.oflag);
  replace_low(termios.cflag, old.cflag);
  replace_low(termios.lflag, old.lflag);
  for (size_t i = 0; i < sizeof(old.cc); i++) termios.cc[i] = old.cc[i];
}

// A control character, unless it is disabled.
Result<void> AppendCharacter(ByteRing& output, uint8_t c) {
  if (c == 0) return {};
  const std::byte byte{c};
  return output.Append({&byte, 1});
}

}  // namespace

Result<void> Tty::ApplySettings(const Termios& settings, bool flush_input) {
  Termios changed = settings;
  // No line behind it: eight bits, no parity.
  changed.cflag =
      (changed.cflag & ~(termios::kCSize | termios::kParEnb)) | termios::kCs8 | termios::kCRead;
  TtyEvents typed_ahead;
  {
    MutexLock lock(lock_);
    TtyEvents events;
    const Termios old = discipline_.termios();
    if (flush_input) {
      discipline_.FlushInput();
      events.flushed_input = true;
    }
    discipline_.SetTermios(changed, events);
    OnTermiosChange(old, changed);
    AfterEvents(events);
    PumpBacklog(typed_ahead);
    Refresh(true);
  }
  Deliver(typed_ahead);
  return {};
}

Result<uint64_t> Tty::IoctlSettings(uint32_t request, uint64_t argument, UserMemory& memory,
                                    bool far) {
  Termios settings{};
  {
    MutexLock lock(lock_);
    settings = discipline_.termios();
  }
  const size_t size = request == kTcGets || (request >= kTcSets && request <= kTcSetsF)
                          ? kTermiosSize
                          : sizeof(Termios);
  switch (request) {
    case kTcGets:
    case kTcGets2:
      TRY(memory.WriteAll(UserPtr<std::byte>(argument), BytesOf(settings, size)));
      return 0;
    case kTcGetA:
      TRY(memory.Write(UserPtr<Termio>(argument), ToTermio(settings)));
      return 0;
    default:
      break;
  }
  if (!far) TRY(CheckForeground(kSigTtou));
  if (request >= kTcSetA && request <= kTcSetAF) {
    FromTermio(TRY(memory.Read(UserPtr<const Termio>(argument))), settings);
  } else {
    TRY(memory.ReadAll(BytesOf(settings, size), UserPtr<const std::byte>(argument)));
  }
  // What was written went through the old settings already: there is nothing to drain.
  TRY(ApplySettings(settings, request == kTcSetsF || request == kTcSetsF2 || request == kTcSetAF));
  return 0;
}

Result<uint64_t> Tty::IoctlSession(uint32_t request, uint64_t argument, UserMemory& memory,
                                   bool far) {
  JobControl* const jobs = GetJobControl();
  if (!jobs) return Errno::kENOTTY;
  const auto caller = jobs->GetCaller();
  const bool is_callers = IsCallersTerminal(caller);
  switch (request) {
    case kTiocGPgrp:
      if (!far && !is_callers) return Errno::kENOTTY;
      TRY(memory.Write(UserPtr<int32_t>(argument), foreground_group()));
      return 0;
    case kTiocSPgrp: {
      TRY(CheckForeground(kSigTtou));
      if (!is_callers) return Errno::kENOTTY;
      const int32_t group = TRY(memory.Read(UserPtr<const int32_t>(argument)));
      if (group < 0) return Errno::kEINVAL;
      const int32_t session_of_group = jobs->SessionOfGroup(group);
      if (session_of_group == 0) return Errno::kESRCH;
      if (session_of_group != caller.session) return Errno::kEPERM;
      MutexLock lock(lock_);
      foreground_.store(group, std::memory_order_release);
      return 0;
    }
    case kTiocGSid:
      if ((!far && !is_callers) || session() == 0) return Errno::kENOTTY;
      TRY(memory.Write(UserPtr<int32_t>(argument), session()));
      return 0;
    default:  // kTiocNoTty; a master is nobody's controlling terminal
      if (far || !is_callers) return Errno::kENOTTY;
      if (caller.leads_session) {
        Disassociate(true);
      } else {
        jobs->DetachCaller();
      }
      return 0;
  }
}

Result<uint64_t> Tty::IoctlFlow(uint32_t request, uint64_t argument, bool far) {
  if (request == kTcFlsh ? argument > kTcIOFlush : argument > kTcIOn) return Errno::kEINVAL;
  if (!far) TRY(CheckForeground(kSigTtou));
  TtyEvents events;
  MutexLock lock(lock_);
  if (request == kTcXonC) {
    const Termios& settings = discipline_.termios();
    if (argument == kTcOOff) discipline_.Stop(events);
    if (argument == kTcOOn) discipline_.Start(events);
    if (argument == kTcIOff) TRY(AppendCharacter(output_, settings.cc[termios::kStop]));
    if (argument == kTcIOn) TRY(AppendCharacter(output_, settings.cc[termios::kStart]));
  } else {
    // A master's input is what this end writes.
    const bool input = far ? argument != kTcIFlush : argument != kTcOFlush;
    const bool output = far ? argument != kTcOFlush : argument != kTcIFlush;
    if (input) {
      discipline_.FlushInput();
      events.flushed_input = true;
    }
    if (output) {
      output_.Clear();
      events.flushed_output = true;
    }
  }
  // Packet mode tells the master what the other end did, not what it did itself.
  if (far) {
    if (events.flushed_input) backlog_.Clear();
    OnOutput();
  } else {
    AfterEvents(events);
  }
  Refresh(false);
  return 0;
}

Result<uint64_t> Tty::Ioctl(TtyFile* file, uint32_t request, uint64_t argument,
                            UserMemory& memory) {
  if (file) {
    MutexLock lock(lock_);
    if (file->hung_up_) return request == kTiocSPgrp ? Errno::kENOTTY : Errno::kEIO;
  }
  const bool far = file == nullptr;
  const auto put = [&](int32_t value) -> Result<uint64_t> {
    TRY(memory.Write(UserPtr<int32_t>(argument), value));
    return 0;
  };
  switch (request) {
    case kTcGets:
    case kTcGets2:
    case kTcGetA:
    case kTcSets:
    case kTcSetsW:
    case kTcSetsF:
    case kTcSetA:
    case kTcSetAW:
    case kTcSetAF:
    case kTcSets2:
    case kTcSetsW2:
    case kTcSetsF2:
      return IoctlSettings(request, argument, memory, far);
    case kTiocGPgrp:
    case kTiocSPgrp:
    case kTiocGSid:
    case kTiocNoTty:
      return IoctlSession(request, argument, memory, far);
    case kTcXonC:
    case kTcFlsh:
      return IoctlFlow(request, argument, far);
    case kTiocSCtty:
      TRY(AcquireSession(argument == 1, far || file->readable()));
      return 0;
    case kTcSBrk:
    case kTcSBrkP:
    case kTiocSBrk:
    case kTiocCBrk:
      // No line to hold a break on; what is written is on its way.
      if (!far) TRY(CheckForeground(kSigTtou));
      return 0;
    case kTiocGWinSz:
      TRY(memory.Write(UserPtr<TtyWindowSize>(argument), window_size()));
      return 0;
    case kTiocSWinSz:
      SetWindowSize(TRY(memory.Read(UserPtr<const TtyWindowSize>(argument))));
      return 0;
    case kTiocSti:
      return Errno::kEIO;  // as with dev.tty.legacy_tiocsti = 0
    case kTiocGSoftCar: {
      MutexLock lock(lock_);
      return put(discipline_.termios().cflag & 04000 ? 1 : 0);
    }
    case kTiocSSoftCar:
      return 0;
    case kTiocSetD:
      return TRY(memory.Read(UserPtr<const int32_t>(argument))) == 0 ? Result<uint64_t>(uint64_t{0})
                                                                     : Errno::kEINVAL;
    case kTiocGetD:
      return put(0);
    case kTiocGDev:
      return put(int32_t(device_));
    case kTiocVHangUp: {
      JobControl* const jobs = GetJobControl();
      if (!jobs || !jobs->GetCaller().privileged) return Errno::kEPERM;
      HangUp();
      return 0;
    }
    case kTiocExcl:
    case kTiocNxcl: {
      MutexLock lock(lock_);
      exclusive_ = request == kTiocExcl;
      return 0;
    }
    case kTiocGExcl: {
      MutexLock lock(lock_);
      return put(exclusive_);
    }
    case kTiocInQ:
    case kTiocOutQ: {
      int32_t size = 0;
      {
        MutexLock lock(lock_);
        const bool input = (request == kTiocInQ) != far;
        size = int32_t(input ? discipline_.input_size() : output_.size());
      }
      return put(size);
    }
    default:
      return Errno::kENOTTY;
  }
}

}  // namespace zrun::vfs
