// SPDX-License-Identifier: Apache-2.0
#include "deployer/deployment_fields.h"

namespace slipway::deployer {
namespace {

constexpr double kCoresMax = 1024, kMemoryGbMax = 16'384;
constexpr double kReplicasMax = 1'000;
constexpr double kDaySeconds = 86'400, kDayMs = 86'400'000;
constexpr double kThresholdMax = 1'000;
constexpr double kRequestsMax = 10'000;
constexpr double kPercentMax = 100;
constexpr double kPortMax = 65'535;
constexpr double kPidsMax = 4'194'304;
constexpr double kLogMegabytesMax = 10'240;

using D = Deployment;

constexpr Field<D> kDeployment[] = {
    {"description", "description", &D::description},
    {"tags", "tags", &D::tags},
    {"properties", "properties", &D::properties},
    {"cpu_cores", "containerResourceRequirements.cpu", &D::cpu_cores, 0, kCoresMax},
    {"memory_gb", "containerResourceRequirements.memoryInGB", &D::memory_gb, 0, kMemoryGbMax},
    {"cpu_cores_limit", "containerResourceRequirements.cpuLimit", &D::cpu_cores_limit, 0,
     kCoresMax},
    {"memory_gb_limit", "containerResourceRequirements.memoryInGBLimit", &D::memory_gb_limit, 0,
     kMemoryGbMax},
    {"gpu_cores", "containerResourceRequirements.gpu", &D::gpu_cores, 0, kCoresMax},
    {"num_replicas", "numReplicas", &D::replicas, 0, kReplicasMax},
    {"autoscale_enabled", "autoScaler.autoscaleEnabled", &D::autoscale_enabled},
    {"autoscale_min_replicas", "autoScaler.minReplicas", &D::autoscale_min_replicas, 1,
     kReplicasMax},
    {"autoscale_max_replicas", "autoScaler.maxReplicas", &D::autoscale_max_replicas, 1,
     kReplicasMax},
    {"autoscale_refresh_seconds", "autoScaler.refreshPeriodInSeconds",
     &D::autoscale_refresh_seconds, 1, kDaySeconds},
    {"autoscale_target_utilization", "autoScaler.targetUtilization",
     &D::autoscale_target_utilization, 1, kPercentMax},
    {"scoring_timeout_ms", "scoringTimeoutMs", &D::scoring_timeout_ms, 1, kDayMs},
    {"replica_max_concurrent_requests", "maxConcurrentRequestsPerContainer",
     &D::max_concurrent_requests, 1, kRequestsMax},
    {"max_request_wait_time", "maxQueueWaitMs", &D::max_queue_wait_ms, 0, kDayMs},
    {"auth_enabled", "authEnabled", &D::auth_enabled},
    {"token_auth_enabled", "tokenAuthEnabled", &D::token_auth_enabled},
    {.name = "primary_key", .v1 = "keys.primaryKey", .member = &D::primary_key, .secret = true},
    {.name = "secondary_key",
     .v1 = "keys.secondaryKey",
     .member = &D::secondary_key,
     .secret = true},
    {"period_seconds", "livenessProbeRequirements.periodSeconds", &D::period_seconds, 1,
     kDaySeconds},
    {"initial_delay_seconds", "livenessProbeRequirements.initialDelaySeconds",
     &D::initial_delay_seconds, 0, kDaySeconds},
    {"timeout_seconds", "livenessProbeRequirements.timeoutSeconds", &D::timeout_seconds, 1,
     kDaySeconds},
    {"success_threshold", "livenessProbeRequirements.successThreshold", &D::success_threshold, 1,
     kThresholdMax},
    {"failure_threshold", "livenessProbeRequirements.failureThreshold", &D::failure_threshold, 1,
     kThresholdMax},
    {"port", "", &D::port, 0, kPortMax},
    {"dns_name_label", "dnsNameLabel", &D::dns_name_label},
    {"location", "location", &D::location},
    {"ssl_enabled", "sslEnabled", &D::ssl_enabled},
    {"ssl_certificate", "sslCertificate", &D::ssl_certificate},
    {.name = "ssl_key", .v1 = "sslKey", .member = &D::ssl_key, .secret = true},
    {"ssl_cname", "cname", &D::ssl_cname},
    {"cmk_vault_base_url", "", &D::cmk_vault_base_url},
    {"cmk_key_name", "", &D::cmk_key_name},
    {"cmk_key_version", "", &D::cmk_key_version},
    {"enable_app_insights", "appInsightsEnabled", &D::enable_app_insights},
    {"collect_model_data", "dataCollection.storageEnabled", &D::collect_model_data},
    {"compute_target_name", "computeTargetName", &D::compute_target_name},
};

constexpr Field<DockerSettings> kDocker[] = {
    {"host", "", &DockerSettings::host},
    {"network", "", &DockerSettings::network},
    {"address", "", &DockerSettings::address},
    {"user", "", &DockerSettings::user},
    {"read_only", "", &DockerSettings::read_only},
    {"pids_limit", "", &DockerSettings::pids_limit, 1, kPidsMax},
    {"log_megabytes", "", &DockerSettings::log_megabytes, 1, kLogMegabytesMax},
};

constexpr Field<KubernetesSettings> kKubernetes[] = {
    {"kubeconfig", "", &KubernetesSettings::kubeconfig},
    {"context", "", &KubernetesSettings::context},
    {"namespace", "namespace", &KubernetesSettings::name_space},
    {"image_pull_secret", "", &KubernetesSettings::image_pull_secret},
    {"service_type", "", &KubernetesSettings::service_type},
    {"ingress_class", "", &KubernetesSettings::ingress_class},
    {"ingress_host", "", &KubernetesSettings::ingress_host},
};

constexpr Field<AciSettings> kAci[] = {
    {"subscription_id", "", &AciSettings::subscription_id},
    {"resource_group", "", &AciSettings::resource_group},
    {"sku", "", &AciSettings::sku},
};

constexpr Field<ImageRegistry> kImageRegistry[] = {
    {"address", "", &ImageRegistry::address},
    {"username", "", &ImageRegistry::username},
    {.name = "password", .v1 = "", .member = &ImageRegistry::password, .secret = true},
};

}  // namespace

std::span<const Field<Deployment>> DeploymentFields() { return kDeployment; }
std::span<const Field<DockerSettings>> DockerFields() { return kDocker; }
std::span<const Field<KubernetesSettings>> KubernetesFields() { return kKubernetes; }
std::span<const Field<AciSettings>> AciFields() { return kAci; }
std::span<const Field<ImageRegistry>> ImageRegistryFields() { return kImageRegistry; }

}  // namespace slipway::deployer
