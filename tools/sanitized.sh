#!/usr/bin/env bash
# Clang builds of the hosted code with sanitizers, and -Wthread-safety: tools/sanitized.sh address|thread ACTION
#   configure, build-tests, build-fuzzers, test
# They lie in build-address (AddressSanitizer and UBSan, instrumented for libFuzzer) and build-thread.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1 action=$2 jobs=${JOBS:-$(nproc)}
build=build-$kind
case "$kind" in
  address) options=(-DZRUN_SANITIZE=address,undefined -DZRUN_FUZZERS=ON) ;;
  thread) options=(-DZRUN_SANITIZE=thread) ;;
  *) echo "tools/sanitized.sh: no sanitizer '$kind'" >&2; exit 2 ;;
esac
if command -v ccache >/dev/null; then
  options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DZRUN_TESTS=ON \
  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO='-O1 -g1' "${options[@]}" >/dev/null
case "$action" in
  configure) ;;
  build-tests) cmake --build "$build" --target unit_tests -j "$jobs" ;;
  build-fuzzers) cmake --build "$build" --target fuzzers -j "$jobs" ;;
  test)
    cmake --build "$build" --target unit_tests -j "$jobs"
    # Leaks count; a test that wants an allocation to fail gets a null pointer.
    ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1 \
    UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1 \
      ctest --test-dir "$build" -L unit --output-on-failure --timeout 300 -j "$jobs"
    ;;
  *) echo "tools/sanitized.sh: no action '$action'" >&2; exit 2 ;;
esac
