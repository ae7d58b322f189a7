#pragma once
// Clang thread-safety attributes; no-ops elsewhere. Names follow Abseil.
#if defined(__clang__)
#define ZRUN_TSA(x) __attribute__((x))
#else
#define ZRUN_TSA(x)
#endif
#define CAPABILITY(name) ZRUN_TSA(capability(name))
#define SCOPED_CAPABILITY ZRUN_TSA(scoped_lockable)
#define GUARDED_BY(m) ZRUN_TSA(guarded_by(m))
#define PT_GUARDED_BY(m) ZRUN_TSA(pt_guarded_by(m))
#define REQUIRES(...) ZRUN_TSA(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) ZRUN_TSA(acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) ZRUN_TSA(try_acquire_capability(__VA_ARGS__))
#define RELEASE(...) ZRUN_TSA(release_capability(__VA_ARGS__))
#define EXCLUDES(...) ZRUN_TSA(locks_excluded(__VA_ARGS__))
#define ASSERT_CAPABILITY(x) ZRUN_TSA(assert_capability(x))
#define RETURN_CAPABILITY(x) ZRUN_TSA(lock_returned(x))
// Each use needs a comment that says why the analysis cannot see it.
#define NO_THREAD_SAFETY_ANALYSIS ZRUN_TSA(no_thread_safety_analysis)
