#!/usr/bin/env bash
# Builds the native part into build/: `build-native.sh [ninja target...]`, by default `runtime`
# (the addon, and the DPDK and RDMA libraries where theirs are there). Ninja decides what is stale.
#
#   RXNF_CMAKE_ARGS   more arguments for CMake, e.g. -DRXNF_ARCH=native or -DRXNF_WERROR=OFF
#   RXNF_BUILD_DIR    another build directory
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
build=${RXNF_BUILD_DIR:-$root/build}
targets=("${@:-runtime}")
export PATH="$root/node_modules/.bin:$PATH" # CMake asks node where the Node-API headers are
mkdir -p "$build"

# What CMake looked up once and would not notice changing.
configuration="$root $(g++ -dumpfullversion) ${RXNF_CMAKE_ARGS:-}"
for package in libdpdk libibverbs librdmacm; do
  configuration+=" $(pkg-config --modversion "$package" 2>/dev/null || echo "no-$package")"
done
stamp="$build/.configuration"
if [[ ! -f $build/build.ninja || $(cat "$stamp" 2>/dev/null) != "$configuration" ]]; then
  rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles"
  # shellcheck disable=SC2086 # several arguments in one variable
  cmake -S "$root/native" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release ${RXNF_CMAKE_ARGS:-}
  printf '%s\n' "$configuration" >"$stamp"
fi
exec ninja -C "$build" "${targets[@]}"
