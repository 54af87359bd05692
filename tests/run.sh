#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds, and runs every test that can run on this machine.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/cli/install_packages.sh"

usage() {
  cat <<TEXT
usage: bash tests/run.sh [--long] [--sanitize] [--fuzz] [--engines] [--bench] [-R REGEX]

Installs the Debian packages of cli/packages.txt that are missing (as root, or with sudo), builds
into build/, runs every test. The closing line counts test cases.
  --sanitize  the same with address and undefined-behaviour sanitizers, in build-sanitize/
  --fuzz      also tries each fuzzer of tests/fuzz for a minute, built by clang (tests/fuzz.sh: longer)
  --engines   also installs the container engines and tools of other people that tests/engines
              tries images with, where it can; so does a run with CI set. Tests of what is missing
              are skipped
  --long      also --engines, clang-tidy, the sanitizers, and what tests do when SLIPWAY_LONG=1
  --bench     also the benchmarks of tests/bench
  -R REGEX    only tests whose name matches
TEXT
}

long= bench= sanitize= fuzz= engines=${CI:-} only=()
while [ $# -gt 0 ]; do
  case "$1" in
    --long) long=1 sanitize=1 engines=1; shift ;;
    --engines) engines=1; shift ;;
    --bench) bench=1; shift ;;
    --sanitize) sanitize=1; shift ;;
    --fuzz) fuzz=1; shift ;;
    -R) [ $# -ge 2 ] || die "-R needs a regular expression"; only=(-R "$2"); shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
done
[ -r /proc/self/stat ] || die "/proc is not mounted" "mount -t proc proc /proc"
[ -z "$long" ] || export SLIPWAY_LONG=1
uses=(build test)
[ -z "$long" ] || uses+=(long)
install_packages "${uses[@]}"
if [ -n "$engines" ] && ! (install_packages engines); then
  say "The engines of tests/engines could not all be installed: tests of the missing ones are skipped"
fi

passed=0 failed=0 skipped=0

# count NAME COMMAND...: a check that is no test program, counted as one case; 77 says it was
# skipped.
count() {
  local name=$1 status=0
  shift
  "$@" || status=$?
  case "$status" in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)); printf 'FAILED: %s\n' "$name" ;;
  esac
}

# run_tests FOLDER OPTION...: builds there and adds its test cases to the counts.
run_tests() {
  local folder=$1 report=$1/tests.xml tests failures skips status=0
  shift
  configure "$folder" -DSLIPWAY_TESTS=ON "$@"
  say "Building $folder with $(jobs_for_build) jobs"
  ninja -C "$folder" -j "$(jobs_for_build)" || die "the build failed" "read the lines above"
  say "Testing $folder"
  rm -f "$report"
  ctest --test-dir "$folder" -j 2 --progress --output-on-failure --no-tests=error \
    --output-junit "$report" "${only[@]}" || status=$?
  [ -f "$report" ] || die "ctest left no report"
  attribute() { grep -m 1 -oE "(^|[[:space:]])$1=\"[0-9]+\"" "$report" | tr -cd '0-9'; }
  tests=$(attribute tests) failures=$(attribute failures) skips=$(attribute skipped)
  [ "$status" -eq 0 ] || [ "$failures" -gt 0 ] || die "ctest failed with status $status" "read the lines above"
  failed=$((failed + failures)) skipped=$((skipped + skips))
  passed=$((passed + tests - failures - skips))
  if [ "$skips" -gt 0 ]; then
    say "Skipped, and why"
    awk '/: Skipped$/ { getline; print }' "$report" | sort | uniq -c | sort -rn
  fi
}

run_tests "$root/build"
if [ ${#only[@]} -eq 0 ] && [ -n "$long" ]; then
  say "clang-tidy"
  count clang-tidy bash "$root/tests/tidy.sh"
fi
if [ -n "$sanitize" ]; then
  export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
  run_tests "$root/build-sanitize" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSLIPWAY_SANITIZE=address,undefined
fi
[ -z "$fuzz" ] || count fuzzers bash "$root/tests/fuzz.sh"
[ -z "$bench" ] || bash "$root/tests/bench/run.sh"

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
