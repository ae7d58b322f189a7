#!/usr/bin/env bash
# Runs every fuzzer for a time: tools/fuzz.sh BUILD [SECONDS [JOBS]]. What they find stays in BUILD/fuzz/NAME.
set -euo pipefail
build=$1 seconds=${2:-60} jobs=${3:-$(nproc)}
mapfile -t fuzzers < <(find "$build" -name '*_fuzz' -type f -perm -u+x | sort)
[[ ${#fuzzers[@]} -gt 0 ]] || { echo "no fuzzers in $build" >&2; exit 1; }

fuzz() {
  local name folder
  name=$(basename "$1") folder=$2/fuzz/$(basename "$1")
  mkdir -p "$folder/corpus"
  if "$1" -max_total_time="$3" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$folder/" "$folder/corpus" >"$folder/log" 2>&1; then
    echo "pass $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log") inputs in $3 s"
  else
    echo "FAIL $name"
    tail -n 60 "$folder/log" | sed 's/^/     /'
    return 1
  fi
}
export -f fuzz

status=0
printf '%s\0' "${fuzzers[@]}" | xargs -0 -P "$jobs" -I{} bash -c 'fuzz "$@" || exit 1' fuzz {} "$build" "$seconds" \
  | tee "$build/fuzz.txt" || status=1
passed=$(grep -c '^pass' "$build/fuzz.txt" || true) failed=$(grep -c '^FAIL' "$build/fuzz.txt" || true)
echo "$passed passed, $failed failed"
[[ $status == 0 && $failed == 0 && $passed == "${#fuzzers[@]}" ]]
