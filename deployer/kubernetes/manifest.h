// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "deployer/deployer.h"

namespace slipway::deployer {

/// The API versions of a cluster that a service may need; empty where it has none of them.
struct KubeApis {
  std::string autoscaling = "autoscaling/v2";  ///< or `autoscaling/v2beta2`, of the same shape
  std::string policy = "policy/v1";            ///< or `policy/v1beta1`
  std::string networking = "networking.k8s.io/v1";
  bool operator==(const KubeApis&) const = default;
};

/// Where a service goes in a cluster.
struct KubePlace {
  std::string name_space;
  std::string installation;  ///< marks what is ours: random, of the state folder
  KubeApis apis = {};
};

/// An object to be applied, or removed.
struct KubeObject {
  std::string kind;  ///< `Deployment`
  std::string name;
  std::string path;       ///< `/apis/apps/v1/namespaces/lab/deployments/digits`
  std::string body = {};  ///< JSON
};

inline constexpr std::string_view kKubeManager = "slipway";
/// Holds the number of replicas between Slipway's saying it and an autoscaler's.
inline constexpr std::string_view kKubeScaleManager = "slipway-scale";
inline constexpr std::string_view kWorkspaceAnnotation = "slipway.dev/workspace";
inline constexpr std::string_view kInstallationAnnotation = "slipway.dev/installation";
inline constexpr std::string_view kRevisionAnnotation = "slipway.dev/revision";
/// Changes whenever the keys do, so that the programs start with the new ones.
inline constexpr std::string_view kSecretAnnotation = "slipway.dev/secret-version";

/// Path of an object's kind in a namespace: `/api/v1/namespaces/lab/pods`.
std::string KubePath(std::string_view api_version, std::string_view name_space,
                     std::string_view plural);
/// `app.kubernetes.io/name=digits,app.kubernetes.io/managed-by=slipway`
std::string KubeSelector(std::string_view service);

/// Whether the cluster can have what the spec asks for. kFailedPrecondition (id
/// `Service.ImageNotPushed`), kInvalidArgument, kUnimplemented (id `Service.ApiMissing`) naming the
/// API that it lacks.
Result<void> CheckKubeSpec(const DeploySpec& spec, const KubePlace& place);

/// Secrets of the service: keys, a registry's login, a certificate. Pure.
std::vector<KubeObject> KubeSecrets(const DeploySpec& spec, const KubePlace& place);

/// All else. `secret_version` is the resource version of the keys' Secret. Pure.
std::vector<KubeObject> KubeWorkload(const DeploySpec& spec, const KubePlace& place,
                                     std::string_view secret_version);

/// Everything a service may have that `wanted` does not name; without bodies.
std::vector<KubeObject> KubeLeftovers(std::string_view service, const KubePlace& place,
                                      const std::vector<KubeObject>& wanted);

}  // namespace slipway::deployer
