#include "objects/task/call_time.h"

#include "objects/task/thread.h"

namespace zrun {
namespace {

constinit std::atomic<CallTime*> g_service = nullptr;

}  // namespace

hal::Nanoseconds CallTime::Now() {
  if (Thread* const thread = Thread::Current()) return thread->call_time.Get();
  if (CallTime* const service = g_service.load(std::memory_order_relaxed)) return service->Get();
  return hal::RealtimeNow();
}

void CallTime::SetForService(CallTime* time) { g_service.store(time, std::memory_order_relaxed); }

}  // namespace zrun
