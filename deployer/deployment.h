// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace slipway::deployer {

/// Section `docker` of a deployment.
struct DockerSettings {
  std::string host =
      {};  ///< `unix:///var/run/docker.sock`, `tcp://10.0.0.5:2375`; empty: usual one
  std::string network = {};  ///< `bridge`, `host` or a network's name; empty: `bridge`
  std::string address = {};  ///< of this machine, where the service listens; empty: 127.0.0.1
  std::string user = {};     ///< `uid[:gid]` of the program; empty: as the image says
  bool read_only = true;     ///< the program may write to /tmp alone
  std::int64_t pids_limit = 1024;
  std::int64_t log_megabytes = 50;  ///< kept of the program's output
  bool operator==(const DockerSettings&) const = default;
};

/// Section `kubernetes` of a deployment.
struct KubernetesSettings {
  std::string kubeconfig = {};  ///< file on the workspace service's machine; empty: usual one
  std::string context = {};
  std::string name_space = {};  ///< `namespace`
  std::string image_pull_secret = {};
  std::string service_type = {};  ///< `ClusterIP`, `NodePort`, `LoadBalancer`; empty: target's
  std::string ingress_class = {};
  std::string ingress_host = {};
  bool operator==(const KubernetesSettings&) const = default;
};

/// Section `aci` of a deployment. Credentials are none of it: they are the workspace service's.
struct AciSettings {
  std::string subscription_id = {};
  std::string resource_group = {};
  std::string sku = {};  ///< `Standard`, `Dedicated`, `Confidential`; empty: the cloud's default
  bool operator==(const AciSettings&) const = default;
};

/// Section `image_registry`: how a cluster or cloud gets at the image.
struct ImageRegistry {
  std::string address = {};  ///< host[:port]; empty: the one in the image's location
  std::string username = {};
  std::string password = {};
  bool operator==(const ImageRegistry&) const = default;
};

/// How a service is to run: the arguments of v1's `AciWebservice.deploy_configuration` and
/// `AksWebservice.deploy_configuration`, and what each target takes besides. JSON and YAML have a
/// key for each member, which is its name unless said otherwise; the keys of v1's
/// `deploymentconfig.json` are taken too. Source: templates/config/deployment.yaml.
struct Deployment {
  std::string description = {};
  std::map<std::string, std::string> tags = {}, properties = {};

  double cpu_cores = 0;        ///< reserved; 0: no bound
  double memory_gb = 0;        ///< reserved; 0: no bound
  double cpu_cores_limit = 0;  ///< 0: as `cpu_cores`
  double memory_gb_limit = 0;  ///< 0: as `memory_gb`
  std::int64_t gpu_cores = 0;

  std::int64_t replicas = 0;  ///< `num_replicas`; 0 where `autoscale_enabled`
  bool autoscale_enabled = false;
  std::int64_t autoscale_min_replicas = 1, autoscale_max_replicas = 10;
  std::int64_t autoscale_refresh_seconds = 1;
  std::int64_t autoscale_target_utilization = 70;  ///< percent

  std::int64_t scoring_timeout_ms = 60'000;
  std::int64_t max_concurrent_requests = 1;  ///< `replica_max_concurrent_requests`
  std::int64_t max_queue_wait_ms = 500;      ///< `max_request_wait_time`; then 503

  bool auth_enabled = false;
  bool token_auth_enabled = false;
  std::string primary_key = {}, secondary_key = {};

  std::int64_t period_seconds = 10;  ///< of the liveness probe, as are the next four
  std::int64_t initial_delay_seconds = 310;
  std::int64_t timeout_seconds = 2;
  std::int64_t success_threshold = 1, failure_threshold = 3;

  std::int64_t port = 0;  ///< 0: process and docker choose one and keep it, aci takes 80
  std::string dns_name_label = {};
  std::string location = {};  ///< `westeurope`
  bool ssl_enabled = false;
  std::string ssl_certificate = {}, ssl_key = {};  ///< PEM text
  std::string ssl_cname = {};
  std::string cmk_vault_base_url = {}, cmk_key_name = {}, cmk_key_version = {};
  bool enable_app_insights = false;
  bool collect_model_data = false;
  std::string compute_target_name = {};

  ImageRegistry image_registry = {};
  DockerSettings docker = {};
  KubernetesSettings kubernetes = {};
  AciSettings aci = {};
  bool operator==(const Deployment&) const = default;
};

/// What a target runs with where nothing is said (v1: ACI 0.1 cores, 0.5 GB, no keys; AKS the same
/// with keys and between 1 and 10 replicas). `target` is `process`, `docker`, `aci`, `kubernetes`.
Deployment DefaultDeployment(std::string_view target);

/// The target that a deployment object itself names by `target`, `compute_type` or `computeType`
/// (`local` is `docker`, `aks` is `kubernetes`); empty if none. kInvalidArgument for another word.
Result<std::string> DeploymentTarget(const Json& json);

/// `now` with the members of `json`; what is absent or null stays. kInvalidArgument with id
/// `Deployment.UnknownKey` naming the nearest known key, `Deployment.WrongType`, `Deployment.Twice`
/// for a key in both of its forms, `Deployment.OutOfRange`, `Deployment.Conflict`;
/// kUnimplemented with id `Deployment.Unsupported` for what this target does not do.
Result<Deployment> ChangeDeployment(Deployment now, const Json& json, std::string_view target);

/// A deployment object over the target's defaults; errors as for ChangeDeployment.
Result<Deployment> ParseDeployment(const Json& json, std::string_view target);

/// Whether the numbers, names and combinations are ones the target can run with.
Result<void> CheckDeployment(const Deployment& deployment, std::string_view target);

enum class Secrets : std::uint8_t { kHidden, kShown };
/// Every member by its snake_case key; ParseDeployment reads it back to the same, except for the
/// keys and passwords that kHidden leaves out.
Json ToJson(const Deployment& deployment, Secrets secrets);

/// One line for each setting that the target accepts without doing anything for it.
std::vector<std::string> IgnoredSettings(const Deployment& deployment, std::string_view target);

/// `NAME=value` for the scoring server; the keys are not among them.
std::vector<std::string> ScoringEnvironment(const Deployment& deployment);
/// Value of SLIPWAY_AUTH_KEYS, a secret: the keys that are accepted, by commas; empty: no keys.
std::string AuthKeys(const Deployment& deployment);

}  // namespace slipway::deployer
