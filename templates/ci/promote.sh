#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What a CI job runs to bring a model to an environment. It needs the program slipway, nothing
# else, and these variables:
#
#   SLIPWAY_ENDPOINT   https://slipway.example.com, of the workspace service
#   SLIPWAY_TOKEN      a secret of the CI system: slipway token create ci --role deployer
#   SLIPWAY_WORKSPACE  the workspace; `default` if it is not set
#   MODEL_PATH         file or folder of the model
#   MODEL_NAME         its name in the workspace
#   ENVIRONMENT        where it is to go: slipway environment list
#
# Exit status 0: it is there. 1: it was refused or failed, and what was there before runs on; the
# lines on standard error say why. 7: somebody has to agree, and has not within WAIT_SECONDS.
set -euo pipefail

: "${SLIPWAY_ENDPOINT:?}" "${SLIPWAY_TOKEN:?}" "${MODEL_PATH:?}" "${MODEL_NAME:?}" "${ENVIRONMENT:?}"
slipway=${SLIPWAY_PROGRAM:-slipway}
note=${NOTE:-"${CI_COMMIT_SHA:-${GITHUB_SHA:-by hand}}"}
wait_seconds=${WAIT_SECONDS:-3600}

# field NAME: the value of a member of a JSON object that slipway printed.
field() { sed -n 's/^  "'"$1"'": "\(.*\)",\{0,1\}$/\1/p' | head -n 1; }

# The model is good as a file before it leaves this machine, golden samples included.
if [ -f "$MODEL_PATH" ]; then "$slipway" model check "$MODEL_PATH" >/dev/null; fi
if compgen -G "$MODEL_PATH/test_data_set_*" >/dev/null; then "$slipway" model test "$MODEL_PATH"; fi

version=$("$slipway" model register "$MODEL_PATH" --name "$MODEL_NAME" --property "source=$note" -o json | field id)
echo "registered $version"

promotion=$("$slipway" promote "$version" --to "$ENVIRONMENT" --note "$note" -o json)
id=$(field id <<<"$promotion")
state=$(field state <<<"$promotion")
deadline=$((SECONDS + wait_seconds))
while [ "$state" = WaitingForApproval ] || [ "$state" = Running ]; do
  [ "$SECONDS" -lt "$deadline" ] || { echo "promotion $id still waits" >&2; exit 7; }
  sleep 5
  state=$("$slipway" promotion show "$id" -o json | field state)
done
"$slipway" promotion show "$id"
[ "$state" = Succeeded ]
