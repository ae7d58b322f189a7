#!/usr/bin/env bash
# Installs the Debian 12 packages that a part of the work needs, if any is missing.
#
#   tools/setup.sh build     to build zrun
#   tools/setup.sh test      to run the tests (build included)
#   tools/setup.sh check     to run what CI runs (test included)
#   tools/setup.sh list SET  prints the packages of a set
set -euo pipefail

build=(
  make cmake ninja-build g++ libc6-dev linux-libc-dev python3
  # hosted code: archives, digests, downloads, JSON, command line, seccomp, ELF
  libarchive-dev liblzma-dev libzstd-dev zlib1g-dev libssl-dev libcurl4-openssl-dev nlohmann-json3-dev
  libcli11-dev libseccomp-dev libelf-dev
  # the riscv64 machine: its kernel, and what runs it
  g++-riscv64-linux-gnu qemu-system-misc
  # to fetch images: libcurl is opened when a download is asked for
  libcurl4 ca-certificates
)
test=(
  libgtest-dev libgmock-dev
  # the riscv64 machine's kernel is looked at with a debugger
  gdb-multiarch
  # packed images are checked with the format's own tools and mounted by the host's kernel
  erofs-utils xz-utils zstd bzip2 util-linux mount procps
)
check=(git clang clang-format clang-tidy libclang-rt-14-dev)

packages() {
  case "$1" in
    build) printf '%s\n' "${build[@]}" ;;
    test) printf '%s\n' "${build[@]}" "${test[@]}" ;;
    check) printf '%s\n' "${build[@]}" "${test[@]}" "${check[@]}" ;;
    *) echo "tools/setup.sh: no set '$1' (build, test, check)" >&2; exit 2 ;;
  esac
}

if [[ "${1:-}" == list ]]; then
  packages "${2:-check}"
  exit
fi

wanted=$(packages "${1:-build}")
missing=()
for package in $wanted; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ "$state" == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "tools/setup.sh: this is not a Debian system; these packages' counterparts are needed: ${missing[*]}" >&2
  exit 1
fi
root=()
if [[ $(id -u) != 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "tools/setup.sh: run as root, or install sudo. Missing: ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi

echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1; }
# The lists may be new enough; if not, they are fetched once.
if ! apt install --yes --no-install-recommends "${missing[@]}"; then
  if ! apt update || ! apt install --yes --no-install-recommends "${missing[@]}"; then
    cat "$log" >&2
    echo "tools/setup.sh: apt-get failed" >&2
    exit 1
  fi
fi
