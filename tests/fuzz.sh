#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Tries the programs of tests/fuzz with input that libFuzzer makes up from their corpora, one after
# the other, built by clang with its sanitizers. Ends with 77 where clang cannot be had.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/cli/install_packages.sh"

usage() {
  cat <<TEXT
usage: bash tests/fuzz.sh [--seconds N] [--merge N] [--build FOLDER] [NAME[=SECONDS]...]

Tries each fuzzer of tests/fuzz, or those named, for N seconds (60). What it finds is written to
FOLDER/fuzz (build-fuzz/fuzz): NAME/found are inputs that end a program, NAME/new such as reach code
that the corpus does not.
  --merge N   afterwards adds up to N of the new inputs, those first that reach most and none above
              4 KiB, to the corpora
TEXT
}

seconds=60 merge=0 build=$root/build-fuzz named=()
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds | --merge | --build)
      [ $# -ge 2 ] || die "$1 needs a value"
      declare "${1#--}=$2"
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; die "unknown argument '$1'" ;;
    *) named+=("$1"); shift ;;
  esac
done
if ! (install_packages build test fuzz); then
  echo "skipped: clang cannot be installed"
  exit 77
fi
if [ ${#named[@]} -eq 0 ]; then
  for file in "$root"/tests/fuzz/corpus/*; do named+=("$(basename "$file")"); done
fi
targets=()
for each in "${named[@]}"; do
  targets+=("fuzz_${each%%=*}")
  [ -d "$root/tests/fuzz/corpus/${each%%=*}" ] ||
    die "there is no fuzzer '${each%%=*}'" "name one of: $(ls "$root/tests/fuzz/corpus" | tr '\n' ' ')"
done

configure "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=/usr/bin/clang++-14 \
  -DCMAKE_C_COMPILER=/usr/bin/clang-14 -DSLIPWAY_TESTS=ON -DSLIPWAY_FUZZ=ON \
  -DSLIPWAY_SANITIZE=address,undefined
say "Building the fuzzers in $build"
ninja -C "$build" -j "$(jobs_for_build)" "${targets[@]}" ||
  die "the build failed" "read the lines above"

# try NAME SECONDS: fuzzes, then adds inputs to the corpus where that is wanted.
try() {
  local name=$1 corpus=$root/tests/fuzz/corpus/$1 out=$build/fuzz/$1 status=0
  say "Fuzzing $name for $2 seconds"
  rm -rf "$out/smaller"
  mkdir -p "$out/found" "$out/new" "$out/smaller"
  "$build/bin/fuzz_$name" -max_total_time="$2" -timeout=30 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="$out/found/" "$out/new" "$corpus" >"$out/log" 2>&1 || status=$?
  grep -E '^stat::|^Done|^==|ERROR|SUMMARY|runtime error|^    #' "$out/log" | cut -c1-200 || true
  if [ "$status" -ne 0 ]; then
    printf 'FAILED: %s: the input is in %s/found, all it said in %s/log\n' "$name" "$out" "$out"
    return 1
  fi
  [ "$merge" -eq 0 ] || add_new "$name"
}

# add_new NAME: new inputs to the corpus, in the order in which the merge wrote them.
add_new() {
  local corpus=$root/tests/fuzz/corpus/$1 out=$build/fuzz/$1 file added=0
  cp -r "$corpus/." "$out/smaller"
  "$build/bin/fuzz_$1" -set_cover_merge=1 "$out/smaller" "$out/new" >"$out/merge.log" 2>&1 ||
    die "the new inputs could not be merged" "read $out/merge.log"
  while read -r file; do
    [ ! -e "$corpus/$file" ] || continue
    [ "$added" -lt "$merge" ] || break
    cp "$out/smaller/$file" "$corpus/found_$(sha256sum "$out/smaller/$file" | head -c 12)"
    added=$((added + 1))
  done < <(find "$out/smaller" -type f -size -4097c -printf '%T+ %P\n' | sort | cut -d' ' -f2-)
  say "Added $added inputs to $corpus"
}

failed=0
for each in "${named[@]}"; do
  time=$seconds
  [ "$each" = "${each%%=*}" ] || time=${each#*=}
  try "${each%%=*}" "$time" || failed=$((failed + 1))
done
[ "$failed" -eq 0 ]
