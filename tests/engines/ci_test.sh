# SPDX-License-Identifier: Apache-2.0
# templates/ci/promote.sh as a CI job would run it: with an endpoint, a token and the program alone.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bin=$1
trap clean EXIT
export SLIPWAY_STATE=$work/state
unset SLIPWAY_ENDPOINT SLIPWAY_TOKEN SLIPWAY_WORKSPACE
cd "$work"
"$bin/slipway" up -q
endpoint=$(sed 's/.*"address": *"\([^"]*\)".*/\1/' "$work/state/run/endpoint.json")
token=$("$bin/slipway" token create ci --role deployer -o json -q | sed -n 's/^  "token": "\(.*\)",\{0,1\}$/\1/p')
[ -n "$token" ] || fail "no token"
"$bin/slipway" environment set staging --gate verify --gate endpoint -q >/dev/null
"$bin/slipway" environment set production --approver admin -q >/dev/null

# job ENVIRONMENT: what the CI system runs, in a folder and home of its own.
job() {
  mkdir -p "$work/runner"
  (cd "$work/runner" && env -i PATH="$PATH" HOME="$work/runner" SLIPWAY_PROGRAM="$bin/slipway" \
    SLIPWAY_ENDPOINT="$endpoint" SLIPWAY_TOKEN="${job_token:-$token}" MODEL_PATH="$digits/digits.onnx" \
    MODEL_NAME=digits ENVIRONMENT="$1" NOTE="commit 4f1d0c2" WAIT_SECONDS="${wait_seconds:-60}" \
    bash "$root/templates/ci/promote.sh")
}

job staging >"$work/out" 2>"$work/err" || fail "the job failed: $(cat "$work/out" "$work/err")"
grep -q '^state *Succeeded' "$work/out" || fail "no success: $(cat "$work/out")"
grep -q 'endpoint *Passed' "$work/out" || fail "no evidence: $(cat "$work/out")"
[ "$("$bin/slipway" model alias digits staging -o json | sed -n 's/.*"version": \([0-9]*\).*/\1/p')" = 1 ] || fail "the alias"
"$bin/slipway" audit --actor ci | grep -q '/promotions' || fail "the record does not name ci"

# Nobody agrees: the job ends with 7, and nothing is in production.
status=0
wait_seconds=1 job production >"$work/out" 2>"$work/err" || status=$?
[ "$status" = 7 ] || fail "status $status: $(cat "$work/out" "$work/err")"
"$bin/slipway" service show digits-production >/dev/null 2>&1 && fail "it is there although nobody agreed"

# A token that may not: refused in one line, nothing done.
job_token=$("$bin/slipway" token create see --role reader -o json -q | sed -n 's/^  "token": "\(.*\)",\{0,1\}$/\1/p')
status=0
job staging >"$work/out" 2>"$work/err" || status=$?
[ "$status" = 5 ] || fail "a reader's job ended with $status: $(cat "$work/err")"
grep -q 'cause: Auth.Forbidden' "$work/err" || fail "no cause: $(cat "$work/err")"
echo "promoted, waited, refused"
