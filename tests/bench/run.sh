#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and runs the benchmarks: each figure with its target beside it, and build/*bench.json with
# the machine and the time. Exits with 1 if a target is missed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/cli/install_packages.sh"
install_packages build test
configure "$root/build" -DSLIPWAY_TESTS=ON -DSLIPWAY_BENCH=ON
say "Building"
ninja -C "$root/build" -j "$(jobs_for_build)" benches || die "the build failed" "read the lines above"
say "Measuring"
status=0
"$root/build/bin/path_bench" || status=1
for source in "$root"/tests/bench/*_bench.cpp; do
  name=$(basename "$source" .cpp)
  [ "$name" != path_bench ] || continue
  say "$name"
  "$root/build/bin/$name" --benchmark_out="$root/build/$name.json" --benchmark_out_format=json || status=1
done
say "scoring beside azureml-inference-server-http"
bash "$root/tests/bench/scoring.sh" "$root/build/bin" "$root/build/peers" || [ $? -eq 77 ] || status=1
say "images with Python beside docker build, deploying on a process and on Docker"
bash "$root/tests/bench/python_image.sh" "$root/build/bin" || [ $? -eq 77 ] || status=1
exit "$status"
