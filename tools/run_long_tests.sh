#!/usr/bin/env bash
# Soaks: what finds faults only when it runs for long. tools/run_long_tests.sh BUILD [MINUTES [REGEX]]: each gets MINUTES (10);
# REGEX chooses some by name. The status tells whether all passed. A new one is a line with "soak" at the end.
set -euo pipefail
build=$(realpath "$1") minutes=${2:-10} regex=${3:-}
cd "$(dirname "$0")/.."
zrun=$build/runtime-cli/zrun programs=$build/tests/cli/programs seconds=$((minutes * 60))
failures=0 summary=()

# soak NAME COMMAND...
soak() {
  local name=$1 started status=0
  shift
  [[ $name =~ $regex ]] || return 0
  started=$(date +%s)
  printf '\n==== %s  %s\n' "$(date -u +%H:%M:%S)" "$name"
  "$@" || status=$?
  summary+=("$([[ $status == 0 ]] && echo pass || echo "FAIL, status $status")  $name  ($(($(date +%s) - started)) s)")
  [[ $status == 0 ]] || failures=$((failures + 1))
}

# The first of the images that can be had.
first_of() {
  local name
  for name in "$@"; do "$zrun" images build "$name" 2>/dev/null && return; done
  echo "none of these images can be had: $*" >&2
  return 1
}

stress_in_container() {
  "$zrun" run --init -v "$programs:/programs:ro" "$(first_of debian-busybox alpine)" -- /programs/stress "$seconds"
}
stress_on_machine() {
  tar c -C "$programs" stress-riscv64 |
    "$zrun" run -i --platform riscv64 --cpus "$1" "$(first_of debian-busybox-riscv64 alpine-riscv64)" -- \
      sh -c "tar x -C /tmp && exec /tmp/stress-riscv64 $seconds 60"
}
# Memory that guests check themselves, while there is too little of it.
pressure_on_machine() {
  tar c -C "$programs" pressure-riscv64 |
    "$zrun" run -i --platform riscv64 --cpus "$1" -m 128m "$(first_of debian-busybox-riscv64 alpine-riscv64)" -- \
      sh -c "tar x -C /tmp && exec /tmp/pressure-riscv64 $seconds 120 /bin/busybox /tmp/pressure-riscv64"
}
# The same tests over and over: what fails once in a hundred times shows.
repeat_tests() {
  local end=$(($(date +%s) + seconds)) rounds=0
  while [[ $(date +%s) -lt $end ]]; do
    if ! ctest --test-dir "$build" --output-on-failure --timeout 300 -j "$(nproc)" "$@" >"$build/long.log" 2>&1; then
      tail -n 60 "$build/long.log"
      return 1
    fi
    rounds=$((rounds + 1))
  done
  echo "$rounds rounds passed"
}
fuzz() {
  tools/setup.sh check
  tools/sanitized.sh address build-fuzzers
  tools/fuzz.sh build-address "$seconds" "$(nproc)"
}

soak 'stress in a container' stress_in_container
soak 'stress on one hart' stress_on_machine 1
soak 'stress on four harts' stress_on_machine 4
soak 'memory pressure on one hart' pressure_on_machine 1
soak 'memory pressure on four harts' pressure_on_machine 4
soak 'system calls, again and again' repeat_tests -R '^trap\.'
soak 'command line, again and again' repeat_tests -R '^cli\.' -E '^cli\.riscv64'
soak 'fuzzers' fuzz

printf '\n==== summary\n'
printf '%s\n' "${summary[@]}"
echo "$((${#summary[@]} - failures)) passed, $failures failed"
[[ $failures == 0 ]]
