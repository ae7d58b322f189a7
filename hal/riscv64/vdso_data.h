#pragma once
// The page that guests' vDSO reads: how the counter's ticks become nanoseconds. Constant while the
// machine runs. C, for the vDSO is.
struct VdsoData {
  unsigned long multiplier;
  unsigned long shift;
  long realtime_offset;  // CLOCK_REALTIME minus CLOCK_MONOTONIC, nanoseconds
};
