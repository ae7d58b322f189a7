#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "compat/abi/types.h"

// Signals: <asm-generic/signal.h>, <asm-generic/siginfo.h>. What differs between architectures is
// in compat/abi/arch/<cpu>/signal_frame.h.
namespace zrun::compat::abi {

inline constexpr int kSigHup = 1, kSigInt = 2, kSigQuit = 3, kSigIll = 4, kSigTrap = 5,
                     kSigAbrt = 6, kSigBus = 7, kSigFpe = 8, kSigKill = 9, kSigUsr1 = 10,
                     kSigSegv = 11, kSigUsr2 = 12, kSigPipe = 13, kSigAlrm = 14, kSigTerm = 15,
                     kSigStkFlt = 16, kSigChld = 17, kSigCont = 18, kSigStop = 19, kSigTstp = 20,
                     kSigTtin = 21, kSigTtou = 22, kSigUrg = 23, kSigXcpu = 24, kSigXfsz = 25,
                     kSigVtAlrm = 26, kSigProf = 27, kSigWinch = 28, kSigIo = 29, kSigPwr = 30,
                     kSigSys = 31, kSigRtMin = 32, kSigMax = 64;

inline constexpr uint64_t kSaNoCldStop = 1, kSaNoCldWait = 2, kSaSigInfo = 4,
                          kSaUnsupported = 0x400, kSaExposeTagBits = 0x800,
                          kSaRestorer = 0x04000000, kSaOnStack = 0x08000000,
                          kSaRestart = 0x10000000, kSaNoDefer = 0x40000000,
                          kSaResetHand = 0x80000000;

inline constexpr uint64_t kSigDfl = 0, kSigIgn = 1;

// si_code
inline constexpr int32_t kSiUser = 0, kSiKernel = 0x80, kSiQueue = -1, kSiTimer = -2, kSiMesgQ = -3,
                         kSiAsyncIo = -4, kSiSigIo = -5, kSiTkill = -6;
inline constexpr int32_t kCldExited = 1, kCldKilled = 2, kCldDumped = 3, kCldTrapped = 4,
                         kCldStopped = 5, kCldContinued = 6;
inline constexpr int32_t kSegvMapErr = 1, kSegvAccErr = 2, kBusAdrAln = 1, kBusAdrErr = 2,
                         kBusObjErr = 3;

// siginfo_t: 128 bytes; the fields' meaning depends on the signal and si_code.
struct SigInfo {
  int32_t signo = 0;
  int32_t error = 0;
  int32_t code = 0;
  int32_t padding = 0;
  std::array<uint64_t, 14> fields{};

  static SigInfo Make(int signo, int32_t code) {
    SigInfo info;
    info.signo = signo;
    info.code = code;
    return info;
  }
  // _kill, _rt, _sigchld: si_pid and si_uid.
  void SetSender(int32_t pid, uint32_t uid) { fields[0] = uint32_t(pid) | uint64_t{uid} << 32; }
  int32_t pid() const { return int32_t(fields[0]); }
  uint32_t uid() const { return uint32_t(fields[0] >> 32); }
  // _rt, _timer: si_value.
  void SetValue(uint64_t value) { fields[1] = value; }
  uint64_t value() const { return fields[1]; }
  // _timer: si_timerid and si_overrun.
  void SetTimer(int32_t id, int32_t overrun) {
    fields[0] = uint32_t(id) | uint64_t{uint32_t(overrun)} << 32;
  }
  // _sigchld.
  void SetStatus(int32_t status) { fields[1] = uint32_t(status); }
  int32_t status() const { return int32_t(fields[1]); }
  void SetChildTimes(int64_t user_ticks, int64_t system_ticks) {
    fields[2] = uint64_t(user_ticks);
    fields[3] = uint64_t(system_ticks);
  }
  // _sigfault: si_addr.
  void SetAddress(uint64_t address) { fields[0] = address; }
  uint64_t address() const { return fields[0]; }
  // _sigpoll: si_band and si_fd.
  void SetPoll(int64_t band, int32_t fd) {
    fields[0] = uint64_t(band);
    fields[1] = uint32_t(fd);
  }
};
static_assert(sizeof(SigInfo) == 128);

// stack_t
struct StackT {
  uint64_t sp;
  int32_t flags;
  int32_t padding;
  uint64_t size;
};
inline constexpr int32_t kSsOnStack = 1, kSsDisable = 2, kSsAutoDisarm = int32_t(0x80000000);
inline constexpr uint64_t kMinSigStackSize = 2048;

inline constexpr int kSigBlock = 0, kSigUnblock = 1, kSigSetMask = 2;

// union sigval + struct sigevent
struct SigEvent {
  uint64_t value;
  int32_t signo;
  int32_t notify;
  int32_t tid;
  int32_t padding[11];
};
static_assert(sizeof(SigEvent) == 64);
inline constexpr int32_t kSigEvSignal = 0, kSigEvNone = 1, kSigEvThread = 2, kSigEvThreadId = 4;

// struct signalfd_siginfo
struct SignalFdInfo {
  uint32_t signo;
  int32_t error;
  int32_t code;
  uint32_t pid;
  uint32_t uid;
  int32_t fd;
  uint32_t tid;
  uint32_t band;
  uint32_t overrun;
  uint32_t trapno;
  int32_t status;
  int32_t int_value;
  uint64_t pointer;
  uint64_t user_time;
  uint64_t system_time;
  uint64_t address;
  uint16_t address_lsb;
  uint16_t padding2;
  int32_t syscall;
  uint64_t call_address;
  uint32_t arch;
  uint8_t padding[28];
};
static_assert(sizeof(SignalFdInfo) == 128);

}  // namespace zrun::compat::abi
