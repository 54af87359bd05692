// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/deployment.h"
#include "deployer/kubernetes/autoscaler.h"
#include "deployer/kubernetes/json.h"
#include "deployer/log_line.h"

namespace slipway::deployer {
namespace {

constexpr std::chrono::milliseconds kMoment{50}, kPause{500}, kLookAgain{2'000};
/// A service that is not well is looked at in the cluster itself when its mirror has been silent
/// for so long, for a connection can die without a word.
constexpr std::chrono::seconds kTrust{10};
/// The output of a program that runs is read again after this long.
constexpr std::chrono::seconds kLogAgain{3};
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

Result<std::optional<Json>> KubeService::FindOurs(const KubeObject& object) {
  auto found =
      TRY(client_.Find(fmt::format("look for {} {}", object.kind, object.name), object.path));
  if (found && AnnotationOf(*found, kInstallationAnnotation) != place_.installation) found.reset();
  return found;
}

Result<Json> KubeService::Write(const KubeObject& object) {
  Json stored = TRY(client_.Apply(object));
  reader_.NoteWritten(object, stored);
  return stored;
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
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock_.Steady());
    reader_.AwaitAbsence("apps/v1", "deployments", service_, std::min(left, kLookAgain), kPause,
                         clock_);
    clock_.Sleep(kMoment);
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
    const auto found = TRY(FindOurs(object));
    if (!found) continue;
    TRY(client_.Delete(object));
    reader_.NoteDeleted(object, *found);
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
    const Json stored = TRY(Write(object));
    version +=
        (version.empty() ? "" : "-") + KubeText(KubeAt(stored, {"metadata"}), "resourceVersion");
  }
  for (const KubeObject& object : KubeWorkload(spec, place_, version)) {
    TRY(Write(object));
  }
  return RemoveLeftovers(wanted);
}

Result<KubeObjectPtr> KubeService::FindDeployment() {
  KubeObjectPtr found = TRY(reader_.Find("Deployment", "apps/v1", "deployments", service_));
  // The mirror has only those that bear the labels, which somebody may have taken away.
  if (!found) found = TRY(reader_.Ask("Deployment", "apps/v1", "deployments", service_));
  if (!found || IsBeingDeleted(*found) ||
      AnnotationOf(*found, kInstallationAnnotation) != place_.installation) {
    return NotThere(service_, place_);
  }
  return found;
}

Result<KubeView> KubeService::Look() {
  const KubeObjectPtr deployment = TRY(FindDeployment());
  const Json pods = KubeIsHealthy(*deployment) ? Json::array() : TRY(reader_.Pods(service_));
  return LookAtDeployment(*deployment, pods, clock_.Now());
}

Result<Observed> KubeService::Observe(KubeMemory& memory) {
  auto seen = Look();
  const bool is_well = seen && seen->observed.phase == Phase::kHealthy;
  if (!is_well && reader_.Quiet() >= kTrust && clock_.Steady() - memory.checked >= kTrust) {
    reader_.Distrust();
    seen = Look();
    memory.checked = clock_.Steady();
  }
  KubeView view = TRY(std::move(seen));
  if (view.observed.phase == Phase::kHealthy) {
    TRY(LookAtAutoscaler(view.observed));
  } else {
    Explain(view, memory);
  }
  view.observed.endpoint = TRY(Endpoint(view.observed));
  return view.observed;
}

Result<void> KubeService::LookAtAutoscaler(Observed& observed) {
  if (place_.apis.autoscaling.empty()) return {};
  const KubeObjectPtr autoscaler = TRY(reader_.Find(
      "HorizontalPodAutoscaler", place_.apis.autoscaling, "horizontalpodautoscalers", service_));
  if (!autoscaler || AnnotationOf(*autoscaler, kInstallationAnnotation) != place_.installation) {
    return {};
  }
  if (const auto trouble = AutoscalerTrouble(*autoscaler, clock_.Now())) {
    observed.cause = trouble->cause;
    observed.detail = trouble->detail;
  }
  return {};
}

void KubeService::Explain(KubeView& view, KubeMemory& memory) {
  if (view.pod.empty()) return;
  const auto which =
      IsAboutNodes(view.observed.cause) ? KubeReader::Which::kAll : KubeReader::Which::kWarnings;
  const auto events = reader_.Events(view.pod, which);
  if (events) AddEvents(*events, view);
  if (!view.container.empty()) AddLogLine(view, memory);
}

void KubeService::AddLogLine(KubeView& view, KubeMemory& memory) {
  const std::string run =
      fmt::format("{} {} {} {}", view.pod, view.container, view.previous, view.observed.restarts);
  const bool has_ended = view.observed.phase == Phase::kFailed && !memory.log_line.empty();
  if (run != memory.log_of || (!has_ended && clock_.Steady() - memory.log_read >= kLogAgain)) {
    const auto output = client_.Logs(KubePath("v1", place_.name_space, "pods") + "/" + view.pod,
                                     view.container, kLinesLookedAt, view.previous);
    memory.log_of = run;
    memory.log_line = output ? LineThatMatters(*output) : std::string();
    memory.log_read = clock_.Steady();
  }
  view.observed.log_line = memory.log_line;
}

Result<std::string> KubeService::NodeAddress() {
  const auto find = [](const Json& pods) {
    for (const Json& pod : pods) {
      std::string address = KubeText(KubeAt(pod, {"status"}), "hostIP");
      if (!address.empty() && !IsBeingDeleted(pod)) return address;
    }
    return std::string();
  };
  std::string address = find(TRY(reader_.Pods(service_)));
  if (address.empty() && !reader_.asked()) address = find(TRY(reader_.AskPods(service_)));
  return address;
}

Result<std::string> KubeService::Endpoint(Observed& observed) {
  const KubeObjectPtr ingress =
      place_.apis.networking.empty()
          ? KubeObjectPtr()
          : TRY(reader_.Find("Ingress", place_.apis.networking, "ingresses", service_));
  if (ingress && AnnotationOf(*ingress, kInstallationAnnotation) == place_.installation) {
    const Json& rules = KubeList(KubeAt(*ingress, {"spec", "rules"}));
    const bool tls = !KubeList(KubeAt(*ingress, {"spec", "tls"})).empty();
    if (!rules.empty()) return (tls ? "https://" : "http://") + KubeText(rules[0], "host");
  }
  const KubeObjectPtr service = TRY(reader_.Find("Service", "v1", "services", service_));
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
  const Json pods = TRY(reader_.Pods(service_));
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
