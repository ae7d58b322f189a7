#include "vfs/procfs/proc_entry.h"

namespace zrun::vfs {

void WriteRanges(TextSink& out, uint64_t set) {
  bool first = true;
  for (unsigned bit = 0; bit < 64; bit++) {
    if (!(set >> bit & 1)) continue;
    unsigned last = bit;
    while (last + 1 < 64 && (set >> (last + 1) & 1)) last++;
    Write(out, first ? "" : ",", bit);
    if (last != bit) Write(out, '-', last);
    first = false;
    bit = last;
  }
}

}  // namespace zrun::vfs
