#pragma once
// Linux's numbers for madvise(2) and mremap(2) (asm-generic/mman-common.h, linux/mman.h), which the
// VM layer takes as they are.
namespace zrun {

enum MemoryAdvice : int {
  kAdviseNormal = 0,
  kAdviseRandom = 1,
  kAdviseSequential = 2,
  kAdviseWillNeed = 3,
  kAdviseDontNeed = 4,
  kAdviseFree = 8,
  kAdviseRemove = 9,
  kAdviseDontFork = 10,
  kAdviseDoFork = 11,
  kAdviseMergeable = 12,
  kAdviseUnmergeable = 13,
  kAdviseHugePage = 14,
  kAdviseNoHugePage = 15,
  kAdviseDontDump = 16,
  kAdviseDoDump = 17,
  kAdviseWipeOnFork = 18,
  kAdviseKeepOnFork = 19,
  kAdviseCold = 20,
  kAdvisePageOut = 21,
  kAdvisePopulateRead = 22,
  kAdvisePopulateWrite = 23,
  kAdviseDontNeedLocked = 24,
  kAdviseCollapse = 25,
};

enum RemapFlags : unsigned {
  kRemapMayMove = 1,
  kRemapFixed = 2,
  kRemapDontUnmap = 4,
};

}  // namespace zrun
