#!/usr/bin/env bash
# Prepares the images that the tests run in, then runs ctest: tools/run_tests.sh BUILD [REGEX [JOBS]].
#
# The system-call and command-line tests use Alpine: a file found through ZRUN_IMAGE_PATH or a download. Where neither is
# to be had they use debian-gcc, which needs nothing but Debian's packages. ZRUN_TEST_IMAGE names another. The riscv64
# machine is tested in alpine-riscv64 and debian-gcc-riscv64.
set -euo pipefail
build=$(realpath "$1") regex=${2:-} jobs=${3:-$(nproc)}
zrun=$build/runtime-cli/zrun
cd "$(dirname "$0")/.."

gcc_image=$("$zrun" images build debian-gcc) || gcc_image=
image=${ZRUN_TEST_IMAGE:-}
[[ -n "$image" ]] || image=$("$zrun" images build alpine) || image=$gcc_image
if [[ -z "$image" ]]; then
  echo 'no image to test in: neither Alpine nor the packages of debian-gcc can be had, and ZRUN_TEST_IMAGE is not set' >&2
  exit 1
fi
[[ -n "$gcc_image" ]] || echo 'debian-gcc cannot be had: tests that need it are skipped' >&2
riscv64_image=$("$zrun" images build alpine-riscv64) || riscv64_image=
riscv64_gcc_image=
[[ -z "$riscv64_image" ]] || riscv64_gcc_image=$("$zrun" images build debian-gcc-riscv64) || riscv64_gcc_image=
[[ -n "$riscv64_image" ]] || echo 'alpine-riscv64 cannot be had: the riscv64 machine is not tested' >&2
echo "testing in $image"
# Tests are named when CMake configures: they know the images then.
cmake -S . -B "$build" -DZRUN_TESTS=ON -DZRUN_TEST_IMAGE="$image" -DZRUN_GCC_IMAGE="$gcc_image" \
  -DZRUN_RISCV64_TEST_IMAGE="$riscv64_image" -DZRUN_RISCV64_GCC_IMAGE="$riscv64_gcc_image" >/dev/null
cmake --build "$build" -j "$jobs"
ctest --test-dir "$build" --output-on-failure --timeout 300 -j "$jobs" ${regex:+-R "$regex"}
