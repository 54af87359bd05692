#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An image goes to Debian's docker-registry and comes back, with and without a login, with one that a
# credential helper knows, and over TLS with a private authority; skopeo reads there what was pushed,
# and what skopeo copied there is pulled.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need docker-registry curl
export DOCKER_CONFIG=$work/docker PATH=$work/helpers:$PATH
build_image "$1"
port=$(free_port)
registry=127.0.0.1:$port
server=
at_exit() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; }

# serve AUTH [TLS]: the registry with these parts of its configuration, on an empty folder.
serve() {
  at_exit
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$work/registry"
  cat >"$work/registry.yml" <<TEXT
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "$work/registry"}}
http: {addr: "$registry"${2:+, tls: $2}}
$1
TEXT
  docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  server=$!
  local try
  for try in $(seq 100); do
    curl -sk -o "$work/answer" --max-time 2 "http${2:+s}://$registry/v2/" && return
    sleep 0.1
  done
  fail "the registry did not start: $(tail -n 1 "$work/registry.log")"
}
# digest_of REFERENCE OPTION...: what skopeo says it is.
digest_of() {
  skopeo inspect --tls-verify=false "${@:2}" "docker://$1" | sed -n 's/^ *"Digest": "\(.*\)",$/\1/p'
}
# pulled NAME: the digest of an image of the workspace.
pulled() { "$bin/slipway" image show "$1" -o json | sed -n 's/^  "digest": "\(.*\)",\{0,1\}$/\1/p'; }

serve ""
"$bin/slipway" image push digits:1 "$registry/team/digits:1" -q >/dev/null
"$bin/slipway" image push digits:1 "$registry/team/digits:again" -q >/dev/null
"$bin/slipway" image pull "$registry/team/digits:1" --name back -q >/dev/null
[ "$(pulled back)" = "$digest" ] || fail "what came back is $(pulled back), not $digest"
if command -v skopeo >/dev/null; then
  [ "$(digest_of "$registry/team/digits:1")" = "$digest" ] || fail "skopeo finds another digest"
  skopeo copy -q --dest-tls-verify=false --src-tls-verify=false \
    "docker://$registry/team/digits:1" "docker://$registry/other/docker:1" --format v2s2
  "$bin/slipway" image pull "$registry/other/docker:1" --name converted -q >/dev/null
  "$bin/slipway" image save converted -f oci-archive "$work/converted.tar" -q >/dev/null
  skopeo inspect "oci-archive:$work/converted.tar" >/dev/null || fail "the converted image is broken"
else
  echo "skopeo is not installed: what it reads was not tried"
fi

need htpasswd
htpasswd -Bbn robot 'p:ss word' >"$work/htpasswd"
serve "auth: {htpasswd: {realm: test, path: $work/htpasswd}}"
why=$("$bin/slipway" image push digits:1 "$registry/team/digits:1" -q 2>&1) && fail "pushed without a login"
grep -q Registry.Unauthorized <<<"$why" || fail "no login gives: $why"
why=$(echo wrong | "$bin/slipway" image push digits:1 "$registry/team/digits:1" -q \
  --username robot --password-stdin 2>&1) && fail "pushed with a wrong password"
grep -q Registry.Unauthorized <<<"$why" || fail "a wrong password gives: $why"
echo 'p:ss word' | "$bin/slipway" image push digits:1 "$registry/team/digits:1" -q \
  --username robot --password-stdin >/dev/null
mkdir -p "$DOCKER_CONFIG"
printf '{"auths": {"%s": {"auth": "%s"}}}' "$registry" "$(printf %s 'robot:p:ss word' | base64)" \
  >"$DOCKER_CONFIG/config.json"
"$bin/slipway" image pull "$registry/team/digits:1" --name secret -q >/dev/null
[ "$(pulled secret)" = "$digest" ] || fail "what came back with a login is another image"
# A credential helper comes before the file, and one that fails is named.
mkdir "$work/helpers"
cat >"$work/helpers/docker-credential-test" <<SH
#!/bin/sh
[ "\$1" = get ] && [ "\$(cat)" = "$registry" ] && [ ! -e "$work/locked" ] || { echo the keychain is locked; exit 1; }
echo '{"ServerURL": "$registry", "Username": "robot", "Secret": "p:ss word"}'
SH
chmod +x "$work/helpers/docker-credential-test"
printf '{"auths": {"%s": {"auth": "%s"}}, "credHelpers": {"%s": "test"}}' "$registry" \
  "$(printf %s 'robot:wrong' | base64)" "$registry" >"$DOCKER_CONFIG/config.json"
"$bin/slipway" image pull "$registry/team/digits:1" --name helped -q >/dev/null
[ "$(pulled helped)" = "$digest" ] || fail "what came back with a helper's login is another image"
touch "$work/locked"
why=$("$bin/slipway" image pull "$registry/team/digits:1" --name helped -q 2>&1) && fail "pulled with a locked keychain"
grep -q "docker-credential-test.*the keychain is locked" <<<"$why" || fail "a locked keychain gives: $why"
grep -q Registry.CredentialHelper <<<"$why" || fail "a locked keychain gives: $why"
rm "$DOCKER_CONFIG/config.json"

# TLS with an authority that only --ca names.
need openssl
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
    -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}
authority ours
authority another
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=registry -keyout "$work/tls.key" -out "$work/tls.csr" 2>/dev/null
openssl x509 -req -in "$work/tls.csr" -CA "$work/ours.pem" -CAkey "$work/ours.key" -CAcreateserial -days 30 \
  -extfile <(echo "subjectAltName=IP:127.0.0.1") -out "$work/tls.pem" 2>/dev/null
serve "" "{certificate: $work/tls.pem, key: $work/tls.key}"
"$bin/slipway" image push digits:1 "$registry/team/digits:1" --ca "$work/ours.pem" -q >/dev/null
"$bin/slipway" image pull "$registry/team/digits:1" --name tls --ca "$work/ours.pem" -q >/dev/null
[ "$(pulled tls)" = "$digest" ] || fail "what came back over TLS is another image"
why=$("$bin/slipway" image push digits:1 "$registry/team/digits:1" --ca "$work/another.pem" -q 2>&1) && fail "pushed to whom nobody vouches for"
grep -q Registry.Untrusted <<<"$why" || fail "an unknown authority gives: $why"
! grep -rqs 'p:ss word' "$SLIPWAY_STATE/logs" || fail "the password is in a log"
echo "docker-registry takes and gives $digest"
