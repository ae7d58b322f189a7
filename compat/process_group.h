#pragma once
#include "base/intrusive_list.h"
#include "base/ref_ptr.h"

namespace zrun::compat {

class ThreadGroup;
struct GroupMemberTag;

// setsid(2). Everything here is guarded by the pid table's lock (Kernel::lock).
struct Session : RefCounted<Session> {
  explicit Session(int32_t session_id) : id(session_id) {}
  ~Session();
  const int32_t id;
};

// setpgid(2).
struct ProcessGroup : RefCounted<ProcessGroup> {
  ProcessGroup(int32_t group_id, RefPtr<Session> in);
  ~ProcessGroup();
  const int32_t id;
  const RefPtr<Session> session;
  IntrusiveList<ThreadGroup, GroupMemberTag> members;
};

}  // namespace zrun::compat
