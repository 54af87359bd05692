// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/deployment.h"
#include "deployer/kubernetes/json.h"
#include "deployer/log_line.h"

namespace slipway::deployer {
namespace {

constexpr std::chrono::milliseconds kPause{500};
constexpr std::chrono::milliseconds kGoneTimeout{120'000};
constexpr std::int64_t kPodsInLogs = 20;
constexpr std::int64_t kLinesLookedAt = 200;

std::string AnnotationOf(const Json& object, std::string_view name) {
  return KubeText(KubeAt(object, {"metadata", "annotations"}), std::string(name));
}

std::string NameOf(const Json& object) { return KubeText(KubeAt(object, {"metadata"}), "name"); }

bool IsBeingDeleted(const Json& object) {
  return KubeAt(object, {"metadata", "deletionTimestamp"}).is_string();
}

std::string DeploymentPath(const KubePlace& place, std::string_view service) {
  return KubePath("apps/v1", place.name_space, "deployments") + "/" + std::string(service);
}

Error NotThere(std::string_view service, const KubePlace& place) {
  return {.code = Code::kNotFound,
          .message = fmt::format("namespace {} has no Deployment {} of this workspace service",
                                 place.name_space, service),
          .id = "Service.NotFound",
          .fix = "deploy the service again"};
}

std::string Url(const std::string& host, std::int64_t port) {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == 80 ? "http://" + name : fmt::format("http://{}:{}", name, port);
}

/// Newest first.
std::vector<const Json*> ByAge(const Json& pods) {
  std::vector<const Json*> sorted;
  for (const Json& pod : pods) sorted.push_back(&pod);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Json* a, const Json* b) {
    return KubeText(KubeAt(*a, {"metadata"}), "creationTimestamp") >
           KubeText(KubeAt(*b, {"metadata"}), "creationTimestamp");
  });
  return sorted;
}

/// Whether the pod's program waits to be started again, so that its last run has the output.
bool HasEnded(const Json& pod) {
  for (const Json& status : KubeList(KubeAt(pod, {"status", "containerStatuses"}))) {
    if (KubeAt(status, {"state", "waiting"}).is_object() &&
        KubeAt(status, {"lastState", "terminated"}).is_object()) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<bool> KubeService::IsOurs(const KubeObject& object) {
  const auto found =
      TRY(client_.Find(fmt::format("look for {} {}", object.kind, object.name), object.path));
  return found && AnnotationOf(*found, kInstallationAnnotation) == place_.installation;
}

Result<void> KubeService::CheckOwner(const std::string& workspace, const KubeObject& object) {
  const auto found =
      TRY(client_.Find(fmt::format("look for {} {}", object.kind, object.name), object.path));
  if (!found) return {};
  const std::string installation = AnnotationOf(*found, kInstallationAnnotation);
  const std::string owner = AnnotationOf(*found, kWorkspaceAnnotation);
  if (installation == place_.installation && owner == workspace) return {};
  return CauseError(
      "NameTaken",
      fmt::format("namespace {} has a {} {} already, which belongs to {}", place_.name_space,
                  object.kind, object.name,
                  installation.empty()                  ? "somebody else"
                  : installation == place_.installation ? "workspace " + owner
                                                        : "another installation of Slipway"));
}

Result<void> KubeService::AwaitGone(std::chrono::milliseconds timeout) {
  const auto deadline = clock_.Steady() + timeout;
  const std::string path = DeploymentPath(place_, service_);
  while (true) {
    const auto found = TRY(client_.Find("look for Deployment " + service_, path));
    if (!found || !IsBeingDeleted(*found)) return {};
    if (clock_.Steady() >= deadline) {
      return Error{.code = Code::kDeadlineExceeded,
                   .message = fmt::format("Deployment {} is still being deleted after {} ms",
                                          service_, timeout.count()),
                   .id = "Service.NotGone",
                   .fix = "wait, and look at the finalizers of the Deployment and its pods"};
    }
    clock_.Sleep(kPause);
  }
}

Result<void> KubeService::HandOverReplicas() {
  const std::string path = DeploymentPath(place_, service_);
  const auto found = TRY(client_.Find("look for Deployment " + service_, path));
  if (!found) return {};
  const Json number = {{"apiVersion", "apps/v1"},
                       {"kind", "Deployment"},
                       {"metadata", {{"name", service_}, {"namespace", place_.name_space}}},
                       {"spec", {{"replicas", KubeInt(KubeAt(*found, {"spec"}), "replicas", 1)}}}};
  TRY(client_.Apply(
      {.kind = "Deployment", .name = service_, .path = path, .body = DumpJson(number)},
      kKubeScaleManager));
  return {};
}

Result<void> KubeService::RemoveLeftovers(const std::vector<KubeObject>& wanted) {
  for (const KubeObject& object : KubeLeftovers(service_, place_, wanted)) {
    if (TRY(IsOurs(object))) TRY(client_.Delete(object));
  }
  return {};
}

Result<void> KubeService::Apply(const DeploySpec& spec) {
  TRY(CheckKubeSpec(spec, place_));
  const std::vector<KubeObject> secrets = KubeSecrets(spec, place_);
  std::vector<KubeObject> wanted = secrets;
  for (KubeObject& object : KubeWorkload(spec, place_, "")) wanted.push_back(std::move(object));
  for (const KubeObject& object : wanted) TRY(CheckOwner(spec.workspace, object));
  TRY(AwaitGone(kGoneTimeout));
  has_applied_ = true;
  if (spec.deployment.autoscale_enabled) TRY(HandOverReplicas());
  std::string version;
  for (const KubeObject& object : secrets) {
    const Json stored = TRY(client_.Apply(object));
    version +=
        (version.empty() ? "" : "-") + KubeText(KubeAt(stored, {"metadata"}), "resourceVersion");
  }
  for (const KubeObject& object : KubeWorkload(spec, place_, version)) {
    TRY(client_.Apply(object));
  }
  return RemoveLeftovers(wanted);
}

Result<Json> KubeService::FindDeployment() {
  auto found =
      TRY(client_.Find("look at Deployment " + service_, DeploymentPath(place_, service_)));
  if (!found || IsBeingDeleted(*found) ||
      AnnotationOf(*found, kInstallationAnnotation) != place_.installation) {
    return NotThere(service_, place_);
  }
  return *std::move(found);
}

Result<Json> KubeService::Pods() {
  return client_.List("list the pods of " + service_, KubePath("v1", place_.name_space, "pods"),
                      "labelSelector=" + EncodePercent(KubeSelector(service_)));
}

Result<Observed> KubeService::Observe() {
  const Json deployment = TRY(FindDeployment());
  const bool healthy = KubeIsHealthy(deployment);
  const Json pods = healthy ? Json::array() : TRY(Pods());
  KubeView view = LookAtDeployment(deployment, pods, clock_.Now());
  if (!healthy) Explain(view);
  view.observed.endpoint = TRY(Endpoint(view.observed));
  return view.observed;
}

void KubeService::Explain(KubeView& view) {
  if (view.pod.empty()) return;
  const auto events = client_.List(
      "list the events of pod " + view.pod, KubePath("v1", place_.name_space, "events"),
      "fieldSelector=" + EncodePercent("involvedObject.kind=Pod,involvedObject.name=" + view.pod));
  if (events) AddEvents(*events, view);
  if (view.container.empty()) return;
  const auto output = client_.Logs(KubePath("v1", place_.name_space, "pods") + "/" + view.pod,
                                   view.container, kLinesLookedAt, view.previous);
  if (output) view.observed.log_line = LineThatMatters(*output);
}

Result<std::string> KubeService::NodeAddress() {
  for (const Json& pod : TRY(Pods())) {
    const std::string address = KubeText(KubeAt(pod, {"status"}), "hostIP");
    if (!address.empty() && !IsBeingDeleted(pod)) return address;
  }
  return std::string();
}

Result<std::string> KubeService::Endpoint(Observed& observed) {
  const auto ingress =
      place_.apis.networking.empty()
          ? std::optional<Json>()
          : TRY(client_.Find(
                "look at Ingress " + service_,
                KubePath(place_.apis.networking, place_.name_space, "ingresses") + "/" + service_));
  if (ingress && AnnotationOf(*ingress, kInstallationAnnotation) == place_.installation) {
    const Json& rules = KubeList(KubeAt(*ingress, {"spec", "rules"}));
    const bool tls = !KubeList(KubeAt(*ingress, {"spec", "tls"})).empty();
    if (!rules.empty()) return (tls ? "https://" : "http://") + KubeText(rules[0], "host");
  }
  const auto service =
      TRY(client_.Find("look at Service " + service_,
                       KubePath("v1", place_.name_space, "services") + "/" + service_));
  if (!service) return std::string();
  return KubeEndpoint(*service, observed);
}

Result<std::string> KubeService::KubeEndpoint(const Json& service, Observed& observed) {
  const Json& ports = KubeList(KubeAt(service, {"spec", "ports"}));
  if (ports.empty()) return std::string();
  const std::int64_t port = KubeInt(ports[0], "port", 0);
  const std::string type = KubeText(KubeAt(service, {"spec"}), "type");
  std::string host = KubeText(KubeAt(service, {"spec"}), "clusterIP");
  if (type == "LoadBalancer") {
    const Json& given = KubeList(KubeAt(service, {"status", "loadBalancer", "ingress"}));
    host = given.empty() ? "" : KubeText(given[0], "ip");
    if (host.empty() && !given.empty()) host = KubeText(given[0], "hostname");
    if (host.empty() && observed.phase == Phase::kHealthy) {
      observed.phase = Phase::kPending;
      observed.cause = "LoadBalancerPending";
      observed.detail = "the cluster has given the load balancer no address yet";
    }
  } else if (type == "NodePort") {
    host = TRY(NodeAddress());
    return host.empty() ? std::string() : Url(host, KubeInt(ports[0], "nodePort", 0));
  } else if (client_.access().in_cluster) {
    host = fmt::format("{}.{}.svc", service_, place_.name_space);
  }
  return host.empty() || host == "None" ? std::string() : Url(host, port);
}

Result<std::string> KubeService::Logs(std::int64_t lines) {
  TRY(FindDeployment());
  const Json pods = TRY(Pods());
  const std::vector<const Json*> sorted = ByAge(pods);
  const std::int64_t shown =
      std::min<std::int64_t>(static_cast<std::int64_t>(sorted.size()), kPodsInLogs);
  std::string all;
  for (std::int64_t i = 0; i < shown; ++i) {
    const Json& pod = *sorted[static_cast<std::size_t>(i)];
    const std::string name = NameOf(pod);
    const std::string path = KubePath("v1", place_.name_space, "pods") + "/" + name;
    auto output = client_.Logs(path, "scoring", lines / shown + 1, false);
    if (!output || (output->empty() && HasEnded(pod))) {
      output = client_.Logs(path, "scoring", lines / shown + 1, true);
    }
    if (!output && output.error().id == "Service.Forbidden") return output.error();
    if (shown > 1) all += fmt::format("==> {} <==\n", name);
    all += output ? *output : "(" + output.error().message + ")";
    if (!all.empty() && all.back() != '\n') all += '\n';
  }
  return all;
}

Result<void> KubeService::Remove(std::chrono::milliseconds timeout) {
  TRY(RemoveLeftovers({}));
  return AwaitGone(timeout);
}

}  // namespace slipway::deployer
