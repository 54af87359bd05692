// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "deployer/kubernetes/json.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/kubernetes/trouble.h"

namespace slipway::deployer {
namespace {

std::int64_t RevisionOf(const Json& object) {
  const std::string text =
      KubeText(KubeAt(object, {"metadata", "annotations"}), std::string(kRevisionAnnotation));
  return std::strtoll(text.c_str(), nullptr, 10);
}

const Json* Condition(const Json& object, std::string_view type) {
  for (const Json& condition : KubeList(KubeAt(object, {"status", "conditions"}))) {
    if (KubeText(condition, "type") == type) return &condition;
  }
  return nullptr;
}

bool IsReady(const Json& pod) {
  const Json* ready = Condition(pod, "Ready");
  return ready != nullptr && KubeText(*ready, "status") == "True" &&
         !KubeAt(pod, {"metadata"}).contains("deletionTimestamp");
}

/// What a Deployment's status counts.
struct Counts {
  std::int64_t wanted = 0, all = 0, updated = 0, available = 0;
  bool seen = false;      ///< the controller has seen the newest spec
  bool complete = false;  ///< the newest revision was rolled out, whatever happened since
};

Counts CountsOf(const Json& deployment) {
  const Json& status = KubeAt(deployment, {"status"});
  Counts counts{.wanted = KubeInt(KubeAt(deployment, {"spec"}), "replicas", 1),
                .all = KubeInt(status, "replicas", 0),
                .updated = KubeInt(status, "updatedReplicas", 0),
                .available = KubeInt(status, "availableReplicas", 0)};
  counts.seen = KubeInt(status, "observedGeneration", 0) >=
                KubeInt(KubeAt(deployment, {"metadata"}), "generation", 0);
  const Json* progressing = Condition(deployment, "Progressing");
  counts.complete = counts.seen && counts.updated >= counts.wanted &&
                    counts.all == counts.updated && progressing != nullptr &&
                    KubeText(*progressing, "reason") == "NewReplicaSetAvailable";
  return counts;
}

/// Why the ReplicaSet cannot make pods, if it cannot.
std::optional<KubeTrouble> NoPods(const Json& deployment) {
  const Json* failure = Condition(deployment, "ReplicaFailure");
  if (failure == nullptr || KubeText(*failure, "status") != "True") return std::nullopt;
  const std::string message = KubeLine(KubeText(*failure, "message"));
  const bool quota = message.find("exceeded quota") != std::string::npos;
  return KubeTrouble{.cause = quota ? "QuotaExceeded" : "PodsRefused",
                     .detail = "the cluster makes no pods: " + message,
                     .final = true};
}

/// The worst of the pods' troubles, those of revision `newest` first.
struct Worst {
  std::optional<KubeTrouble> trouble;
  const Json* pod = nullptr;
  const Json* waiting = nullptr;  ///< of the newest revision: not ready, and it does not say why
  std::int64_t ready = 0, restarts = 0;
  std::int64_t answering = 0;  ///< newest revision of a pod that is ready
};

Worst FindWorst(const Json& pods, std::int64_t newest, TimePoint now) {
  Worst worst;
  bool worst_is_newest = false;
  for (const Json& pod : pods) {
    const std::int64_t revision = RevisionOf(pod);
    const bool is_newest = revision == newest;
    if (is_newest) worst.restarts += KubeRestarts(pod);
    if (IsReady(pod)) {
      ++worst.ready;
      worst.answering = std::max(worst.answering, revision);
      continue;
    }
    if (KubeAt(pod, {"metadata"}).contains("deletionTimestamp")) continue;
    auto trouble = PodTrouble(pod, now);
    if (!trouble && is_newest) worst.waiting = &pod;
    if (!trouble) continue;
    const bool worse = !worst.trouble || (is_newest && !worst_is_newest) ||
                       (is_newest == worst_is_newest && trouble->final && !worst.trouble->final);
    if (!worse) continue;
    worst.trouble = std::move(trouble);
    worst.pod = &pod;
    worst_is_newest = is_newest;
  }
  return worst;
}

std::string Progress(const Counts& counts) {
  return fmt::format("{} of {} replicas are new, {} available", counts.updated, counts.wanted,
                     counts.available);
}

bool DeadlinePassed(const Json& deployment) {
  const Json* progressing = Condition(deployment, "Progressing");
  return progressing != nullptr && KubeText(*progressing, "reason") == "ProgressDeadlineExceeded";
}

void SetTrouble(const KubeTrouble& trouble, const Json* pod, KubeView& view) {
  view.observed.cause = trouble.cause;
  view.observed.detail = trouble.detail;
  if (pod != nullptr) view.pod = KubeText(KubeAt(*pod, {"metadata"}), "name");
  view.container = trouble.container;
  view.previous = trouble.previous;
}

void Decide(const Json& deployment, const Counts& counts, const Worst& worst, KubeView& view) {
  Observed& observed = view.observed;
  std::optional<KubeTrouble> trouble = worst.trouble;
  if (auto no_pods = NoPods(deployment); no_pods && (!trouble || !trouble->final)) {
    trouble = std::move(no_pods);
  }
  if (trouble) SetTrouble(*trouble, worst.pod, view);
  if (counts.complete) {
    observed.phase = Phase::kUnhealthy;
    if (!trouble) observed.cause = "NotReady";
    observed.detail = fmt::format("{} of {} replicas answer{}{}", worst.ready, counts.wanted,
                                  trouble ? ": " : "", trouble ? trouble->detail : "");
    return;
  }
  observed.phase = trouble && trouble->final ? Phase::kFailed : Phase::kPending;
  if (!trouble) observed.detail = Progress(counts);
  if (!trouble && worst.waiting != nullptr) {
    view.pod = KubeText(KubeAt(*worst.waiting, {"metadata"}), "name");
  }
  if (!counts.seen || !DeadlinePassed(deployment)) return;
  observed.phase = Phase::kFailed;
  if (!trouble) {
    observed.cause = "ProgressDeadlineExceeded";
    observed.detail = "the revision was not there in time: " + Progress(counts);
  }
}

}  // namespace

bool KubeIsHealthy(const Json& deployment) {
  const Counts counts = CountsOf(deployment);
  return counts.complete && counts.wanted > 0 && counts.available >= counts.wanted &&
         counts.all == counts.wanted;
}

KubeView LookAtDeployment(const Json& deployment, const Json& pods, TimePoint now) {
  KubeView view;
  const Counts counts = CountsOf(deployment);
  const std::int64_t newest = RevisionOf(deployment);
  const Worst worst = FindWorst(KubeList(pods), newest, now);
  view.observed.restarts = worst.restarts;
  view.observed.revision = worst.answering;
  if (counts.seen && counts.wanted == 0) {
    view.observed.phase = Phase::kStopped;
    view.observed.cause = "Exited";
    view.observed.detail = "it was scaled to no replicas";
    return view;
  }
  if (KubeIsHealthy(deployment)) {
    view.observed.phase = Phase::kHealthy;
    view.observed.revision = newest;
    return view;
  }
  Decide(deployment, counts, worst, view);
  return view;
}

void AddEvents(const Json& events, KubeView& view) {
  struct Known {
    std::string_view reason, cause;
    bool final;
  };
  static constexpr std::array<Known, 5> kKnown = {
      Known{"FailedMount", "VolumeFailed", false},
      Known{"FailedAttachVolume", "VolumeFailed", false},
      Known{"FailedCreatePodSandBox", "SandboxFailed", false},
      Known{"Unhealthy", "ProbeFailed", false}, Known{"Evicted", "Evicted", false}};
  Observed& observed = view.observed;
  for (const Json& event : KubeList(events)) {
    const std::string reason = KubeText(event, "reason");
    if (reason == "TriggeredScaleUp" && IsAboutNodes(observed.cause)) {
      observed.phase = Phase::kPending;
      observed.detail += "; an autoscaler brings a node";
      return;
    }
    const std::string message = KubeLine(KubeText(event, "message"));
    if (observed.cause == "ImagePullBackOff" && message.starts_with("Failed to pull image")) {
      observed.detail = message;
      continue;
    }
    const auto* known = std::find_if(kKnown.begin(), kKnown.end(),
                                     [&reason](const Known& k) { return k.reason == reason; });
    if (known == kKnown.end()) continue;
    if (observed.cause.empty() || observed.cause == "NotReady") {
      observed.cause = std::string(known->cause);
      observed.detail += (observed.detail.empty() ? "" : ": ") + message;
    } else if (observed.cause == "CrashLoopBackOff" &&
               message.find("iveness") != std::string::npos) {
      observed.cause = "LivenessFailed";
      observed.detail += ": " + message;
    }
  }
}

}  // namespace slipway::deployer
