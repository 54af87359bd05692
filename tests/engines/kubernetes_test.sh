#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes: its API server with nodes that only pretend, and then, as root, with a real
# node. Image -> registry -> Deployment -> Service -> the bits of `model run`, an update under load
# without a lost request, and failures that each end in their cause.
#   SLIPWAY_KUBERNETES=1   asks for it; K8S_BIN: folder with kube-apiserver and the rest, and kubectl
#   SLIPWAY_KUBERNETES_UP  the script that starts a cluster (`up`, `wipe`; K8S_DIR, K8S_NODE)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ "${SLIPWAY_KUBERNETES:-}" = 1 ] || skip "SLIPWAY_KUBERNETES=1 asks for a real Kubernetes"
up=${SLIPWAY_KUBERNETES_UP:-$root/../shared/kubernetes/up.sh}
[ -f "$up" ] || skip "there is no script that starts a cluster: $up"
[ -x "${K8S_BIN:-/nowhere}/kube-apiserver" ] || skip "K8S_BIN names no folder with kube-apiserver"
need etcd docker-registry htpasswd ab curl
export K8S_DIR=$work/k K8S_PORT=${K8S_PORT:-18443} DOCKER_CONFIG=$work/docker
kube() { KUBECONFIG=$K8S_DIR/admin.kubeconfig "$K8S_BIN/kubectl" "$@"; }

registries=()
at_exit() {
  "$bin/slipway" down -q >/dev/null 2>&1 || true
  bash "$up" wipe >/dev/null 2>&1 || true
  local pid
  for pid in "${registries[@]}"; do kill "$pid" 2>/dev/null || true; done
}
# serve PORT AUTH: a registry.
serve() {
  cat >"$work/registry$1.yml" <<TEXT
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "$work/registry$1"}}
http: {addr: "127.0.0.1:$1"}
$2
TEXT
  docker-registry serve "$work/registry$1.yml" >"$work/registry$1.log" 2>&1 &
  registries+=($!)
}
# cluster KIND: a new cluster of that kind of nodes.
cluster() {
  bash "$up" wipe >/dev/null 2>&1 || true
  K8S_NODE=$1 K8S_REGISTRY=0 bash "$up" up >"$work/up.log" 2>&1 || skip "no cluster: $(tail -n 3 "$work/up.log")"
  kube create namespace lab >/dev/null
  local try
  for try in $(seq 50); do
    ! kube -n lab get serviceaccount default >/dev/null 2>&1 || return 0
    sleep 0.2
  done
}
# deployment LINE...: a deployment file; the registry and the cluster stand in it.
deployment() {
  cat >"$work/deployment.yaml" <<TEXT
image_registry: {address: "${address:-127.0.0.1:$open}"}
kubernetes: {kubeconfig: "${kubeconfig:-$K8S_DIR/admin.kubeconfig}", namespace: ${name_space:-lab}}
TEXT
  printf '%s\n' "$@" >>"$work/deployment.yaml"
}
small=("autoscale_enabled: false" "auth_enabled: false" "num_replicas: 1" "cpu_cores: 0.05")
create() { "$bin/slipway" service create "$1" --image "$2" --target kubernetes --config "$work/deployment.yaml"; }
# fails CAUSE WORDS IMAGE: deploying ends in that cause, and says these words.
fails() {
  local said
  said=$(create broken "$3" 2>&1) && fail "$1: it was deployed"
  grep -q "cause: Service.$1" <<<"$said" || fail "$1: $said"
  grep -q "fix: " <<<"$said" || fail "$1 has no fix: $said"
  grep -q "$2" <<<"$said" || fail "$1 does not say '$2': $said"
  "$bin/slipway" service delete broken -q >/dev/null
  echo "$1: $(grep -m 1 '^slipway' <<<"$said" | cut -c 1-300)"
}
field() { "$bin/slipway" service show "$1" -o json | sed -n "s/^  \"$2\": \"\{0,1\}\([^\"]*\)\"\{0,1\},\{0,1\}\$/\1/p"; }
nothing_left() {
  local left
  left=$(kube -n lab get deploy,svc,hpa,pdb,ingress,pod -o name | grep -v service/kubernetes || true)
  [ -z "$left" ] || fail "left behind: $left"
  left=$(kube -n lab get secret -o name | grep -v token || true)
  [ -z "$left" ] || fail "left behind: $left"
}

build_image "$1"
"$bin/slipway" model register "$digits/digits.onnx" --name digits -q >>"$work/log"
"$bin/slipway" image create digits --model digits -q >>"$work/log"
open=$(free_port)
serve "$open" ""

echo "== nodes that pretend"
cluster fake
deployment "autoscale_min_replicas: 2" "cpu_cores: 0.1" "memory_gb: 0.2"
sed -i 's/namespace: lab}/namespace: lab, ingress_host: digits.example.com}/' "$work/deployment.yaml"
create digits digits:1 >"$work/shown" 2>&1 || fail "$(cat "$work/shown")"
[ "$(field digits endpoint)" = http://digits.example.com ] || fail "endpoint $(field digits endpoint)"
kube -n lab get deployment/digits service/digits hpa/digits pdb/digits ingress/digits \
  secret/digits-keys >/dev/null || fail "an object is not there"
kube -n lab get deployment digits -o yaml >"$work/deployment.seen"
grep -q 'manager: slipway' "$work/deployment.seen" || fail "the fields are not held by slipway"
kube -n lab scale deployment digits --replicas 3 >/dev/null
"$bin/slipway" service update digits --image digits:2 -q >/dev/null || fail "an autoscaler's replicas are in the way"
kube -n lab set image deployment digits scoring=elsewhere/other:1 >/dev/null
why=$("$bin/slipway" service update digits --image digits:1 2>&1) && fail "took a field from kubectl"
grep -q 'kubectl' <<<"$why" && grep -q Service.FieldConflict <<<"$why" || fail "a conflict gives: $why"
"$bin/slipway" service delete digits -q >/dev/null
nothing_left

echo "== failures before a pod"
kubeconfig=$K8S_DIR/deployer.kubeconfig deployment "${small[@]}"
fails Forbidden 'cannot get resource' digits:1
name_space=nowhere deployment "${small[@]}"
fails NamespaceMissing nowhere digits:1
sed 's/token: "[^"]*"/token: "wrong"/' "$K8S_DIR/admin.kubeconfig" >"$work/expired"
kubeconfig=$work/expired deployment "${small[@]}"
fails Unauthorized Unauthorized digits:1
sed 's/certificate-authority: "[^"]*"//' "$K8S_DIR/admin.kubeconfig" | sed 's/, *}/}/' >"$work/untrusted"
kubeconfig=$work/untrusted deployment "${small[@]}"
fails ClusterUntrusted certificate digits:1
sed 's/16443\|18443/1/; s/:'"$K8S_PORT"'/:1/' "$K8S_DIR/admin.kubeconfig" >"$work/away"
kubeconfig=$work/away deployment "${small[@]}"
fails ClusterUnreachable ':1' digits:1
kube -n lab create quota few --hard=cpu=10m >/dev/null
deployment "${small[@]}"
fails QuotaExceeded 'exceeded quota' digits:1
kube -n lab delete quota few >/dev/null
nothing_left

echo "== with no more leave than the README asks for"
# role FILTER: the deployer has the Role of deployer/kubernetes/README.md, changed by a sed script.
role() {
  sed -n '/^    apiVersion: rbac/,/^$/p' "$root/deployer/kubernetes/README.md" | sed 's/^    //' | sed "$1" >"$work/role.yaml"
  kube apply -f "$work/role.yaml" >/dev/null
  kube -n lab get rolebinding slipway >/dev/null 2>&1 ||
    kube -n lab create rolebinding slipway --role slipway --user deployer >/dev/null
}
# asked VERB RESOURCE: how often the API server was asked so.
asked() {
  kube get --raw /metrics |
    awk -v verb="verb=\"$1\"" -v what="resource=\"$2\"" '/^apiserver_request_total/ && index($0, verb) && index($0, what) { n += $NF } END { print n + 0 }'
}
log=$SLIPWAY_STATE/logs/slipwayd.log
role ''
before=$(grep -c 'cannot be watched' "$log" || true)
kubeconfig=$K8S_DIR/deployer.kubeconfig deployment "autoscale_min_replicas: 2" "cpu_cores: 0.1" "auth_enabled: false"
create plain digits:1 >"$work/shown" 2>&1 || fail "$(cat "$work/shown")"
[ "$(field plain state)" = Healthy ] || fail "state $(field plain state)"
[ "$(grep -c 'cannot be watched' "$log" || true)" = "$before" ] || fail "$(grep 'cannot be watched' "$log")"
for try in $(seq 80); do [ "$(field plain cause)" != MetricsMissing ] || break; sleep 0.5; done
[ "$(field plain cause)" = MetricsMissing ] || fail "no metrics-server: $(field plain state) $(field plain cause)"
looks=$(asked GET deployments) lists=$(asked LIST pods)
for try in $(seq 20); do "$bin/slipway" service show plain -q >/dev/null; done
[ "$(asked GET deployments)" = "$looks" ] || fail "20 looks at a service that is well: $(asked GET deployments) GETs after $looks"
[ "$(asked LIST pods)" = "$lists" ] || fail "20 looks at a service that is well: $(asked LIST pods) lists of pods after $lists"
kube -n lab scale deployment plain --replicas 0 >/dev/null
for try in $(seq 40); do [[ $(field plain detail) != *"scaled to no replicas"* ]] || break; sleep 0.1; done
[[ $(field plain detail) == *"scaled to no replicas"* ]] || fail "it was scaled to nothing by hand: $(field plain detail)"
[ "$(asked GET deployments)" -le $((looks + 4)) ] || fail "it asked instead of watching"
"$bin/slipway" service delete plain -q >/dev/null
echo "no request for a service that is well, and a change by another's hand shows"
"$bin/slipway" down -q && role 's/, list, watch//; s/\[list, watch\]/[list]/' && "$bin/slipway" up -q
create plain digits:1 >"$work/shown" 2>&1 || fail "without leave to watch: $(cat "$work/shown")"
grep 'cannot be watched' "$log" | grep -q 'verbs' || fail "nothing said that it may not watch"
"$bin/slipway" service delete plain -q >/dev/null
nothing_left

[ "$(id -u)" = 0 ] && command -v dockerd >/dev/null || skip "the rest needs root and docker.io"
echo "== a real node"
cluster docker
node() { docker --host "unix://$K8S_DIR/node/docker.sock" "$@"; }
deployment "autoscale_enabled: false" "auth_enabled: false" "num_replicas: 2" "cpu_cores: 0.1"
create digits digits:1 >"$work/shown" 2>&1 || fail "$(cat "$work/shown")"
place=$(field digits endpoint)
check_answers "${place#http://}"
ab -q -r -t 45 -n 1000000 -c 4 -p "$digits/samples/digits_3.json" -T application/json "$place/score" >"$work/ab" 2>&1 &
load=$!
ab -q -r -k -t 45 -n 1000000 -c 2 -p "$digits/samples/digits_4.json" -T application/json "$place/score" >"$work/ab.kept" 2>&1 &
kept=$!
sleep 3
"$bin/slipway" service update digits --image digits:2 -q >/dev/null || fail "the update failed"
sleep 8
"$bin/slipway" service update digits --image digits:1 -q >/dev/null || fail "the update back failed"
wait "$load" "$kept" || true
for report in "$work/ab" "$work/ab.kept"; do
  grep -q '^Failed requests: *0$' "$report" && ! grep -q 'Non-2xx' "$report" || fail "$(cat "$report")"
  echo "updated twice under load: $(grep '^Complete requests' "$report"), none failed"
done
"$bin/slipway" service logs digits --lines 5 | grep -q serving || fail "no logs"

deployment "autoscale_enabled: false" "num_replicas: 1" "cpu_cores: 0.05" "primary_key: first-key" "secondary_key: second-key"
create keyed digits:1 >"$work/shown" 2>&1 || fail "$(cat "$work/shown")"
place=$(field keyed endpoint)
ask() { curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$place/score" -d "@$digits/samples/digits_1.json" "$@"; }
[ "$(ask)" = 401 ] && [ "$(ask -H 'Authorization: Bearer second-key')" = 200 ] || fail "keys are not asked for"
"$bin/slipway" service delete keyed -q >/dev/null

echo "== failures of pods"
closed=$(free_port)
htpasswd -Bbn robot pass >"$work/htpasswd"
serve "$closed" "auth: {htpasswd: {realm: test, path: $work/htpasswd}}"
mkdir -p "$DOCKER_CONFIG"
printf '{"auths": {"127.0.0.1:%s": {"auth": "%s"}}}' "$closed" "$(printf robot:pass | base64)" >"$DOCKER_CONFIG/config.json"
address=127.0.0.1:$closed deployment "${small[@]}"
fails ImagePullBackOff "$closed" digits:1
# The same with the login goes well.
address=127.0.0.1:$closed deployment "${small[@]}"
sed -i "s/$closed\"}/$closed\", username: robot, password: pass}/" "$work/deployment.yaml"
create private digits:1 >"$work/shown" 2>&1 || fail "$(cat "$work/shown")"
"$bin/slipway" service delete private -q >/dev/null
deployment "autoscale_enabled: false" "auth_enabled: false" "num_replicas: 1" "cpu_cores: 64"
fails Unschedulable 'Insufficient cpu' digits:1
kube taint nodes --all only=others:NoSchedule >/dev/null
deployment "${small[@]}"
fails NodeTainted 'only: others' digits:1
kube taint nodes --all only- >/dev/null

# image NAME CODE: an image of that program, brought here by way of the registry.
image() {
  echo "#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) { $2 }" | gcc -O1 -static -x c -o "$work/$1" -
  tar -C "$work" -c "$1" | node import -c "ENTRYPOINT [\"/$1\"]" -c 'USER 65532' - "127.0.0.1:$open/raw/$1:1" >/dev/null
  node push "127.0.0.1:$open/raw/$1:1" >/dev/null
  "$bin/slipway" image pull "127.0.0.1:$open/raw/$1:1" --name "$1" -q >/dev/null
}
image crash 'fputs("starting\nfatal: no configuration\n", stderr); return 7;'
deployment "${small[@]}"
fails CrashLoopBackOff 'fatal: no configuration' crash:1
image hungry 'for (;;) { char *p = malloc(1 << 20); if (p) memset(p, 1, 1 << 20); }'
deployment "${small[@]}" "memory_gb: 0.05"
fails OOMKilled 'memory' hungry:1
image rooted 'return 0;'
node import -c 'ENTRYPOINT ["/rooted"]' - "127.0.0.1:$open/raw/rooted:1" < <(tar -C "$work" -c rooted) >/dev/null
node push "127.0.0.1:$open/raw/rooted:1" >/dev/null
"$bin/slipway" image pull "127.0.0.1:$open/raw/rooted:1" --name rooted -q >/dev/null
deployment "${small[@]}"
fails CreateContainerConfigError 'runAsNonRoot' rooted:2

"$bin/slipway" service delete digits -q >/dev/null
nothing_left
echo "a real node ran it all"
