#!/usr/bin/env bash
# Prepares the images that the tests run in, and builds the tests: tools/configure_tests.sh BUILD [JOBS].
#
# The system-call and command-line tests use Alpine: a file found through ZRUN_IMAGE_PATH or a download. Where neither is
# to be had, or with ZRUN_TEST_DEBIAN=1, they use debian-busybox, which needs nothing but Debian's packages, as debian-gcc
# does. ZRUN_TEST_IMAGE names another. The riscv64 machine is tested in the counterparts of all these.
set -euo pipefail
build=$(realpath "$1") jobs=${2:-$(nproc)}
zrun=$build/runtime-cli/zrun
cd "$(dirname "$0")/.."

# The first of the images that can be had; nothing when there is none.
first_of() {
  local name
  for name in "$@"; do
    [[ $name == alpine* && -n "${ZRUN_TEST_DEBIAN:-}" ]] && continue
    "$zrun" images build "$name" && return
  done
  echo "$* cannot be had: tests that need it are skipped" >&2
}

image=${ZRUN_TEST_IMAGE:-$(first_of alpine debian-busybox)}
if [[ -z "$image" ]]; then
  echo 'no image to test in: neither Alpine nor the packages of debian-busybox can be had, and ZRUN_TEST_IMAGE is not set' >&2
  exit 1
fi
gcc_image=$(first_of debian-gcc)
riscv64_image=$(first_of alpine-riscv64 debian-busybox-riscv64)
riscv64_gcc_image=$(first_of debian-gcc-riscv64)
echo "testing in $image"
# Tests are named when CMake configures: they know the images then.
cmake -S . -B "$build" -DZRUN_TESTS=ON -DZRUN_TEST_IMAGE="$image" -DZRUN_GCC_IMAGE="$gcc_image" \
  -DZRUN_RISCV64_TEST_IMAGE="$riscv64_image" -DZRUN_RISCV64_GCC_IMAGE="$riscv64_gcc_image" >/dev/null
cmake --build "$build" -j "$jobs"
