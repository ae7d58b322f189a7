#!/usr/bin/env bash
# Compiles and runs examples/hello/hello.c in a container, as the README says. The argument is the zrun to use.
set -euo pipefail
zrun=$(realpath "$1")
folder=$(realpath "$(dirname "$0")/..")/examples/hello

echo 'The image debian-gcc is made once from Debian packages, then kept in the cache.'
"$zrun" images build debian-gcc >/dev/null
cd "$folder"
rm -f a.out
echo '$ zrun debian-gcc -- gcc hello.c'
"$zrun" debian-gcc -- gcc hello.c
echo '$ zrun debian-gcc -- ./a.out'
"$zrun" debian-gcc -- ./a.out
