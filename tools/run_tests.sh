#!/usr/bin/env bash
# Runs the tests: tools/run_tests.sh BUILD [REGEX [JOBS]]. The last lines tell what was skipped, and why.
# tools/configure_tests.sh says which images the tests run in.
set -euo pipefail
build=$(realpath "$1") regex=${2:-} jobs=${3:-$(nproc)}
cd "$(dirname "$0")/.."

tools/configure_tests.sh "$build" "$jobs"
status=0
ctest --test-dir "$build" --output-on-failure --timeout 300 -j "$jobs" ${regex:+-R "$regex"} \
  --output-junit "$build/tests.xml" --test-output-size-passed 1000000 || status=$?
python3 tools/skipped_tests.py "$build/tests.xml"
exit $status
