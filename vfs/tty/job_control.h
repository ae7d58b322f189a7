#pragma once
#include <cstdint>

#include "base/ref_ptr.h"
#include "vfs/path.h"

// What terminals need to know of processes, and what processes need to know of terminals.
// Sessions and groups go by number. A session has a terminal when some terminal names that session
// as its own, so there is no pointer from one to the other to keep in step.
namespace zrun::vfs {

// The layer above implements it, and sets it once while booting. Called with no lock held.
class JobControl {
 public:
  struct Caller {
    int32_t process = 0;  // its number, which is its session's if it leads one
    int32_t session = 0;
    int32_t group = 0;
    bool leads_session = false;
    bool detached = false;    // it gave up its session's terminal (TIOCNOTTY); setsid forgets that
    bool privileged = false;  // CAP_SYS_ADMIN
    uint32_t uid = 0, gid = 0;  // fsuid, fsgid
    uint32_t real_uid = 0, real_gid = 0;
  };
  // The process of the calling thread; all zero on a kernel service thread.
  virtual Caller GetCaller() = 0;
  virtual void DetachCaller() = 0;
  // Whether the calling thread blocks |signal| or its process ignores it.
  virtual bool CallerIgnores(int signal) = 0;
  // No member of the group has a parent in another group of the same session.
  virtual bool IsOrphaned(int32_t group) = 0;
  // 0 if there is no such group.
  virtual int32_t SessionOfGroup(int32_t group) = 0;
  virtual void SignalGroup(int32_t group, int signal) = 0;
  // The topmost mount at |path|, as the caller sees it; |path| itself where there is none.
  virtual Path FollowMounts(Path path) = 0;
  virtual void SignalProcess(int32_t process, int signal) = 0;

 protected:
  ~JobControl() = default;
};
void SetJobControl(JobControl* job_control);

// ---- For the layer above.
// The terminal of |session|, for /proc/PID/stat (tty_nr, tpgid). |device| is 0 if it has none.
struct SessionTerminal {
  uint64_t device = 0;
  int32_t foreground_group = 0;
};
SessionTerminal FindSessionTerminal(int32_t session);
// A session's leader has exited: its terminal, if any, sends SIGHUP to the foreground group and
// belongs to nobody from then on. No lock held.
void LeaveSessionTerminal(int32_t session);
// vhangup(2): hangs up the terminal of |session|.
void HangUpSessionTerminal(int32_t session);

}  // namespace zrun::vfs
