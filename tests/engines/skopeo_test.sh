#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# skopeo finds the image's own digest in both OCI forms, and its layers in the docker archive.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need skopeo
build_image "$1"
for form in oci-dir oci-archive docker-archive; do
  "$bin/slipway" image save digits:1 -f "$form" "$work/$form" -q
done
for form in oci oci-archive; do
  [ "$form" = oci ] && file=$work/oci-dir || file=$work/oci-archive
  seen=$(skopeo inspect "$form:$file" | sed -n 's/^ *"Digest": "\(.*\)",$/\1/p')
  [ "$seen" = "$digest" ] || fail "skopeo says $seen of $form, not $digest"
done
skopeo inspect "docker-archive:$work/docker-archive" | grep -q '"Architecture": "amd64"' ||
  fail "skopeo does not read the docker archive"
echo "skopeo reads all three forms of $digest"
