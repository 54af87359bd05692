// SPDX-License-Identifier: Apache-2.0
#include "deployer/deployment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "base/limits.h"
#include "base/text.h"
#include "deployer/deployment_fields.h"

namespace slipway::deployer {
namespace {

constexpr std::string_view kTargetKeys[] = {"target", "compute_type", "computeType"};
constexpr std::string_view kNamespaceKey = "namespace";

/// A word for a target, in v1 or ours, and the target.
struct TargetWord {
  std::string_view word, target;
};
constexpr TargetWord kTargetWords[] = {{"process", "process"}, {"docker", "docker"},
                                       {"local", "docker"},    {"aci", "aci"},
                                       {"aks", "kubernetes"},  {"kubernetes", "kubernetes"}};

Error Bad(std::string id, std::string message, std::string fix = {}) {
  return {.code = Code::kInvalidArgument,
          .message = "deployment: " + std::move(message),
          .id = "Deployment." + std::move(id),
          .fix = std::move(fix)};
}

Error WrongType(std::string_view key, std::string_view wanted, const Json& got) {
  return Bad("WrongType", fmt::format("{} must be {}, not {}", key, wanted, got.type_name()));
}

/// Members that hold several lines of text.
bool TakesLines(std::string_view name) {
  return name == "description" || name == "ssl_certificate" || name == "ssl_key";
}

Result<void> CheckText(std::string_view key, std::string_view text, bool takes_lines) {
  if (std::cmp_greater(text.size(), limits::kTextChars)) {
    return Bad("OutOfRange", fmt::format("{} has {} bytes, the limit is {}", key, text.size(),
                                         limits::kTextChars));
  }
  for (const char c : text) {
    const bool line_end = c == '\n' || c == '\r' || c == '\t';
    if ((c >= 0 && c < ' ' && !(takes_lines && line_end)) || c == '\x7f') {
      return Bad("OutOfRange", fmt::format("{} has a control character", key));
    }
  }
  if (IsUtf8(text)) return {};
  return Bad("OutOfRange", fmt::format("{} is not UTF-8", key));
}

template <class S>
Result<void> CheckRange(const Field<S>& field, std::string_view key, double value) {
  if (std::isfinite(value) && value >= field.min && value <= field.max) return {};
  return Bad("OutOfRange",
             fmt::format("{} is {}, must be {} to {}", key, value, field.min, field.max));
}

template <class S>
Result<void> Set(S& settings, const Field<S>& field, std::string_view key, const Json& value) {
  return std::visit(
      [&](auto member) -> Result<void> {
        auto& place = settings.*member;
        using T = std::remove_reference_t<decltype(place)>;
        if constexpr (std::is_same_v<T, bool>) {
          if (!value.is_boolean()) return WrongType(key, "true or false", value);
          place = value.get<bool>();
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          if (!value.is_number_integer()) return WrongType(key, "a whole number", value);
          TRY(CheckRange(field, key, value.get<double>()));
          place = value.get<std::int64_t>();
        } else if constexpr (std::is_same_v<T, double>) {
          if (!value.is_number()) return WrongType(key, "a number", value);
          TRY(CheckRange(field, key, value.get<double>()));
          place = value.get<double>();
        } else if constexpr (std::is_same_v<T, std::string>) {
          if (!value.is_string()) return WrongType(key, "a text", value);
          TRY(CheckText(key, value.get_ref<const std::string&>(), TakesLines(field.name)));
          place = value.get<std::string>();
        } else {
          if (!value.is_object()) return WrongType(key, "an object of texts", value);
          TextMap map;
          for (const auto& [name, text] : value.items()) {
            const std::string inner = fmt::format("{}.{}", key, name);
            if (!text.is_string()) return WrongType(inner, "a text", text);
            TRY(CheckText(inner, text.template get_ref<const std::string&>(), true));
            map.emplace(name, text);
          }
          place = std::move(map);
        }
        return {};
      },
      field.member);
}

Error Unknown(std::string_view key, std::string_view word,
              std::span<const std::string_view> known) {
  constexpr std::size_t kShown = 100;
  const std::string nearest = Nearest(word, known);
  return Bad("UnknownKey", fmt::format("unknown key '{}'", key.substr(0, kShown)),
             nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest));
}

/// Reads one deployment object into a Deployment.
class Reader {
 public:
  Reader(Deployment& deployment, std::string_view target)
      : deployment_(deployment), target_(target) {}

  Result<void> Read(const Json& json) {
    if (!json.is_object()) return Bad("WrongType", "must be an object");
    for (const auto& [key, value] : json.items()) {
      if (!value.is_null()) TRY(ReadKey(key, value));
    }
    return SettleScaling();
  }

 private:
  Result<void> ReadKey(const std::string& key, const Json& value) {
    if (std::find(std::begin(kTargetKeys), std::end(kTargetKeys), key) != std::end(kTargetKeys)) {
      return {};
    }
    if (key == kNamespaceKey) return ReadNamespace(value);
    if (key == "docker") return ReadSection(key, value, deployment_.docker, DockerFields());
    if (key == "aci") return ReadSection(key, value, deployment_.aci, AciFields());
    if (key == "kubernetes") {
      return ReadSection(key, value, deployment_.kubernetes, KubernetesFields());
    }
    if (key == "image_registry") {
      return ReadSection(key, value, deployment_.image_registry, ImageRegistryFields());
    }
    for (const auto& field : DeploymentFields()) {
      if (field.name == key || field.v1 == key) return Take(field, key, value);
    }
    if (IsGroup(key)) return ReadGroup(key, value);
    return Unknown(key, key, TopKeys());
  }

  Result<void> Take(const Field<Deployment>& field, std::string_view key, const Json& value) {
    if (const auto [at, fresh] = seen_.emplace(field.name, key); !fresh) {
      return Bad("Twice", fmt::format("{} and {} say the same thing", at->second, key),
                 fmt::format("leave out {}", key));
    }
    return Set(deployment_, field, key, value);
  }

  Result<void> ReadNamespace(const Json& value) {
    for (const auto& field : KubernetesFields()) {
      if (field.name == kNamespaceKey) {
        return TakeIn(deployment_.kubernetes, field, "kubernetes.namespace", "namespace", value);
      }
    }
    return {};
  }

  template <class S>
  Result<void> TakeIn(S& settings, const Field<S>& field, std::string name, const std::string& key,
                      const Json& value) {
    if (const auto [at, fresh] = seen_.emplace(std::move(name), key); !fresh) {
      return Bad("Twice", fmt::format("{} and {} say the same thing", at->second, key),
                 fmt::format("leave out {}", key));
    }
    return Set(settings, field, key, value);
  }

  template <class S>
  Result<void> ReadSection(const std::string& section, const Json& json, S& settings,
                           std::span<const Field<S>> fields) {
    if (!json.is_object()) return WrongType(section, "an object", json);
    for (const auto& [key, value] : json.items()) {
      const auto found =
          std::find_if(fields.begin(), fields.end(),
                       [&k = key](const Field<S>& field) { return field.name == k; });
      if (found == fields.end()) {
        std::vector<std::string_view> known;
        for (const auto& field : fields) known.push_back(field.name);
        return Unknown(section + "." + key, key, known);
      }
      if (value.is_null()) continue;
      const std::string name = section + "." + key;
      TRY(TakeIn(settings, *found, name, name, value));
    }
    return {};
  }

  static std::string_view GroupOf(std::string_view v1) {
    const std::size_t dot = v1.find('.');
    return dot == std::string_view::npos ? std::string_view() : v1.substr(0, dot);
  }

  static bool IsGroup(std::string_view key) {
    const auto fields = DeploymentFields();
    return !key.empty() && std::any_of(fields.begin(), fields.end(),
                                       [&](const auto& f) { return GroupOf(f.v1) == key; });
  }

  Result<void> ReadGroup(const std::string& group, const Json& json) {
    if (!json.is_object()) return WrongType(group, "an object", json);
    std::vector<std::string_view> known;
    for (const auto& field : DeploymentFields()) {
      if (GroupOf(field.v1) == group) known.push_back(field.v1.substr(group.size() + 1));
    }
    for (const auto& [key, value] : json.items()) {
      const std::string path = group + "." + key;
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        return Unknown(path, key, known);
      }
      if (value.is_null()) continue;
      for (const auto& field : DeploymentFields()) {
        if (field.v1 == path) TRY(Take(field, path, value));
      }
    }
    return {};
  }

  static std::vector<std::string_view> TopKeys() {
    std::vector<std::string_view> keys = {"docker", "kubernetes", "aci", "image_registry",
                                          kNamespaceKey};
    keys.insert(keys.end(), std::begin(kTargetKeys), std::end(kTargetKeys));
    for (const auto& field : DeploymentFields()) {
      keys.push_back(field.name);
      const std::string_view group = GroupOf(field.v1);
      if (const auto v1 = group.empty() ? field.v1 : group; !v1.empty()) keys.push_back(v1);
    }
    return keys;
  }

  /// A number of replicas turns autoscaling off, and the other way round (v1: autoscale_enabled is
  /// true if num_replicas is None).
  Result<void> SettleScaling() {
    Deployment& d = deployment_;
    const bool replicas = seen_.contains("num_replicas") && d.replicas > 0;
    const bool autoscale = seen_.contains("autoscale_enabled");
    if (replicas && autoscale && d.autoscale_enabled) {
      return Bad("Conflict", "num_replicas and autoscale_enabled exclude each other",
                 "leave out num_replicas, or set autoscale_enabled to false");
    }
    if (replicas && !autoscale) d.autoscale_enabled = false;
    if (autoscale && d.autoscale_enabled) d.replicas = 0;
    if (target_ == "kubernetes" && !d.autoscale_enabled && d.replicas == 0) {
      return Bad("Conflict", "autoscale_enabled is false and num_replicas is not given",
                 "give num_replicas");
    }
    return {};
  }

  Deployment& deployment_;
  const std::string_view target_;
  std::map<std::string, std::string, std::less<>> seen_;  ///< member name to the key that gave it
};

template <class S>
Json Written(const S& settings, std::span<const Field<S>> fields, Secrets secrets) {
  Json json = Json::object();
  for (const auto& field : fields) {
    if (field.secret && secrets == Secrets::kHidden) continue;
    std::visit([&](auto member) { json[std::string(field.name)] = settings.*member; },
               field.member);
  }
  return json;
}

}  // namespace

Deployment DefaultDeployment(std::string_view target) {
  constexpr double kCores = 0.1, kMemoryGb = 0.5;
  Deployment deployment;
  deployment.replicas = 1;
  if (target == "aci" || target == "kubernetes") {
    deployment.cpu_cores = kCores;
    deployment.memory_gb = kMemoryGb;
  }
  if (target == "kubernetes") {
    deployment.auth_enabled = true;
    deployment.autoscale_enabled = true;
    deployment.replicas = 0;
  }
  return deployment;
}

Result<std::string> DeploymentTarget(const Json& json) {
  std::string target;
  if (!json.is_object()) return Bad("WrongType", "must be an object");
  for (const std::string_view key : kTargetKeys) {
    const auto at = json.find(key);
    if (at == json.end() || at->is_null()) continue;
    if (!at->is_string()) return WrongType(key, "a text", *at);
    const std::string word = ToLower(at->get_ref<const std::string&>());
    const auto* const found =
        std::find_if(std::begin(kTargetWords), std::end(kTargetWords),
                     [&](const TargetWord& known) { return known.word == word; });
    if (found == std::end(kTargetWords)) {
      const std::string nearest =
          Nearest(word, {"process", "docker", "local", "aci", "aks", "kubernetes"});
      return Bad("Target",
                 fmt::format("{} is '{}', none of process, docker, aci, kubernetes", key,
                             at->get_ref<const std::string&>()),
                 nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest));
    }
    if (!target.empty() && target != found->target) {
      return Bad("Conflict", fmt::format("it names both target {} and {}", target, found->target));
    }
    target = found->target;
  }
  return target;
}

Result<Deployment> ChangeDeployment(Deployment now, const Json& json, std::string_view target) {
  const std::string own = TRY(DeploymentTarget(json));
  if (!own.empty() && own != target) {
    return Bad("Conflict", fmt::format("it is for target {}, the service is for {}", own, target));
  }
  TRY(Reader(now, target).Read(json));
  TRY(CheckDeployment(now, target));
  return now;
}

Result<Deployment> ParseDeployment(const Json& json, std::string_view target) {
  return ChangeDeployment(DefaultDeployment(target), json, target);
}

Json ToJson(const Deployment& deployment, Secrets secrets) {
  Json json = Written(deployment, DeploymentFields(), secrets);
  json["docker"] = Written(deployment.docker, DockerFields(), secrets);
  json["kubernetes"] = Written(deployment.kubernetes, KubernetesFields(), secrets);
  json["aci"] = Written(deployment.aci, AciFields(), secrets);
  json["image_registry"] = Written(deployment.image_registry, ImageRegistryFields(), secrets);
  return json;
}

}  // namespace slipway::deployer
