#!/bin/sh
# Builds build/debug-lines. Without libdw (Debian: libdw-dev, libzstd-dev) this fails, and the server goes on with
# symbols but without lines.
set -eu
cd "$(dirname -- "$0")/.."
mkdir -p build
# _GLIBCXX_ASSERTIONS: an index outside of a vector ends the process instead of going on.
# shellcheck disable=SC2086 # a list of words
g++ ${CXXFLAGS:--O2 -g0} -std=gnu++20 -Wall -Wextra -Werror -D_GLIBCXX_ASSERTIONS -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
  -Wl,-z,relro,-z,now native/*.cc -ldw -lelf -lzstd -o build/debug-lines.new
mv build/debug-lines.new build/debug-lines
