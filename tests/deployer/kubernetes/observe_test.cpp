// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/observe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "deployer/causes.h"
#include "deployer/kubernetes/client.h"

namespace slipway::deployer {
namespace {

using ::testing::HasSubstr;

TimePoint Now() { return *ParseTime("2026-01-01T00:10:00Z"); }

/// On its way to revision 2, one replica wanted, the old one there.
Json RollingOut() {
  return {
      {"metadata",
       {{"name", "digits"}, {"generation", 2}, {"annotations", {{"slipway.dev/revision", "2"}}}}},
      {"spec", {{"replicas", 1}}},
      {"status",
       {{"observedGeneration", 2},
        {"replicas", 2},
        {"updatedReplicas", 1},
        {"availableReplicas", 1},
        {"conditions",
         {{{"type", "Progressing"}, {"status", "True"}, {"reason", "ReplicaSetUpdated"}}}}}}};
}

Json Complete() {
  Json deployment = RollingOut();
  deployment["status"]["replicas"] = 1;
  deployment["status"]["conditions"][0]["reason"] = "NewReplicaSetAvailable";
  return deployment;
}

Json Pod(const std::string& name, const std::string& revision, Json status) {
  return {{"metadata", {{"name", name}, {"annotations", {{"slipway.dev/revision", revision}}}}},
          {"status", std::move(status)}};
}

Json ReadyPod(const std::string& name, const std::string& revision) {
  return Pod(name, revision,
             {{"phase", "Running"}, {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}});
}

/// A pod whose only container is in that state.
Json PodIn(const Json& container) {
  Json status = container;
  status["name"] = "scoring";
  if (!status.contains("ready")) status["ready"] = false;
  return Pod("new", "2", {{"phase", "Pending"}, {"containerStatuses", {status}}});
}

Json Waiting(const std::string& reason, const std::string& message = "") {
  return {{"state", {{"waiting", {{"reason", reason}, {"message", message}}}}},
          {"restartCount", 0}};
}

struct Case {
  const char* name;
  Json pod;
  const char* cause;
  Phase phase;
};

std::vector<Case> Cases() {
  Json looping = Waiting("CrashLoopBackOff");
  looping["restartCount"] = 2;
  looping["lastState"]["terminated"] = {{"reason", "Error"}, {"exitCode", 7}};
  Json killed = looping;
  killed["lastState"]["terminated"] = {{"reason", "OOMKilled"}, {"exitCode", 137}};
  Json ended = {{"restartCount", 0},
                {"state", {{"terminated", {{"reason", "Error"}, {"exitCode", 1}}}}}};
  Json missing = {{"restartCount", 1},
                  {"state",
                   {{"terminated",
                     {{"reason", "ContainerCannotRun"}, {"exitCode", 127}, {"message", "exec"}}}}}};
  const Json running = {{"state", {{"running", {{"startedAt", "x"}}}}}, {"restartCount", 0}};
  Json lost = Pod("new", "2",
                  {{"phase", "Pending"},
                   {"conditions",
                    {{{"type", "PodScheduled"},
                      {"status", "False"},
                      {"reason", "Unschedulable"},
                      {"lastTransitionTime", "2026-01-01T00:00:00Z"},
                      {"message", "0/3 nodes are available: 3 Insufficient cpu."}}}}});
  Json lost_now = lost;
  lost_now["status"]["conditions"][0]["lastTransitionTime"] = "2026-01-01T00:09:59Z";
  return {
      {"pull backs off", PodIn(Waiting("ImagePullBackOff", "Back-off")), "ImagePullBackOff",
       Phase::kFailed},
      {"a pull fails once", PodIn(Waiting("ErrImagePull", "i/o timeout")), "ImagePullBackOff",
       Phase::kPending},
      {"no such image", PodIn(Waiting("ErrImagePull", "manifest unknown")), "ImagePullBackOff",
       Phase::kFailed},
      {"bad name", PodIn(Waiting("InvalidImageName", "bad")), "InvalidImageName", Phase::kFailed},
      {"no secret", PodIn(Waiting("CreateContainerConfigError", "secret \"s\" not found")),
       "CreateContainerConfigError", Phase::kFailed},
      {"cannot be made", PodIn(Waiting("CreateContainerError", "x")), "RunContainerError",
       Phase::kFailed},
      {"loops", PodIn(looping), "CrashLoopBackOff", Phase::kFailed},
      {"killed for memory", PodIn(killed), "OOMKilled", Phase::kFailed},
      {"ended once", PodIn(ended), "Exited", Phase::kPending},
      {"no program", PodIn(missing), "RunContainerError", Phase::kFailed},
      {"no room", lost, "Unschedulable", Phase::kFailed},
      {"no room yet", lost_now, "Unschedulable", Phase::kPending},
      {"not ready yet", PodIn(running), "NotReady", Phase::kPending},
      {"being made", PodIn(Waiting("ContainerCreating")), "", Phase::kPending},
      {"evicted", Pod("new", "2", {{"phase", "Failed"}, {"reason", "Evicted"}, {"message", "m"}}),
       "Evicted", Phase::kPending},
  };
}

TEST(KubernetesObserve, EachTroubleHasItsCause) {
  for (const Case& c : Cases()) {
    const KubeView view =
        LookAtDeployment(RollingOut(), Json::array({ReadyPod("old", "1"), c.pod}), Now());
    EXPECT_EQ(view.observed.cause, c.cause) << c.name;
    EXPECT_EQ(PhaseName(view.observed.phase), PhaseName(c.phase)) << c.name;
    EXPECT_EQ(view.observed.revision, 1) << c.name;
    if (*c.cause != '\0') {
      EXPECT_EQ(view.pod, "new") << c.name;
      EXPECT_EQ(CauseOf(c.cause).code, c.cause) << c.name;
      EXPECT_FALSE(view.observed.detail.empty()) << c.name;
    }
  }
}

TEST(KubernetesObserve, TellsTheSchedulersWords) {
  const KubeView view = LookAtDeployment(RollingOut(), Json::array({Cases()[10].pod}), Now());
  EXPECT_THAT(view.observed.detail, HasSubstr("3 Insufficient cpu"));
  KubeView waits = view;
  AddEvents(Json::array({{{"reason", "TriggeredScaleUp"}, {"message", "pod triggered"}}}), waits);
  EXPECT_EQ(waits.observed.phase, Phase::kPending);
}

TEST(KubernetesObserve, AFinalFailureIsToldBeforeOneThatMayPass) {
  const Json pods =
      Json::array({PodIn(Waiting("ErrImagePull", "timeout")), PodIn(Waiting("InvalidImageName"))});
  EXPECT_EQ(LookAtDeployment(RollingOut(), pods, Now()).observed.cause, "InvalidImageName");
}

TEST(KubernetesObserve, HealthyOnlyWhenTheNewRevisionIsThereAlone) {
  EXPECT_TRUE(KubeIsHealthy(Complete()));
  EXPECT_FALSE(KubeIsHealthy(RollingOut()));
  Json unseen = Complete();
  unseen["metadata"]["generation"] = 3;
  EXPECT_FALSE(KubeIsHealthy(unseen));
  EXPECT_EQ(LookAtDeployment(unseen, Json::array(), Now()).observed.phase, Phase::kPending);
  const Observed observed = LookAtDeployment(Complete(), Json::array(), Now()).observed;
  EXPECT_EQ(observed.phase, Phase::kHealthy);
  EXPECT_EQ(observed.revision, 2);
}

TEST(KubernetesObserve, WhatWasWellAndIsNotIsUnhealthy) {
  Json deployment = Complete();
  deployment["spec"]["replicas"] = 2;
  deployment["status"]["replicas"] = 2;
  deployment["status"]["updatedReplicas"] = 2;
  const KubeView view =
      LookAtDeployment(deployment, Json::array({ReadyPod("a", "2"), Cases()[7].pod}), Now());
  EXPECT_EQ(view.observed.phase, Phase::kUnhealthy);
  EXPECT_EQ(view.observed.cause, "OOMKilled");
  EXPECT_THAT(view.observed.detail, HasSubstr("1 of 2 replicas"));
}

TEST(KubernetesObserve, QuotaAndDeadlineAreFinal) {
  Json deployment = RollingOut();
  deployment["status"]["conditions"].push_back(
      {{"type", "ReplicaFailure"},
       {"status", "True"},
       {"reason", "FailedCreate"},
       {"message", "pods \"x\" is forbidden: exceeded quota: q, requested: cpu=1"}});
  Observed observed = LookAtDeployment(deployment, Json::array(), Now()).observed;
  EXPECT_EQ(observed.cause, "QuotaExceeded");
  EXPECT_EQ(observed.phase, Phase::kFailed);
  deployment = RollingOut();
  deployment["status"]["conditions"][0]["reason"] = "ProgressDeadlineExceeded";
  observed = LookAtDeployment(deployment, Json::array(), Now()).observed;
  EXPECT_EQ(observed.cause, "ProgressDeadlineExceeded");
  EXPECT_EQ(observed.phase, Phase::kFailed);
}

TEST(KubernetesObserve, EventsTellWhatStatusesDoNot) {
  KubeView view = LookAtDeployment(RollingOut(), Json::array({Cases()[12].pod}), Now());
  AddEvents(Json::array({{{"reason", "Unhealthy"},
                          {"message", "Readiness probe failed: HTTP probe failed with 503"}}}),
            view);
  EXPECT_EQ(view.observed.cause, "ProbeFailed");
  EXPECT_THAT(view.observed.detail, HasSubstr("503"));
  view = LookAtDeployment(RollingOut(), Json::array({Cases()[0].pod}), Now());
  AddEvents(Json::array({{{"reason", "Failed"},
                          {"message", "Failed to pull image \"x\": no basic auth credentials"}}}),
            view);
  EXPECT_THAT(view.observed.detail, HasSubstr("no basic auth"));
}

TEST(KubernetesObserve, WhatAClusterShouldNotSendDoesNoHarm) {
  const Json odd[] = {Json(),
                      Json::array({1, "x", nullptr}),
                      Json::object(),
                      {{"status", "x"}, {"metadata", 3}, {"spec", {1}}},
                      {{"status", {{"conditions", {1, {{"type", 3}}}}}}}};
  for (const Json& a : odd) {
    for (const Json& b : odd) {
      KubeView view = LookAtDeployment(a, Json::array({b}), Now());
      AddEvents(b, view);
      EXPECT_NE(view.observed.phase, Phase::kHealthy);
    }
  }
}

TEST(KubernetesStatus, SaysWhichRuleWouldAllowIt) {
  const Error error = KubeStatusError(
      "apply Deployment digits", 403,
      R"({"kind":"Status","message":"deployments.apps \"digits\" is forbidden: User \"u\" cannot )"
      R"(patch resource \"deployments\" in API group \"apps\" in the namespace \"lab\"",)"
      R"("reason":"Forbidden"})");
  EXPECT_EQ(error.id, "Service.Forbidden");
  EXPECT_THAT(error.fix, HasSubstr("deployments"));
  EXPECT_THAT(error.fix, HasSubstr("patch"));
  EXPECT_THAT(error.fix, HasSubstr("namespace lab"));
}

TEST(KubernetesStatus, EachAnswerHasItsCause) {
  const auto id = [](int status, std::string_view body) {
    return KubeStatusError("x", status, body).id;
  };
  EXPECT_EQ(id(401, ""), "Service.Unauthorized");
  EXPECT_EQ(id(403, R"({"message":"exceeded quota: q"})"), "Service.QuotaExceeded");
  EXPECT_EQ(id(403, R"({"message":"violates PodSecurity"})"), "Service.ClusterRefused");
  EXPECT_EQ(id(404, R"({"details":{"kind":"namespaces","name":"lab"}})"),
            "Service.NamespaceMissing");
  EXPECT_EQ(id(404, "{}"), "Service.NotFound");
  EXPECT_EQ(id(422, R"({"message":"spec.x: Invalid value"})"), "Service.ClusterRefused");
  EXPECT_EQ(id(500, "<html>"), "Service.ClusterFailed");
  EXPECT_EQ(id(429, "{}"), "Service.ClusterBusy");
  EXPECT_EQ(id(302, ""), "Service.ClusterUnreachable");
  EXPECT_EQ(
      id(409,
         R"({"details":{"causes":[{"message":"conflict with \"kubectl\"","field":".spec"}]}})"),
      "Service.FieldConflict");
}

}  // namespace
}  // namespace slipway::deployer
