#include "objects/vm/page_runs.h"

namespace zrun {

PageRun* PageRuns::Containing(uint64_t offset) const {
  PageRun* run = runs_.AtOrBefore(offset);
  return run && offset < run->end() ? run : nullptr;
}

std::optional<hal::PhysRange> PageRuns::Find(uint64_t offset) const {
  const PageRun* run = Containing(offset);
  if (!run) return std::nullopt;
  const uint64_t skip = offset - run->offset;
  return hal::PhysRange{run->frame + skip, run->size - skip};
}

uint64_t PageRuns::NextOffset(uint64_t offset) const {
  const PageRun* run = runs_.AtOrAfter(offset);
  return run ? run->offset : UINT64_MAX;
}

Result<void> PageRuns::Insert(uint64_t offset, hal::PhysRange frames) {
  PageRun* before = runs_.AtOrBefore(offset);
  if (before && before->end() == offset && before->frame + before->size == frames.base) {
    before->size += frames.size;
    return {};
  }
  PageRun* after = before ? runs_.Next(*before) : runs_.First();
  if (after && after->offset == offset + frames.size && frames.end() == after->frame) {
    after->offset = offset;
    after->frame = frames.base;
    after->size += frames.size;
    return {};
  }
  OwnPtr<PageRun> run = TRY(MakeOwned<PageRun>());
  run->offset = offset;
  run->size = frames.size;
  run->frame = frames.base;
  runs_.Insert(*run.release());
  return {};
}

Result<void> PageRuns::SplitAt(uint64_t offset) {
  PageRun* run = Containing(offset);
  if (!run || run->offset == offset) return {};
  OwnPtr<PageRun> rest = TRY(MakeOwned<PageRun>());
  const uint64_t kept = offset - run->offset;
  rest->offset = offset;
  rest->size = run->size - kept;
  rest->frame = run->frame + kept;
  run->size = kept;
  runs_.Insert(*rest.release());
  return {};
}

void PageRuns::Take(uint64_t begin, uint64_t end, PageRunList& out) {
  PageRun* run = runs_.AtOrAfter(begin);
  while (run && run->offset < end) {
    PageRun* next = runs_.Next(*run);
    DCHECK(run->end() <= end);
    runs_.Remove(*run);
    out.PushBack(*run);
    run = next;
  }
}

hal::paddr_t PageRuns::ReplaceFrame(uint64_t offset, hal::paddr_t frame) {
  PageRun* run = runs_.Find(offset);
  CHECK(run && run->size == hal::kPageSize);
  return std::exchange(run->frame, frame);
}

}  // namespace zrun
