// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/trouble.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "deployer/kubernetes/json.h"

namespace slipway::deployer {
namespace {

/// How long a pod may find no node before that is a failure: a node may be on its way.
constexpr std::chrono::seconds kScheduleGrace{20};
constexpr std::int64_t kRestartsBeforeLoop = 2;

/// A reason for which a container waits.
struct Waiting {
  std::string_view reason, cause;
  bool final;
};
constexpr std::array<Waiting, 10> kWaiting = {
    Waiting{"InvalidImageName", "InvalidImageName", true},
    Waiting{"ErrImageNeverPull", "ErrImageNeverPull", true},
    Waiting{"ImagePullBackOff", "ImagePullBackOff", true},
    Waiting{"ErrImagePull", "ImagePullBackOff", false},
    Waiting{"ImageInspectError", "ImagePullBackOff", false},
    Waiting{"RegistryUnavailable", "ImagePullBackOff", false},
    Waiting{"CreateContainerConfigError", "CreateContainerConfigError", true},
    Waiting{"CreateContainerError", "RunContainerError", true},
    Waiting{"RunContainerError", "RunContainerError", true},
    Waiting{"PreStartHookError", "RunContainerError", true}};

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// How a container's run ended.
struct Ended {
  std::string reason, message;
  std::int64_t code = 0, signal = 0;
};

std::optional<Ended> EndOf(const Json& state) {
  const Json& terminated = KubeAt(state, {"terminated"});
  if (!terminated.is_object()) return std::nullopt;
  return Ended{.reason = KubeText(terminated, "reason"),
               .message = KubeLine(KubeText(terminated, "message")),
               .code = KubeInt(terminated, "exitCode", 0),
               .signal = KubeInt(terminated, "signal", 0)};
}

KubeTrouble OfEnd(const Ended& end, std::int64_t restarts) {
  const std::string times =
      restarts > 0 ? fmt::format(", after {} restart{}", restarts, restarts == 1 ? "" : "s") : "";
  if (end.reason == "OOMKilled") {
    return {.cause = "OOMKilled",
            .detail = "the program used more memory than its limit and was killed" + times,
            .final = true};
  }
  if (end.reason == "ContainerCannotRun" || end.reason == "StartError") {
    return {.cause = "RunContainerError",
            .detail = "the program could not be started: " + end.message,
            .final = true};
  }
  const bool looping = restarts >= kRestartsBeforeLoop;
  return {.cause = looping ? "CrashLoopBackOff" : "Exited",
          .detail = fmt::format("the program ended with exit code {}{}{}{}", end.code, times,
                                end.message.empty() ? "" : ": ", end.message),
          .final = looping};
}

/// Of one container's status.
std::optional<KubeTrouble> ContainerTrouble(const Json& status) {
  const std::int64_t restarts = KubeInt(status, "restartCount", 0);
  const auto now = EndOf(KubeAt(status, {"state"}));
  const auto before = EndOf(KubeAt(status, {"lastState"}));
  const Json& waiting = KubeAt(status, {"state", "waiting"});
  const std::string reason = KubeText(waiting, "reason");
  const std::string message = KubeLine(KubeText(waiting, "message"));
  std::optional<KubeTrouble> trouble;
  if (now) {
    trouble = OfEnd(*now, restarts);
  } else if (before && !KubeAt(status, {"ready"}).is_null() &&
             KubeAt(status, {"ready"}) != Json(true)) {
    trouble = OfEnd(*before, restarts);
    trouble->previous = true;
  }
  if (trouble) {
    if (reason == "CrashLoopBackOff" && trouble->cause == "Exited") {
      trouble->cause = "CrashLoopBackOff";
    }
    trouble->container = KubeText(status, "name");
    return trouble;
  }
  const auto* known = std::find_if(kWaiting.begin(), kWaiting.end(),
                                   [&reason](const Waiting& w) { return w.reason == reason; });
  if (known == kWaiting.end()) return std::nullopt;
  const bool certain = Has(message, "not found") || Has(message, "manifest unknown") ||
                       Has(message, "unauthorized") || Has(message, "denied");
  return KubeTrouble{
      .cause = std::string(known->cause),
      .detail = fmt::format("image {}: {}: {}", KubeText(status, "image"), reason, message),
      .final = known->final || certain};
}

/// The cause in what a scheduler says of its nodes; too little room comes before all else, for more
/// of it helps most often. Source: kube-scheduler's plugins, 1.20 to 1.35.
std::string_view WhyUnscheduled(const std::string& message) {
  const std::string said = message.substr(0, message.find("preemption:"));
  if (Has(said, "Insufficient") || Has(said, "Too many pods")) return "Unschedulable";
  if (Has(said, "ersistentVolumeClaim") || Has(said, "persistentvolumeclaim") ||
      Has(said, "persistent volume") || Has(said, "volume node affinity")) {
    return "VolumePending";
  }
  if (Has(said, "taint")) return "NodeTainted";
  if (Has(said, "node affinity") || Has(said, "node selector")) return "NodeMismatch";
  return "Unschedulable";
}

std::optional<KubeTrouble> Unscheduled(const Json& pod, TimePoint now) {
  for (const Json& condition : KubeList(KubeAt(pod, {"status", "conditions"}))) {
    if (KubeText(condition, "type") != "PodScheduled" || KubeText(condition, "status") == "True") {
      continue;
    }
    const auto since = ParseTime(KubeText(condition, "lastTransitionTime"));
    const std::string message = KubeLine(KubeText(condition, "message"));
    return KubeTrouble{.cause = std::string(WhyUnscheduled(message)),
                       .detail = "no node takes the pod: " + message,
                       .final = since && now - *since >= kScheduleGrace};
  }
  return std::nullopt;
}

}  // namespace

std::optional<KubeTrouble> PodTrouble(const Json& pod, TimePoint now) {
  if (auto unscheduled = Unscheduled(pod, now)) return unscheduled;
  const Json& status = KubeAt(pod, {"status"});
  if (KubeText(status, "phase") == "Failed") {
    const std::string reason = KubeText(status, "reason");
    if (!reason.empty()) {
      return KubeTrouble{
          .cause = reason == "Evicted" ? "Evicted" : "PodFailed",
          .detail = fmt::format("{}: {}", reason, KubeLine(KubeText(status, "message")))};
    }
  }
  std::optional<KubeTrouble> first;
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& container : KubeList(KubeAt(status, {list}))) {
      auto trouble = ContainerTrouble(container);
      if (trouble && (!first || (trouble->final && !first->final))) first = std::move(trouble);
    }
  }
  if (first) return first;
  for (const Json& container : KubeList(KubeAt(status, {"containerStatuses"}))) {
    if (!KubeAt(container, {"state", "running"}).is_object()) continue;
    return KubeTrouble{.cause = "NotReady",
                       .detail = "the program runs and does not say it is ready",
                       .container = KubeText(container, "name")};
  }
  return std::nullopt;
}

bool IsAboutNodes(std::string_view cause) {
  return cause == "Unschedulable" || cause == "NodeTainted" || cause == "NodeMismatch" ||
         cause == "VolumePending";
}

std::int64_t KubeRestarts(const Json& pod) {
  std::int64_t restarts = 0;
  for (const Json& status : KubeList(KubeAt(pod, {"status", "containerStatuses"}))) {
    restarts += KubeInt(status, "restartCount", 0);
  }
  return restarts;
}

}  // namespace slipway::deployer
