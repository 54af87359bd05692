// SPDX-License-Identifier: Apache-2.0
#include "deployer/aci/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/text.h"
#include "deployer/causes.h"

namespace slipway::deployer {
namespace {

constexpr std::int64_t kHttpPort = 80;
constexpr std::int64_t kLoopRestarts = 3;
constexpr std::int64_t kInitFailed = 3, kKilled = 137;

std::int64_t PortOf(const Deployment& deployment) {
  return deployment.port == 0 ? kHttpPort : deployment.port;
}

Json Probe(std::string_view path, const Deployment& deployment, bool readiness) {
  constexpr std::int64_t kReadyPeriod = 5, kReadyFailures = 3;
  return {{"httpGet", {{"path", path}, {"port", PortOf(deployment)}, {"scheme", "http"}}},
          {"initialDelaySeconds", readiness ? 1 : deployment.initial_delay_seconds},
          {"periodSeconds", readiness ? kReadyPeriod : deployment.period_seconds},
          {"timeoutSeconds", deployment.timeout_seconds},
          {"successThreshold", readiness ? deployment.success_threshold : 1},
          {"failureThreshold", readiness ? kReadyFailures : deployment.failure_threshold}};
}

Json Variables(const DeploySpec& spec) {
  Json variables = Json::array();
  const auto add = [&](const std::string& variable) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) return;
    variables.push_back(
        {{"name", variable.substr(0, equals)}, {"value", variable.substr(equals + 1)}});
  };
  for (const std::string& variable : spec.environment) add(variable);
  for (const std::string& variable : ScoringEnvironment(spec.deployment)) add(variable);
  if (std::string keys = AuthKeys(spec.deployment); !keys.empty()) {
    variables.push_back({{"name", "SLIPWAY_AUTH_KEYS"}, {"secureValue", std::move(keys)}});
  }
  return variables;
}

Json Resources(const Deployment& deployment) {
  Json requests = {{"cpu", deployment.cpu_cores}, {"memoryInGB", deployment.memory_gb}};
  if (deployment.gpu_cores > 0) {
    requests["gpu"] = {{"count", deployment.gpu_cores}, {"sku", "V100"}};
  }
  Json resources = {{"requests", std::move(requests)}};
  if (deployment.cpu_cores_limit > 0) resources["limits"]["cpu"] = deployment.cpu_cores_limit;
  if (deployment.memory_gb_limit > 0) {
    resources["limits"]["memoryInGB"] = deployment.memory_gb_limit;
  }
  return resources;
}

/// The image's own program on the public port: a group's ports are its containers' ports.
Json Command(const DeploySpec& spec) {
  Json command = spec.entrypoint;
  command.push_back("--listen");
  command.push_back(fmt::format("0.0.0.0:{}", PortOf(spec.deployment)));
  return command;
}

std::string RegistryOf(const DeploySpec& spec) {
  if (!spec.deployment.image_registry.address.empty()) {
    return spec.deployment.image_registry.address;
  }
  return spec.image_location.substr(0, spec.image_location.find('/'));
}

std::string TextAt(const Json& json, std::initializer_list<const char*> path) {
  const Json* at = &json;
  for (const char* name : path) {
    if (!at->is_object() || !at->contains(name)) return {};
    at = &at->at(name);
  }
  return at->is_string() ? at->get<std::string>() : std::string();
}

std::int64_t NumberAt(const Json& json, std::initializer_list<const char*> path,
                      std::int64_t fallback) {
  const Json* at = &json;
  for (const char* name : path) {
    if (!at->is_object() || !at->contains(name)) return fallback;
    at = &at->at(name);
  }
  return at->is_number_integer() ? at->get<std::int64_t>() : fallback;
}

std::string EndpointFrom(const Json& properties) {
  std::string host = TextAt(properties, {"ipAddress", "fqdn"});
  if (host.empty()) host = TextAt(properties, {"ipAddress", "ip"});
  if (host.empty()) return {};
  std::int64_t port = kHttpPort;
  const Json& ports = properties.at("ipAddress").value("ports", Json::array());
  if (ports.is_array() && !ports.empty()) port = NumberAt(ports.front(), {"port"}, kHttpPort);
  return port == kHttpPort ? "http://" + host : fmt::format("http://{}:{}", host, port);
}

/// The last event that warns of pulling or mounting, if no later one says it went well.
void ReadEvents(const Json& view, AciState& state) {
  if (!view.contains("events") || !view.at("events").is_array()) return;
  for (const Json& event : view.at("events")) {
    const std::string name = ToLower(TextAt(event, {"name"}));
    const std::string message = TextAt(event, {"message"});
    const std::string lower = ToLower(message);
    if (name == "pulled" && state.cause == "ImagePullFailed") state.cause = state.detail = "";
    const bool failed = name == "failed" || name == "failedpull" || name == "backoff";
    if (!failed || lower.find("pull") == std::string::npos) continue;
    state.cause = "ImagePullFailed";
    state.detail = message;
    state.final = NumberAt(event, {"count"}, 1) >= kLoopRestarts;
  }
}

/// What a container's state says: how it ended, or why it waits.
void ReadEnd(const Json& container_state, AciState& state) {
  const std::string status = TextAt(container_state, {"detailStatus"});
  const std::int64_t exit = NumberAt(container_state, {"exitCode"}, 0);
  if (status == "OOMKilled" || (status == "Error" && exit == kKilled)) {
    state.cause = "OOMKilled";
    state.detail = "the program used more memory than it may and was killed";
  } else if (exit == kInitFailed) {
    const StartFailure failure = WhyNotStarted({});
    state.cause = failure.cause;
    state.detail = failure.detail;
    state.final = true;
  } else if (TextAt(container_state, {"state"}) == "Terminated") {
    state.cause = "Exited";
    state.detail = fmt::format("the program ended with exit status {}", exit);
  }
  if (status == "ImagePullBackOff" || status == "ErrImagePull") {
    state.cause = "ImagePullFailed";
    state.detail = status;
    state.final = status == "ImagePullBackOff";
  }
}

}  // namespace

std::string AciPath(const AciPlace& place, std::string_view more, std::string_view query) {
  return fmt::format(
      "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerInstance/containerGroups/"
      "{}{}?api-version={}{}",
      EncodePercent(place.subscription), EncodePercent(place.resource_group),
      EncodePercent(place.name), more, kAciApiVersion, query);
}

std::string AciGroupName(const DeploySpec& spec, std::string_view state) {
  constexpr std::size_t kServiceMax = 32;
  const std::string own = fmt::format("{}\n{}\n{}", state, spec.workspace, spec.service);
  return fmt::format("{}-{}-{}", spec.service.substr(0, kServiceMax),
                     Digest::OfText(own).hex().substr(0, 8), spec.revision);
}

Json AciGroupBody(const DeploySpec& spec, const AciPlace& place) {
  const Deployment& deployment = spec.deployment;
  const Json ports = Json::array({{{"port", PortOf(deployment)}, {"protocol", "TCP"}}});
  Json container = {{"image", spec.image_location},
                    {"command", Command(spec)},
                    {"ports", ports},
                    {"environmentVariables", Variables(spec)},
                    {"resources", Resources(deployment)},
                    {"livenessProbe", Probe("/healthz", deployment, false)},
                    {"readinessProbe", Probe("/readyz", deployment, true)}};
  Json containers = Json::array();
  containers.push_back({{"name", kAciContainer}, {"properties", std::move(container)}});
  Json properties = {
      {"containers", std::move(containers)},
      {"osType", "Linux"},
      {"restartPolicy", "Always"},
      {"ipAddress",
       {{"type", "Public"},
        {"ports", ports},
        {"dnsNameLabel",
         deployment.dns_name_label.empty() ? place.name : deployment.dns_name_label}}}};
  if (!deployment.image_registry.username.empty()) {
    properties["imageRegistryCredentials"] =
        Json::array({{{"server", RegistryOf(spec)},
                      {"username", deployment.image_registry.username},
                      {"password", deployment.image_registry.password}}});
  }
  if (!deployment.aci.sku.empty()) properties["sku"] = deployment.aci.sku;
  if (!deployment.cmk_key_name.empty()) {
    properties["encryptionProperties"] = {{"vaultBaseUrl", deployment.cmk_vault_base_url},
                                          {"keyName", deployment.cmk_key_name},
                                          {"keyVersion", deployment.cmk_key_version}};
  }
  return {{"location", place.location},
          {"tags",
           {{"slipway-workspace", spec.workspace},
            {"slipway-service", spec.service},
            {"slipway-revision", std::to_string(spec.revision)}}},
          {"properties", std::move(properties)}};
}

std::string AciSpecDigest(const DeploySpec& spec) {
  DeploySpec same = spec;
  same.revision = 0;
  const AciSettings& aci = spec.deployment.aci;
  return std::string(
      Digest::OfText(DumpJson(AciGroupBody(same, {aci.subscription_id, aci.resource_group,
                                                  spec.deployment.location, ""})))
          .hex());
}

AciState ReadAciGroup(const Json& group) {
  AciState state;
  if (!group.is_object() || !group.contains("properties")) return state;
  if (!group.at("properties").is_object()) return state;
  const Json& properties = group.at("properties");
  state.provisioning = TextAt(properties, {"provisioningState"});
  if (properties.contains("ipAddress")) state.endpoint = EndpointFrom(properties);
  if (properties.contains("instanceView")) ReadEvents(properties.at("instanceView"), state);
  const Json& containers = properties.value("containers", Json::array());
  if (containers.is_array() && !containers.empty() && containers.front().contains("properties") &&
      containers.front().at("properties").contains("instanceView")) {
    const Json& view = containers.front().at("properties").at("instanceView");
    state.restarts = NumberAt(view, {"restartCount"}, 0);
    state.container = TextAt(view, {"currentState", "state"});
    ReadEvents(view, state);
    if (view.contains("previousState") && state.container != "Running") {
      ReadEnd(view.at("previousState"), state);
    }
    if (view.contains("currentState")) ReadEnd(view.at("currentState"), state);
    if (TextAt(view, {"currentState", "detailStatus"}) == "CrashLoopBackOff" ||
        (state.restarts >= kLoopRestarts && state.container != "Running")) {
      state.final = true;
      if (state.cause.empty() || state.cause == "Exited") state.cause = "CrashLoopBackOff";
      if (state.detail.empty()) state.detail = "the program ends again and again";
    }
    if (state.container == "Running") state.cause = state.detail = "";
  }
  if (state.provisioning == "Failed" && !state.final) {
    state.final = true;
    if (state.cause.empty()) state.cause = "CloudFailed";
    if (state.detail.empty()) state.detail = "Azure could not make the container group";
  }
  return state;
}

}  // namespace slipway::deployer
