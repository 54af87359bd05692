// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/pod.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "deployer/deployment.h"

namespace slipway::deployer {
namespace {

constexpr int kPort = 5001;
/// How long a program that is told to stop goes on taking connections: until every node's proxy
/// has heard that it is no longer to be sent any.
constexpr int kStopDelaySeconds = 5;
constexpr int kDrainSeconds = 15;
constexpr int kGraceSecondsMax = 600;

Json Resources(const Deployment& wanted) {
  constexpr double kMilli = 1000, kMebiPerGibi = 1024;
  const auto cpu = [](double cores) {
    return fmt::format("{}m", static_cast<std::int64_t>(std::ceil(cores * kMilli - 1e-9)));
  };
  const auto memory = [](double gb) {
    return fmt::format("{}Mi", static_cast<std::int64_t>(std::ceil(gb * kMebiPerGibi - 1e-9)));
  };
  const double cpu_limit = wanted.cpu_cores_limit > 0 ? wanted.cpu_cores_limit : wanted.cpu_cores;
  const double memory_limit =
      wanted.memory_gb_limit > 0 ? wanted.memory_gb_limit : wanted.memory_gb;
  Json requests = Json::object(), limits = Json::object();
  if (wanted.cpu_cores > 0) requests["cpu"] = cpu(wanted.cpu_cores);
  if (wanted.memory_gb > 0) requests["memory"] = memory(wanted.memory_gb);
  if (cpu_limit > 0) limits["cpu"] = cpu(cpu_limit);
  if (memory_limit > 0) limits["memory"] = memory(memory_limit);
  if (wanted.gpu_cores > 0) limits["nvidia.com/gpu"] = std::to_string(wanted.gpu_cores);
  Json resources = Json::object();
  if (!requests.empty()) resources["requests"] = requests;
  if (!limits.empty()) resources["limits"] = limits;
  return resources;
}

Json Environment(const DeploySpec& spec, const std::string& keys_secret) {
  std::map<std::string, std::string> variables;
  const auto add = [&variables](const std::string& line) {
    const std::size_t equal = line.find('=');
    if (equal != std::string::npos) variables[line.substr(0, equal)] = line.substr(equal + 1);
  };
  for (const std::string& line : spec.environment) add(line);
  for (const std::string& line : ScoringEnvironment(spec.deployment)) add(line);
  variables["SLIPWAY_STOP_DELAY_MS"] = std::to_string(kStopDelaySeconds * 1000);
  variables.erase("SLIPWAY_AUTH_KEYS");
  Json list = Json::array();
  for (const auto& [name, value] : variables) list.push_back({{"name", name}, {"value", value}});
  if (!keys_secret.empty()) {
    list.push_back({{"name", "SLIPWAY_AUTH_KEYS"},
                    {"valueFrom", {{"secretKeyRef", {{"name", keys_secret}, {"key", "keys"}}}}}});
  }
  return list;
}

Json Probe(std::string_view path) {
  return {{"httpGet", {{"path", path}, {"port", "http"}, {"scheme", "HTTP"}}}};
}

Json Liveness(const Deployment& wanted) {
  Json probe = Probe("/healthz");
  probe["initialDelaySeconds"] = wanted.initial_delay_seconds;
  probe["periodSeconds"] = wanted.period_seconds;
  probe["timeoutSeconds"] = wanted.timeout_seconds;
  probe["successThreshold"] = 1;
  probe["failureThreshold"] = wanted.failure_threshold;
  return probe;
}

/// Asked often, for a replica takes requests from the moment on that it says so.
Json Readiness(const Deployment& wanted) {
  constexpr int kPeriodSeconds = 2;
  Json probe = Probe("/readyz");
  probe["periodSeconds"] = std::min<std::int64_t>(wanted.period_seconds, kPeriodSeconds);
  probe["timeoutSeconds"] = wanted.timeout_seconds;
  probe["successThreshold"] = wanted.success_threshold;
  probe["failureThreshold"] = wanted.failure_threshold;
  return probe;
}

Json Container(const DeploySpec& spec, const std::string& keys_secret) {
  Json container = {
      {"name", "scoring"},
      {"image", spec.image_location},
      {"imagePullPolicy",
       spec.image_location.find('@') == std::string::npos ? "Always" : "IfNotPresent"},
      {"ports", {{{"name", "http"}, {"containerPort", kPort}, {"protocol", "TCP"}}}},
      {"env", Environment(spec, keys_secret)},
      {"livenessProbe", Liveness(spec.deployment)},
      {"readinessProbe", Readiness(spec.deployment)},
      {"securityContext",
       {{"allowPrivilegeEscalation", false},
        {"privileged", false},
        {"readOnlyRootFilesystem", true},
        {"runAsNonRoot", true},
        {"capabilities", {{"drop", {"ALL"}}}}}},
      {"volumeMounts", {{{"name", "tmp"}, {"mountPath", "/tmp"}}}}};
  const Json resources = Resources(spec.deployment);
  if (!resources.empty()) container["resources"] = resources;
  return container;
}

std::int64_t GraceSeconds(const Deployment& wanted) {
  constexpr std::int64_t kMs = 1000;
  const std::int64_t scoring = (wanted.scoring_timeout_ms + kMs - 1) / kMs;
  return std::min<std::int64_t>(kStopDelaySeconds + kDrainSeconds + scoring, kGraceSecondsMax);
}

}  // namespace

std::string KubeLabelValue(std::string_view text) {
  constexpr std::size_t kCharsMax = 63;
  const auto is_alnum = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  std::string value(text.substr(0, kCharsMax));
  for (char& c : value) {
    if (!is_alnum(c) && c != '-' && c != '_' && c != '.') c = '_';
  }
  while (!value.empty() && !is_alnum(value.back())) value.pop_back();
  const auto first = std::find_if(value.begin(), value.end(), is_alnum);
  return {first, value.end()};
}

Json KubePodSpec(const DeploySpec& spec, const Json& selector, const KubePodSecrets& secrets) {
  Json pod = {{"automountServiceAccountToken", false},
              {"enableServiceLinks", false},
              {"terminationGracePeriodSeconds", GraceSeconds(spec.deployment)},
              {"securityContext",
               {{"runAsNonRoot", true}, {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
              {"containers", Json::array({Container(spec, secrets.keys)})},
              {"volumes", {{{"name", "tmp"}, {"emptyDir", Json::object()}}}},
              {"topologySpreadConstraints",
               {{{"maxSkew", 1},
                 {"topologyKey", "kubernetes.io/hostname"},
                 {"whenUnsatisfiable", "ScheduleAnyway"},
                 {"labelSelector", {{"matchLabels", selector}}}}}}};
  if (!secrets.pull.empty()) {
    pod["imagePullSecrets"] = Json::array({{{"name", secrets.pull}}});
  }
  return pod;
}

}  // namespace slipway::deployer
