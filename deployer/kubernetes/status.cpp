// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <re2/re2.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/kubernetes/client.h"

namespace slipway::deployer {
namespace {

constexpr std::size_t kMessageChars = 2'000;

/// A Status object. Source: kubernetes.io, API conventions, "Response Status Kind".
struct Status {
  std::string message, reason, kind, name;
  std::vector<std::pair<std::string, std::string>> causes;  ///< message and field
};

std::string OneLine(std::string text) {
  text = text.substr(0, kMessageChars);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return std::string(Trim(text));
}

Status ReadStatus(std::string_view body) {
  const auto json = ParseJson(body);
  Status status;
  if (!json || !json->is_object()) {
    status.message = OneLine(std::string(body));
    return status;
  }
  const auto text = [](const Json& object, const char* name) {
    auto value = GetStringOr(object, name, "");
    return value ? *value : std::string();
  };
  status.message = OneLine(text(*json, "message"));
  status.reason = text(*json, "reason");
  const auto details = json->find("details");
  if (details == json->end() || !details->is_object()) return status;
  status.kind = text(*details, "kind");
  status.name = text(*details, "name");
  const auto causes = details->find("causes");
  if (causes == details->end() || !causes->is_array()) return status;
  for (const Json& cause : *causes) {
    if (cause.is_object()) status.causes.emplace_back(text(cause, "message"), text(cause, "field"));
  }
  return status;
}

/// `… cannot patch resource "deployments" in API group "apps" in the namespace "lab"`: the rule
/// that would allow it.
std::string RuleFor(const std::string& message) {
  static const RE2 pattern(
      R"re(cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?)re");
  std::string verb, resource, group, space;
  if (!RE2::PartialMatch(message, pattern, &verb, &resource, &group, &space)) {
    return "ask the cluster's administrator for a role that allows it";
  }
  return fmt::format(
      "add to a Role {}the rule {{apiGroups: [\"{}\"], resources: [\"{}\"], verbs: [\"{}\"]}}",
      space.empty() ? std::string() : fmt::format("in namespace {} ", space), group, resource,
      verb);
}

Error ConflictError(const std::string& what, const Status& status) {
  std::string held;
  for (const auto& [message, field] : status.causes) {
    held += fmt::format("{}{} ({})", held.empty() ? "" : "; ", field, message);
  }
  return CauseError("FieldConflict",
                    fmt::format("{}: {}", what, held.empty() ? status.message : held));
}

Error ForbiddenError(const std::string& what, const Status& status) {
  const std::string& message = status.message;
  const auto has = [&message](std::string_view part) {
    return message.find(part) != std::string::npos;
  };
  if (has("exceeded quota")) return CauseError("QuotaExceeded", what + ": " + message);
  if (has("violates PodSecurity") || has("admission webhook") || has("is being terminated")) {
    return CauseError("ClusterRefused", what + ": " + message);
  }
  Error error = CauseError("Forbidden", what + ": " + message);
  error.fix = RuleFor(message);
  return error;
}

}  // namespace

Error KubeStatusError(std::string_view doing, int status_code, std::string_view body) {
  const Status status = ReadStatus(body);
  const std::string what = std::string(doing);
  const std::string said =
      status.message.empty() ? fmt::format("status {}", status_code) : status.message;
  if (status_code == 401) return CauseError("Unauthorized", what + ": " + said);
  if (status_code == 403) return ForbiddenError(what, status);
  if (status_code == 404 && status.kind == "namespaces") {
    return CauseError("NamespaceMissing",
                      fmt::format("{}: there is no namespace \"{}\"", what, status.name));
  }
  if (status_code == 409 && !status.causes.empty()) return ConflictError(what, status);
  if (status_code == 404) {
    return {.code = Code::kNotFound, .message = what + ": " + said, .id = "Service.NotFound"};
  }
  if (status_code == 400 || status_code == 405 || status_code == 409 || status_code == 413 ||
      status_code == 415 || status_code == 422) {
    return CauseError("ClusterRefused", what + ": " + said);
  }
  const std::string_view cause = status_code == 429   ? "ClusterBusy"
                                 : status_code >= 500 ? "ClusterFailed"
                                                      : "ClusterUnreachable";
  return CauseError(cause,
                    fmt::format("{}: the API server answers {}: {}", what, status_code, said));
}

}  // namespace slipway::deployer
