// SPDX-License-Identifier: Apache-2.0
#include "deployer/docker/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/text.h"

namespace slipway::deployer {
namespace {

constexpr double kBytesPerGb = 1024.0 * 1024.0 * 1024.0;
constexpr double kNanosPerCore = 1e9;
constexpr std::int64_t kLogFiles = 2;
constexpr std::int64_t kStopSeconds = 30;

std::int64_t Whole(double value) { return static_cast<std::int64_t>(std::llround(value)); }

/// Only what a repository's or container's name may have.
std::string PlainName(std::string_view text) {
  std::string plain;
  for (const char c : ToLower(text)) {
    const bool fine = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (fine) plain.push_back(c);
    if (!fine && !plain.empty() && plain.back() != '-') plain.push_back('-');
  }
  while (plain.ends_with('-')) plain.pop_back();
  return plain.empty() ? "x" : plain;
}

bool OnHostNetwork(const DeploySpec& spec) { return spec.deployment.docker.network == "host"; }

double CoresOf(const Deployment& deployment) {
  return std::max(deployment.cpu_cores, deployment.cpu_cores_limit);
}

std::vector<std::string> Arguments(const DeploySpec& spec, const ContainerPlace& place) {
  std::vector<std::string> arguments = {"--listen", fmt::format("0.0.0.0:{}", kScoringPort)};
  if (OnHostNetwork(spec)) {
    arguments[1] = fmt::format("{}:{}", place.remote ? "0.0.0.0" : "127.0.0.1", place.port);
  }
  if (const double cores = CoresOf(spec.deployment); cores > 0) {
    arguments.emplace_back("--threads");
    arguments.push_back(std::to_string(Whole(std::ceil(cores))));
  }
  return arguments;
}

void BoundResources(const Deployment& deployment, Json& host) {
  const double memory = std::max(deployment.memory_gb, deployment.memory_gb_limit);
  if (memory > 0) {
    host["Memory"] = Whole(memory * kBytesPerGb);
    host["MemorySwap"] = host["Memory"];
  }
  if (deployment.memory_gb > 0) {
    host["MemoryReservation"] = Whole(deployment.memory_gb * kBytesPerGb);
  }
  if (const double cores = CoresOf(deployment); cores > 0) {
    host["NanoCpus"] = Whole(cores * kNanosPerCore);
  }
  if (deployment.gpu_cores > 0) {
    host["DeviceRequests"] = Json::array({{{"Driver", "nvidia"},
                                           {"Count", deployment.gpu_cores},
                                           {"Capabilities", Json::array({Json::array({"gpu"})})}}});
  }
}

Json HostConfig(const DeploySpec& spec, const ContainerPlace& place) {
  const DockerSettings& docker = spec.deployment.docker;
  Json host = {{"RestartPolicy", {{"Name", "no"}}},
               {"CapDrop", {"ALL"}},
               {"SecurityOpt", {"no-new-privileges"}},
               {"ReadonlyRootfs", docker.read_only},
               {"PidsLimit", docker.pids_limit},
               {"NetworkMode", docker.network.empty() ? "bridge" : docker.network},
               {"LogConfig",
                {{"Type", "json-file"},
                 {"Config",
                  {{"max-size", fmt::format("{}k", docker.log_megabytes * 1024 / kLogFiles)},
                   {"max-file", std::to_string(kLogFiles)}}}}}};
  if (docker.read_only) host["Tmpfs"] = {{"/tmp", "rw,nosuid,nodev"}};
  if (!OnHostNetwork(spec)) {
    host["PortBindings"] = {{fmt::format("{}/tcp", kScoringPort),
                             Json::array({{{"HostIp", place.remote ? "0.0.0.0" : "127.0.0.1"},
                                           {"HostPort", std::to_string(place.port)}}})}};
  }
  BoundResources(spec.deployment, host);
  return host;
}

std::vector<std::string> Environment(const DeploySpec& spec) {
  std::vector<std::string> environment = spec.environment;
  for (std::string& variable : ScoringEnvironment(spec.deployment)) {
    environment.push_back(std::move(variable));
  }
  if (std::string keys = AuthKeys(spec.deployment); !keys.empty()) {
    environment.push_back("SLIPWAY_AUTH_KEYS=" + std::move(keys));
  }
  return environment;
}

}  // namespace

EngineImageName NameInEngine(const DeploySpec& spec) {
  const std::string name = spec.image_reference.substr(0, spec.image_reference.rfind(':'));
  const std::string hex = spec.image_digest.substr(spec.image_digest.find(':') + 1);
  return {.repository = "slipway/" + PlainName(name), .tag = hex};
}

Json ContainerBody(const DeploySpec& spec, const ContainerPlace& place) {
  Json labels = spec.labels;
  if (labels.is_null()) labels = Json::object();
  labels[std::string(kStateLabel)] = place.state;
  labels[std::string(kWorkspaceLabel)] = spec.workspace;
  labels[std::string(kServiceLabel)] = spec.service;
  labels[std::string(kRevisionLabel)] = std::to_string(spec.revision);
  labels[std::string(kImageLabel)] = spec.image_digest;
  Json body = {{"Image", NameInEngine(spec).reference()},
               {"Cmd", Arguments(spec, place)},
               {"Env", Environment(spec)},
               {"Labels", std::move(labels)},
               {"StopTimeout", kStopSeconds},
               {"HostConfig", HostConfig(spec, place)}};
  if (!OnHostNetwork(spec)) {
    body["ExposedPorts"] = {{fmt::format("{}/tcp", kScoringPort), Json::object()}};
  }
  if (!spec.deployment.docker.user.empty()) body["User"] = spec.deployment.docker.user;
  return body;
}

std::string SpecDigest(const DeploySpec& spec) {
  Json body = ContainerBody(spec, {});
  body["Labels"].erase(std::string(kRevisionLabel));
  body["Engine"] = spec.deployment.docker.host;
  return std::string(Digest::OfText(DumpJson(body)).hex());
}

std::string ContainerName(const DeploySpec& spec, std::string_view state, std::string_view unique) {
  constexpr std::size_t kPartMax = 40;
  return fmt::format("slipway-{}-{}-{}-{}-{}", state, PlainName(spec.workspace).substr(0, kPartMax),
                     PlainName(spec.service).substr(0, kPartMax), spec.revision, unique);
}

}  // namespace slipway::deployer
