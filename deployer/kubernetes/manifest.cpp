// SPDX-License-Identifier: Apache-2.0
// Kubernetes 1.26 to 1.35; 1.20 with the beta versions of two APIs.
#include "deployer/kubernetes/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/deployment.h"
#include "deployer/kubernetes/pod.h"

namespace slipway::deployer {
namespace {

Json SelectorLabels(std::string_view service) {
  return {{"app.kubernetes.io/name", service},
          {"app.kubernetes.io/managed-by", std::string(kKubeManager)}};
}

Json Metadata(const DeploySpec& spec, const KubePlace& place, std::string_view name) {
  Json labels = SelectorLabels(spec.service);
  labels["app.kubernetes.io/component"] = "scoring";
  labels["app.kubernetes.io/part-of"] = KubeLabelValue(spec.workspace);
  labels["app.kubernetes.io/version"] = std::to_string(spec.revision);
  return {{"name", name},
          {"namespace", place.name_space},
          {"labels", labels},
          {"annotations",
           {{kWorkspaceAnnotation, spec.workspace},
            {kInstallationAnnotation, place.installation},
            {kRevisionAnnotation, std::to_string(spec.revision)},
            {"slipway.dev/image", spec.image_reference},
            {"slipway.dev/image-digest", spec.image_digest}}}};
}

/// A kind of object: how it is called in its API, and what it adds to the service's name.
struct KubeKind {
  std::string_view kind, plural, suffix;
};
constexpr KubeKind kDeployment{"Deployment", "deployments", ""};
constexpr KubeKind kService{"Service", "services", ""};
constexpr KubeKind kIngress{"Ingress", "ingresses", ""};
constexpr KubeKind kAutoscaler{"HorizontalPodAutoscaler", "horizontalpodautoscalers", ""};
constexpr KubeKind kBudget{"PodDisruptionBudget", "poddisruptionbudgets", ""};
constexpr KubeKind kKeys{"Secret", "secrets", "-keys"};
constexpr KubeKind kRegistry{"Secret", "secrets", "-registry"};
constexpr KubeKind kCertificate{"Secret", "secrets", "-tls"};

KubeObject Named(const KubeKind& kind, std::string_view api_version, std::string_view service,
                 const KubePlace& place) {
  const std::string name = std::string(service) + std::string(kind.suffix);
  return {.kind = std::string(kind.kind),
          .name = name,
          .path = KubePath(api_version, place.name_space, kind.plural) + "/" + name};
}

KubeObject Object(const KubeKind& kind, std::string_view api_version, const DeploySpec& spec,
                  const KubePlace& place, Json content) {
  KubeObject object = Named(kind, api_version, spec.service, place);
  content["apiVersion"] = api_version;
  content["kind"] = kind.kind;
  content["metadata"] = Metadata(spec, place, object.name);
  object.body = DumpJson(content);
  return object;
}

KubeObject Secret(const KubeKind& kind, const DeploySpec& spec, const KubePlace& place,
                  std::string_view type,
                  const std::vector<std::pair<std::string, std::string>>& data) {
  Json packed = Json::object();
  for (const auto& [name, value] : data) {
    packed[name] = EncodeBase64(std::as_bytes(std::span(value)));
  }
  return Object(kind, "v1", spec, place, {{"type", type}, {"data", packed}});
}

bool NeedsRegistrySecret(const DeploySpec& spec) {
  return !spec.deployment.image_registry.username.empty() &&
         spec.deployment.kubernetes.image_pull_secret.empty();
}

/// What kubelets read to log in to a registry. Source: kubernetes.io "Pull an Image from a Private
/// Registry".
std::string DockerConfig(const DeploySpec& spec) {
  const ImageRegistry& registry = spec.deployment.image_registry;
  const std::string address = registry.address.empty()
                                  ? spec.image_location.substr(0, spec.image_location.find('/'))
                                  : registry.address;
  const std::string pair = registry.username + ":" + registry.password;
  return DumpJson({{"auths",
                    {{address,
                      {{"username", registry.username},
                       {"password", registry.password},
                       {"auth", EncodeBase64(std::as_bytes(std::span(pair)))}}}}}});
}

/// How many there are at least, all through the life of a revision.
std::int64_t LeastReplicas(const Deployment& wanted) {
  if (wanted.autoscale_enabled) return wanted.autoscale_min_replicas;
  return std::max<std::int64_t>(wanted.replicas, 1);
}

KubeObject DeploymentObject(const DeploySpec& spec, const KubePlace& place,
                            std::string_view secret_version) {
  constexpr int kProgressSeconds = 600, kRevisionsKept = 5;
  const Json selector = SelectorLabels(spec.service);
  Json metadata = Metadata(spec, place, spec.service);
  metadata.erase("name");
  metadata.erase("namespace");
  if (!secret_version.empty()) metadata["annotations"][kSecretAnnotation] = secret_version;
  KubePodSecrets secrets{.keys = {}, .pull = spec.deployment.kubernetes.image_pull_secret};
  if (!AuthKeys(spec.deployment).empty()) {
    secrets.keys = Named(kKeys, "v1", spec.service, place).name;
  }
  if (NeedsRegistrySecret(spec)) secrets.pull = Named(kRegistry, "v1", spec.service, place).name;
  Json content = {
      {"selector", {{"matchLabels", selector}}},
      {"progressDeadlineSeconds", kProgressSeconds},
      {"revisionHistoryLimit", kRevisionsKept},
      {"strategy",
       {{"type", "RollingUpdate"},
        {"rollingUpdate", {{"maxUnavailable", 0}, {"maxSurge", "25%"}}}}},
      {"template", {{"metadata", metadata}, {"spec", KubePodSpec(spec, selector, secrets)}}}};
  if (!spec.deployment.autoscale_enabled) content["replicas"] = LeastReplicas(spec.deployment);
  return Object(kDeployment, "apps/v1", spec, place, {{"spec", content}});
}

KubeObject ServiceObject(const DeploySpec& spec, const KubePlace& place) {
  constexpr int kPort = 80, kNodePortMin = 30'000, kNodePortMax = 32'767;
  const std::string& asked = spec.deployment.kubernetes.service_type;
  const std::string type = asked.empty() ? "ClusterIP" : asked;
  const std::int64_t wanted = spec.deployment.port > 0 ? spec.deployment.port : spec.port;
  Json port = {{"name", "http"}, {"port", kPort}, {"targetPort", "http"}, {"protocol", "TCP"}};
  if (type == "NodePort" && wanted >= kNodePortMin && wanted <= kNodePortMax) {
    port["nodePort"] = wanted;
  } else if (wanted > 0) {
    port["port"] = wanted;
  }
  return Object(kService, "v1", spec, place,
                {{"spec",
                  {{"type", type},
                   {"selector", SelectorLabels(spec.service)},
                   {"ports", Json::array({port})}}}});
}

KubeObject AutoscalerObject(const DeploySpec& spec, const KubePlace& place) {
  constexpr int kDownSeconds = 60;
  const Deployment& wanted = spec.deployment;
  return Object(kAutoscaler, place.apis.autoscaling, spec, place,
                {{"spec",
                  {{"scaleTargetRef",
                    {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", spec.service}}},
                   {"minReplicas", wanted.autoscale_min_replicas},
                   {"maxReplicas", wanted.autoscale_max_replicas},
                   {"metrics",
                    {{{"type", "Resource"},
                      {"resource",
                       {{"name", "cpu"},
                        {"target",
                         {{"type", "Utilization"},
                          {"averageUtilization", wanted.autoscale_target_utilization}}}}}}}},
                   {"behavior",
                    {{"scaleUp", {{"stabilizationWindowSeconds", 0}}},
                     {"scaleDown", {{"stabilizationWindowSeconds", kDownSeconds}}}}}}}});
}

KubeObject BudgetObject(const DeploySpec& spec, const KubePlace& place) {
  return Object(
      kBudget, place.apis.policy, spec, place,
      {{"spec",
        {{"maxUnavailable", 1}, {"selector", {{"matchLabels", SelectorLabels(spec.service)}}}}}});
}

KubeObject IngressObject(const DeploySpec& spec, const KubePlace& place) {
  const KubernetesSettings& wanted = spec.deployment.kubernetes;
  const Json backend = {{"service", {{"name", spec.service}, {"port", {{"name", "http"}}}}}};
  Json content = {
      {"rules",
       {{{"host", wanted.ingress_host},
         {"http", {{"paths", {{{"path", "/"}, {"pathType", "Prefix"}, {"backend", backend}}}}}}}}}};
  if (!wanted.ingress_class.empty()) content["ingressClassName"] = wanted.ingress_class;
  if (spec.deployment.ssl_enabled) {
    content["tls"] = {{{"hosts", {wanted.ingress_host}},
                       {"secretName", Named(kCertificate, "v1", spec.service, place).name}}};
  }
  return Object(kIngress, place.apis.networking, spec, place, {{"spec", content}});
}

Error Missing(std::string_view api, std::string_view fix) {
  Error error = CauseError("ApiMissing", fmt::format("the cluster does not serve the API {}", api));
  error.fix = std::string(fix);
  return error;
}

Error Conflict(std::string message, std::string fix) {
  return {.code = Code::kInvalidArgument,
          .message = std::move(message),
          .id = "Deployment.Conflict",
          .fix = std::move(fix)};
}

}  // namespace

std::string KubePath(std::string_view api_version, std::string_view name_space,
                     std::string_view plural) {
  return fmt::format("/{}/{}/namespaces/{}/{}", api_version == "v1" ? "api" : "apis", api_version,
                     EncodePercent(name_space), plural);
}

std::string KubeSelector(std::string_view service) {
  return fmt::format("app.kubernetes.io/name={},app.kubernetes.io/managed-by={}", service,
                     kKubeManager);
}

Result<void> CheckKubeSpec(const DeploySpec& spec, const KubePlace& place) {
  const Deployment& wanted = spec.deployment;
  if (spec.image_location.empty()) {
    return CauseError("ImageNotPushed",
                      fmt::format("image {} is in no registry that the cluster could pull it from",
                                  spec.image_reference));
  }
  if (wanted.autoscale_enabled && place.apis.autoscaling.empty()) {
    return Missing("autoscaling/v2", "set num_replicas instead of autoscale_enabled");
  }
  if (!wanted.kubernetes.ingress_host.empty() && place.apis.networking.empty()) {
    return Missing("networking.k8s.io/v1", "leave out kubernetes.ingress_host");
  }
  if (wanted.autoscale_enabled && wanted.cpu_cores <= 0) {
    return Conflict("autoscaling needs cpu_cores, which its target is a share of",
                    "set cpu_cores, for example 0.5");
  }
  if (wanted.ssl_enabled && wanted.kubernetes.ingress_host.empty()) {
    return Conflict("ssl_enabled on a cluster needs kubernetes.ingress_host",
                    "set kubernetes.ingress_host to the name the certificate is for");
  }
  return {};
}

std::vector<KubeObject> KubeSecrets(const DeploySpec& spec, const KubePlace& place) {
  const Deployment& wanted = spec.deployment;
  std::vector<KubeObject> objects;
  if (const std::string keys = AuthKeys(wanted); !keys.empty()) {
    objects.push_back(Secret(kKeys, spec, place, "Opaque", {{"keys", keys}}));
  }
  if (NeedsRegistrySecret(spec)) {
    objects.push_back(Secret(kRegistry, spec, place, "kubernetes.io/dockerconfigjson",
                             {{".dockerconfigjson", DockerConfig(spec)}}));
  }
  if (wanted.ssl_enabled) {
    objects.push_back(Secret(kCertificate, spec, place, "kubernetes.io/tls",
                             {{"tls.crt", wanted.ssl_certificate}, {"tls.key", wanted.ssl_key}}));
  }
  return objects;
}

std::vector<KubeObject> KubeWorkload(const DeploySpec& spec, const KubePlace& place,
                                     std::string_view secret_version) {
  const Deployment& wanted = spec.deployment;
  std::vector<KubeObject> objects = {DeploymentObject(spec, place, secret_version),
                                     ServiceObject(spec, place)};
  if (wanted.autoscale_enabled) objects.push_back(AutoscalerObject(spec, place));
  if (LeastReplicas(wanted) > 1 && !place.apis.policy.empty()) {
    objects.push_back(BudgetObject(spec, place));
  }
  if (!wanted.kubernetes.ingress_host.empty()) objects.push_back(IngressObject(spec, place));
  return objects;
}

std::vector<KubeObject> KubeLeftovers(std::string_view service, const KubePlace& place,
                                      const std::vector<KubeObject>& wanted) {
  const std::pair<KubeKind, std::string> all[] = {{kIngress, place.apis.networking},
                                                  {kAutoscaler, place.apis.autoscaling},
                                                  {kBudget, place.apis.policy},
                                                  {kService, "v1"},
                                                  {kDeployment, "apps/v1"},
                                                  {kKeys, "v1"},
                                                  {kRegistry, "v1"},
                                                  {kCertificate, "v1"}};
  std::vector<KubeObject> left;
  for (const auto& [kind, api_version] : all) {
    if (api_version.empty()) continue;
    KubeObject object = Named(kind, api_version, service, place);
    const bool stays = std::any_of(wanted.begin(), wanted.end(), [&object](const KubeObject& w) {
      return w.path == object.path;
    });
    if (!stays) left.push_back(std::move(object));
  }
  return left;
}

}  // namespace slipway::deployer
