// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "deployer/deployment.h"

namespace slipway::deployer {
namespace {

Error Bad(std::string id, std::string message, std::string fix = {}) {
  return {.code = Code::kInvalidArgument,
          .message = "deployment: " + std::move(message),
          .id = "Deployment." + std::move(id),
          .fix = std::move(fix)};
}

Error Unsupported(std::string_view target, std::string_view what, std::string fix) {
  return {.code = Code::kUnimplemented,
          .message = fmt::format("deployment: target {} has no {}", target, what),
          .id = "Deployment.Unsupported",
          .fix = std::move(fix)};
}

/// What a target can reserve for one replica.
struct Bounds {
  std::string_view target;
  double cpu_min, cpu_max, memory_min, memory_max;
  bool may_be_unbounded;
};
constexpr Bounds kBounds[] = {
    {"process", 0.01, 1024, 0.1, 16'384, true},
    {"docker", 0.01, 1024, 0.006, 16'384, true},
    {"aci", 0.01, 32, 0.1, 256, false},
    {"kubernetes", 0.001, 1024, 0.001, 16'384, false},
};

Result<void> CheckAmount(std::string_view key, double value, double min, double max,
                         const Bounds& bounds) {
  if (value == 0 && bounds.may_be_unbounded) return {};
  if (value >= min && value <= max) return {};
  return Bad("OutOfRange", fmt::format("{} is {}, target {} takes {} to {}", key, value,
                                       bounds.target, min, max));
}

Result<void> CheckLimit(std::string_view key, double limit, double reserved, double max) {
  if (limit == 0) return {};
  if (limit > max) return Bad("OutOfRange", fmt::format("{} is {}, at most {}", key, limit, max));
  if (limit >= reserved) return {};
  return Bad("Conflict",
             fmt::format("{}_limit is {}, less than {}, which is {}", key, limit, key, reserved));
}

Result<void> CheckResources(const Deployment& d, std::string_view target) {
  for (const Bounds& bounds : kBounds) {
    if (bounds.target != target) continue;
    TRY(CheckAmount("cpu_cores", d.cpu_cores, bounds.cpu_min, bounds.cpu_max, bounds));
    TRY(CheckAmount("memory_gb", d.memory_gb, bounds.memory_min, bounds.memory_max, bounds));
    TRY(CheckLimit("cpu_cores", d.cpu_cores_limit, d.cpu_cores, bounds.cpu_max));
    TRY(CheckLimit("memory_gb", d.memory_gb_limit, d.memory_gb, bounds.memory_max));
  }
  return {};
}

Result<void> CheckScaling(const Deployment& d, std::string_view target) {
  if (d.autoscale_min_replicas > d.autoscale_max_replicas) {
    return Bad("Conflict",
               fmt::format("autoscale_min_replicas is {}, more than autoscale_max_replicas, "
                           "which is {}",
                           d.autoscale_min_replicas, d.autoscale_max_replicas));
  }
  if (target == "kubernetes") return {};
  if (d.autoscale_enabled) {
    return Unsupported(target, "autoscaling", "leave out autoscale_enabled, or use kubernetes");
  }
  if (d.replicas <= 1) return {};
  return Unsupported(target, fmt::format("{} replicas, it runs one", d.replicas),
                     "leave out num_replicas, or use kubernetes");
}

bool IsLabel(std::string_view text, std::size_t max, bool letter_first) {
  if (text.empty() || text.size() > max || text.front() == '-' || text.back() == '-') return false;
  if (letter_first && (text.front() < 'a' || text.front() > 'z')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Result<void> CheckNames(const Deployment& d) {
  constexpr std::size_t kLabelMin = 3, kLabelMax = 63, kLocationMax = 64;
  if (!d.dns_name_label.empty() &&
      (d.dns_name_label.size() < kLabelMin || !IsLabel(d.dns_name_label, kLabelMax, true))) {
    return Bad("OutOfRange",
               fmt::format("dns_name_label '{}' is not 3 to 63 lower-case letters, digits and "
                           "dashes that begin with a letter",
                           d.dns_name_label));
  }
  if (!d.kubernetes.name_space.empty() && !IsLabel(d.kubernetes.name_space, kLabelMax, false)) {
    return Bad("OutOfRange", fmt::format("namespace '{}' is not 1 to 63 lower-case letters, "
                                         "digits and dashes",
                                         d.kubernetes.name_space));
  }
  const bool place = std::all_of(d.location.begin(), d.location.end(),
                                 [](unsigned char c) { return std::isalnum(c) != 0 || c == ' '; });
  if (!place || d.location.size() > kLocationMax) {
    return Bad("OutOfRange", fmt::format("location '{}' is no region's name", d.location),
               "write it like westeurope");
  }
  constexpr std::array<std::string_view, 4> kTypes = {"", "ClusterIP", "NodePort", "LoadBalancer"};
  if (std::find(kTypes.begin(), kTypes.end(), d.kubernetes.service_type) == kTypes.end()) {
    return Bad("OutOfRange", fmt::format("kubernetes.service_type '{}' is none of ClusterIP, "
                                         "NodePort, LoadBalancer",
                                         d.kubernetes.service_type));
  }
  return {};
}

/// Azure's names go into paths of URLs.
Result<void> CheckAci(const AciSettings& aci) {
  constexpr std::size_t kNameMax = 90;
  const auto plain = [](std::string_view text, std::string_view more) {
    return text.size() <= kNameMax && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
             return std::isalnum(c) != 0 || more.find(static_cast<char>(c)) != more.npos;
           });
  };
  if (!plain(aci.subscription_id, "-")) {
    return Bad("OutOfRange", fmt::format("aci.subscription_id '{}' is no subscription's id",
                                         aci.subscription_id));
  }
  if (!plain(aci.resource_group, "-_.()") || aci.resource_group.ends_with('.')) {
    return Bad("OutOfRange", fmt::format("aci.resource_group '{}' is no resource group's name",
                                         aci.resource_group));
  }
  constexpr std::array<std::string_view, 4> kSkus = {"", "Standard", "Dedicated", "Confidential"};
  if (std::find(kSkus.begin(), kSkus.end(), aci.sku) != kSkus.end()) return {};
  return Bad("OutOfRange",
             fmt::format("aci.sku '{}' is none of Standard, Dedicated, Confidential", aci.sku));
}

Result<void> CheckDocker(const DockerSettings& docker) {
  if (docker.host.empty() || docker.host.starts_with("unix:///") ||
      docker.host.starts_with("tcp://") || docker.host.starts_with("http://") ||
      docker.host.starts_with("https://")) {
    return {};
  }
  return Bad("OutOfRange", fmt::format("docker.host '{}' is none of unix:///PATH, tcp://HOST:PORT, "
                                       "http://HOST:PORT, https://HOST:PORT",
                                       docker.host));
}

/// A bearer token (RFC 6750 section 2.1) without what separates keys in a list. The key itself is
/// never shown.
Result<void> CheckKey(std::string_view name, std::string_view key) {
  constexpr std::size_t kKeyMin = 8, kKeyMax = 256;
  if (key.empty()) return {};
  if (key.size() < kKeyMin || key.size() > kKeyMax) {
    return Bad("OutOfRange", fmt::format("{} has {} characters, must have {} to {}", name,
                                         key.size(), kKeyMin, kKeyMax));
  }
  const bool token = std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-._~+/=").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (token) return {};
  return Bad("OutOfRange", fmt::format("{} has characters that no key has", name),
             "use letters, digits and -._~+/=");
}

Result<void> CheckAccess(const Deployment& d, std::string_view target) {
  TRY(CheckKey("primary_key", d.primary_key));
  TRY(CheckKey("secondary_key", d.secondary_key));
  if (d.auth_enabled && d.token_auth_enabled) {
    return Bad("Conflict", "auth_enabled and token_auth_enabled exclude each other",
               "leave out one of them");
  }
  if (d.token_auth_enabled) {
    return Unsupported(target, "token authentication", "use keys: auth_enabled");
  }
  if (!d.ssl_enabled) return {};
  if (target != "kubernetes") {
    return Unsupported(target, "TLS of its own", "leave out ssl_enabled, or put a proxy in front");
  }
  if (!d.ssl_certificate.empty() && !d.ssl_key.empty() && !d.ssl_cname.empty()) return {};
  return Bad("Conflict", "ssl_enabled needs ssl_certificate, ssl_key and ssl_cname");
}

Result<void> CheckEncryption(const Deployment& d, std::string_view target) {
  const int given = (d.cmk_vault_base_url.empty() ? 0 : 1) + (d.cmk_key_name.empty() ? 0 : 1) +
                    (d.cmk_key_version.empty() ? 0 : 1);
  if (given == 0) return {};
  if (target != "aci") {
    return Unsupported(target, "customer-managed keys", "leave out the cmk_ settings");
  }
  constexpr int kAll = 3;
  if (given == kAll) return {};
  return Bad("Conflict", "cmk_vault_base_url, cmk_key_name and cmk_key_version go together");
}

}  // namespace

Result<void> CheckDeployment(const Deployment& deployment, std::string_view target) {
  TRY(CheckResources(deployment, target));
  TRY(CheckScaling(deployment, target));
  TRY(CheckNames(deployment));
  TRY(CheckAci(deployment.aci));
  TRY(CheckDocker(deployment.docker));
  TRY(CheckAccess(deployment, target));
  TRY(CheckEncryption(deployment, target));
  if (deployment.gpu_cores > 0 && target == "process") {
    return Unsupported(target, "GPUs to give away", "leave out gpu_cores");
  }
  return {};
}

std::vector<std::string> IgnoredSettings(const Deployment& deployment, std::string_view target) {
  std::vector<std::string> lines;
  const auto add = [&](bool given, std::string_view key, std::string_view instead) {
    if (given)
      lines.push_back(fmt::format("{} does nothing on target {}: {}", key, target, instead));
  };
  const bool local = target == "process" || target == "docker";
  const Deployment usual = DefaultDeployment(target);
  add(deployment.enable_app_insights, "enable_app_insights", "read /metrics of the service");
  add(deployment.collect_model_data, "collect_model_data", "nothing is collected");
  add(!deployment.compute_target_name.empty() && target != "kubernetes", "compute_target_name",
      "there is one place of this target");
  add(local && !deployment.location.empty(), "location", "it runs on this machine");
  add(target != "aci" && !deployment.dns_name_label.empty(), "dns_name_label",
      "the service has no public name there");
  add(target == "kubernetes" && deployment.port != 0, "port", "the port is 80");
  add(target != "kubernetes" && deployment.autoscale_max_replicas != usual.autoscale_max_replicas,
      "autoscale_max_replicas", "it runs one replica");
  return lines;
}

std::vector<std::string> ScoringEnvironment(const Deployment& deployment) {
  return {fmt::format("SCORING_TIMEOUT_MS={}", deployment.scoring_timeout_ms),
          fmt::format("WORKER_COUNT={}", deployment.max_concurrent_requests),
          fmt::format("SLIPWAY_MAX_QUEUE_WAIT_MS={}", deployment.max_queue_wait_ms)};
}

std::string AuthKeys(const Deployment& deployment) {
  if (!deployment.auth_enabled) return {};
  std::vector<std::string> keys;
  for (const std::string& key : {deployment.primary_key, deployment.secondary_key}) {
    if (!key.empty()) keys.push_back(key);
  }
  return Join(keys, ",");
}

}  // namespace slipway::deployer
