// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace slipway::deployer {

/// A program that makes credentials. Source: client.authentication.k8s.io/v1, v1beta1.
struct KubeExec {
  std::string api_version = {}, command = {}, install_hint = {};
  std::vector<std::string> arguments = {};
  std::vector<std::pair<std::string, std::string>> environment = {};
  bool wants_cluster = false;
  bool operator==(const KubeExec&) const = default;
};

/// How to reach a cluster's API server, and as whom.
struct KubeAccess {
  std::string origin = {};  ///< for people: `context lab of /home/me/.kube/config`
  std::string server = {};  ///< `https://10.0.0.1:6443`, without a slash at its end
  std::string default_namespace = "default";
  std::string ca_pem = {};  ///< empty: the machine's authorities
  bool insecure = false;
  std::string tls_server_name = {}, proxy = {};
  std::string certificate_pem = {}, key_pem = {};
  std::string token = {};
  std::filesystem::path token_file = {};  ///< read again for every request
  std::string username = {}, password = {};
  std::optional<KubeExec> exec = {};
  bool in_cluster = false;
  bool operator==(const KubeAccess&) const = default;
};

/// Where access may come from.
struct KubeSource {
  std::filesystem::path kubeconfig = {};  ///< asked for; empty: as kubectl looks for it
  std::string context = {};               ///< asked for; empty: the current one
  /// No kubeconfig is taken from here: users of the service can put files there.
  std::filesystem::path uploads = {};
  std::function<const char*(const char*)> environment = {};
  std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
};

/// The kubeconfig asked for; else the files of `KUBECONFIG`, merged; else `~/.kube/config`; else
/// the service account of the pod. kFailedPrecondition (id `Service.ClusterConfig`) naming the file
/// and what is wrong with it; a program is named in it only where the file is one that nobody but
/// its owner, this user or root, can write. Source: kubernetes.io "Organizing Cluster Access Using
/// kubeconfig Files".
Result<KubeAccess> FindKubeAccess(const KubeSource& source);

}  // namespace slipway::deployer
