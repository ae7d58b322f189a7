#!/usr/bin/env bash
# clang-tidy over the kernel's and the launcher's own sources: tools/tidy.sh BUILD [JOBS]. BUILD holds a
# compile_commands.json made for Clang. TIDY_SECONDS bounds the whole run; what is left then is named.
set -euo pipefail
build=$1 jobs=${2:-$(nproc)} seconds=${TIDY_SECONDS:-900}
cd "$(dirname "$0")/.."
# Sources of the kernel stand there twice: as the kernel has them, with flags that only GCC knows, and hosted.
mkdir -p "$build/tidy"
export database=$build/tidy
python3 - "$build/compile_commands.json" "$database/compile_commands.json" <<'EOF'
import json, sys
commands = json.load(open(sys.argv[1]))
json.dump([c for c in commands if "_hosted.dir" in c["command"] or "/runtime-cli/" in c["file"] or "/images/" in c["file"]],
          open(sys.argv[2], "w"))
EOF

check() {
  if [[ $(date +%s) -ge $deadline ]]; then
    echo "left $1"
  elif out=$(clang-tidy -p "$database" --quiet --extra-arg=-Wno-missing-field-initializers "$1" 2>/dev/null); then
    echo "pass $1"
  else
    printf 'FAIL %s\n%s\n' "$1" "$out"
  fi
}
export -f check
deadline=$(($(date +%s) + seconds))
export deadline

log=$build/tidy.txt
git ls-files 'base/*.cc' 'objects/*.cc' 'vfs/*.cc' 'loader/*.cc' 'compat/*.cc' 'images/*.cc' 'runtime-cli/*.cc' \
  | grep -vE '_(test|fuzz)\.cc$|private_pages_host' \
  | xargs -P "$jobs" -I{} bash -c 'check "$1"' check {} >"$log"
grep -av '^pass' "$log" || true
passed=$(grep -ac '^pass' "$log" || true) failed=$(grep -ac '^FAIL' "$log" || true) left=$(grep -ac '^left' "$log" || true)
echo "$passed passed, $failed failed, $left left out for lack of time"
[[ $failed == 0 && $left == 0 ]]
