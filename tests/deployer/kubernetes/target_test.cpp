// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "deployer/kubernetes/client.h"
#include "tests/deployer/kubernetes/fixture.h"

namespace slipway::deployer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_F(KubernetesTarget, AppliesWatchesAndRemovesAService) {
  const auto applied = driver_->Apply(Spec());
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_THAT(Objects(), ::testing::ElementsAre("services/digits", "deployments/digits"));
  const auto observed = WaitReady(*driver_, key_, SystemClock());
  ASSERT_TRUE(observed) << observed.error().message;
  EXPECT_EQ(observed->endpoint, "http://10.96.0.7");
  EXPECT_EQ(observed->revision, 1);
  ASSERT_TRUE(driver_->Remove(key_));
  EXPECT_TRUE(Objects().empty());
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound");
  EXPECT_TRUE(driver_->Remove(key_));
}

TEST_F(KubernetesTarget, KnowsItsServicesAfterARestart) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  Reopen();
  const auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed) << observed.error().message;
  EXPECT_EQ(observed->phase, Phase::kHealthy);
  EXPECT_TRUE(driver_->Apply(Spec(2)));
  EXPECT_EQ(driver_->Observe(key_)->revision, 2);
}

TEST_F(KubernetesTarget, AppliesEverythingAndTakesBackWhatIsNoLongerWanted) {
  const auto applied = driver_->Apply(Located(KubeFullSpec()));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(Objects().size(), 8U);
  const Json deployment = Stored(kDeploymentPath);
  EXPECT_TRUE(deployment["spec"]["template"]["metadata"]["annotations"].contains(
      "slipway.dev/secret-version"));
  ASSERT_TRUE(driver_->Apply(Spec(2)));
  EXPECT_THAT(Objects(), ::testing::ElementsAre("services/digits", "deployments/digits"));
}

TEST_F(KubernetesTarget, ANewKeyStartsThePodsAnewAndTheSameDoesNot) {
  DeploySpec spec = Located(KubeFullSpec());
  ASSERT_TRUE(driver_->Apply(spec));
  const Json first = Stored(kDeploymentPath)["spec"];
  ASSERT_TRUE(driver_->Apply(spec));
  EXPECT_EQ(Stored(kDeploymentPath)["spec"], first);
  spec.deployment.primary_key = "another";
  ASSERT_TRUE(driver_->Apply(spec));
  EXPECT_NE(Stored(kDeploymentPath)["spec"], first);
}

TEST_F(KubernetesTarget, NamesWhoHoldsAFieldAndTakesNothingFromThem) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  cluster_.Change([](State& state) {
    state.objects[kDeploymentPath]["spec"]["replicas"] = 9;
    state.owners[kDeploymentPath]["/spec/replicas"] = "kubectl-edit";
  });
  const auto applied = driver_->Apply(Spec(2));
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().id, "Service.FieldConflict");
  EXPECT_THAT(applied.error().message, AllOf(HasSubstr("kubectl-edit"), HasSubstr("replicas")));
  EXPECT_EQ(Stored(kDeploymentPath)["spec"]["replicas"], 9);
}

TEST_F(KubernetesTarget, TakesOverFieldsThatAFormOfItsOwnHolds) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  cluster_.Change([](State& state) {
    state.objects[kDeploymentPath]["spec"]["replicas"] = 9;
    state.owners[kDeploymentPath]["/spec/replicas"] = "slipway/0.0";
  });
  EXPECT_TRUE(driver_->Apply(Spec(2)));
  EXPECT_EQ(Stored(kDeploymentPath)["spec"]["replicas"], 1);
}

TEST_F(KubernetesTarget, AnAutoscalerFindsTheReplicasThatThereAre) {
  DeploySpec spec = Spec();
  spec.deployment.replicas = 4;
  ASSERT_TRUE(driver_->Apply(spec));
  const auto applied = driver_->Apply(Located(KubeFullSpec()));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(Stored(kDeploymentPath)["spec"]["replicas"], 4);
}

TEST_F(KubernetesTarget, TakesTheReplicasBackFromAnAutoscaler) {
  ASSERT_TRUE(driver_->Apply(Located(KubeFullSpec())));
  cluster_.Change([](State& state) {
    state.objects[kDeploymentPath]["spec"]["replicas"] = 5;
    state.owners[kDeploymentPath]["/spec/replicas"] = "kube-controller-manager";
  });
  const auto applied = driver_->Apply(Spec(2));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(Stored(kDeploymentPath)["spec"]["replicas"], 1);
}

TEST_F(KubernetesTarget, WhereNothingMayBeDoneNothingIsKept) {
  cluster_.Change([](State& state) {
    for (const char* verb : {"get", "patch", "delete"}) {
      state.denied.insert(std::string(verb) + " deployments");
    }
  });
  EXPECT_EQ(IdOf(driver_->Apply(Spec())), "Service.Forbidden");
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound");
  EXPECT_TRUE(driver_->Remove(key_));
}

TEST_F(KubernetesTarget, LeavesAloneWhatIsNotItsOwn) {
  cluster_.Change([](State& state) {
    state.objects["/api/v1/namespaces/lab/services/digits"] = {
        {"metadata", {{"name", "digits"}}}, {"spec", {{"clusterIP", "10.96.0.1"}}}};
  });
  EXPECT_EQ(IdOf(driver_->Apply(Spec())), "Service.NameTaken");
  EXPECT_THAT(Objects(), ::testing::ElementsAre("services/digits"));
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound");
}

TEST_F(KubernetesTarget, AnotherWorkspaceOrInstallationDoesNotTakeTheName) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  DeploySpec other = Spec();
  other.workspace = "other";
  const auto applied = driver_->Apply(other);
  EXPECT_EQ(IdOf(applied), "Service.NameTaken");
  EXPECT_THAT(applied.error().message, HasSubstr("team lab"));
  ASSERT_TRUE(driver_->Observe(key_));
  const testing::TempDir elsewhere;
  const auto targets = Targets::Make({.run_folder = elsewhere / "state/run",
                                      .log_folder = elsewhere / "state/logs",
                                      .http = *http_,
                                      .clock = SystemClock()});
  EXPECT_EQ(IdOf((*targets->Find("kubernetes"))->Apply(Spec())), "Service.NameTaken");
}

TEST_F(KubernetesTarget, NothingStaysOfAFirstApplyThatFailed) {
  cluster_.Change([](State& state) { state.denied.insert("patch services"); });
  DeploySpec spec = Spec();
  spec.deployment.auth_enabled = true;
  spec.deployment.primary_key = "k";
  const auto applied = driver_->Apply(spec);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().id, "Service.Forbidden");
  EXPECT_THAT(applied.error().fix, AllOf(HasSubstr("services"), HasSubstr("patch")));
  EXPECT_TRUE(Objects().empty());
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound");
}

TEST_F(KubernetesTarget, EachRefusalHasItsCause) {
  DeploySpec elsewhere = Spec();
  elsewhere.deployment.kubernetes.name_space = "nowhere";
  EXPECT_EQ(IdOf(driver_->Apply(elsewhere)), "Service.NamespaceMissing");

  DeploySpec stranger = KubeTestSpec();
  stranger.deployment.kubernetes.kubeconfig =
      cluster_.WriteKubeconfig(folder_.path(), "wrong").string();
  EXPECT_EQ(IdOf(driver_->Apply(stranger)), "Service.Unauthorized");

  DeploySpec lost = KubeTestSpec();
  lost.deployment.kubernetes.kubeconfig = folder_ / "none";
  EXPECT_EQ(IdOf(driver_->Apply(lost)), "Service.ClusterConfig");

  DeploySpec unpushed = Spec();
  unpushed.image_location.clear();
  EXPECT_EQ(IdOf(driver_->Apply(unpushed)), "Service.ImageNotPushed");

  cluster_.Change([](State& state) { state.apis.erase("autoscaling/v2"); });
  EXPECT_EQ(IdOf(driver_->Apply(Located(KubeFullSpec()))), "Service.ApiMissing");
  EXPECT_TRUE(Objects().empty());
}

TEST_F(KubernetesTarget, AnUnreachableClusterIsToldInTime) {
  const std::filesystem::path file = folder_ / "gone";
  ASSERT_TRUE(
      WriteFileAtomic(file,
                      "clusters: [{name: c, cluster: {server: \"http://127.0.0.1:1\"}}]\n"
                      "contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n"));
  DeploySpec spec = KubeTestSpec();
  spec.deployment.kubernetes.kubeconfig = file;
  const auto applied = driver_->Apply(spec);
  EXPECT_EQ(IdOf(applied), "Service.ClusterUnreachable");
  EXPECT_THAT(applied.error().message, HasSubstr("127.0.0.1:1"));
}

TEST_F(KubernetesTarget, AServerThatIsBusyForAMomentIsAskedAgain) {
  cluster_.Change([](State& state) {
    state.faults = {{.status = 429, .headers = {{"Retry-After", "0"}}}, {.status = 503}};
  });
  EXPECT_TRUE(driver_->Apply(Spec()));
}

TEST_F(KubernetesTarget, ACrashLoopEndsInItsCauseWithTheLineThatMatters) {
  StayWith({{"phase", "Running"},
            {"containerStatuses",
             {{{"name", "scoring"},
               {"ready", false},
               {"restartCount", 3},
               {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
               {"lastState", {{"terminated", {{"exitCode", 3}, {"reason", "Error"}}}}}}}}});
  cluster_.Change([](State& state) {
    state.logs["digits-a/previous"] = "starting\nERROR slipway-serve: cannot load model\n";
  });
  ASSERT_TRUE(driver_->Apply(Spec()));
  const auto ready = WaitReady(*driver_, key_, SystemClock());
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().id, "Service.CrashLoopBackOff");
  EXPECT_THAT(ready.error().message,
              AllOf(HasSubstr("exit code 3"), HasSubstr("cannot load model")));
  EXPECT_FALSE(ready.error().fix.empty());
  EXPECT_THAT(*driver_->Logs(key_, 10), HasSubstr("cannot load model"));
}

TEST_F(KubernetesTarget, ListsComeInPagesAndExpiredOnesAreBegunAnew) {
  StayWith({{"phase", "Pending"}});
  ASSERT_TRUE(driver_->Apply(Spec()));
  cluster_.Change([](State& state) {
    Json pod = state.objects[kPodPath];
    for (int i = 0; i < 7; ++i) {
      const std::string name = "digits-b" + std::to_string(i);
      pod["metadata"]["name"] = name;
      state.objects["/api/v1/namespaces/lab/pods/" + name] = pod;
    }
    pod["status"] = {{"phase", "Pending"},
                     {"containerStatuses",
                      {{{"name", "scoring"},
                        {"ready", false},
                        {"restartCount", 0},
                        {"state", {{"waiting", {{"reason", "InvalidImageName"}}}}}}}}};
    pod["metadata"]["name"] = "digits-z";
    state.objects["/api/v1/namespaces/lab/pods/digits-z"] = pod;
    state.page_size = 3;
    state.expired_pages = 2;
  });
  const auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed) << observed.error().message;
  EXPECT_EQ(observed->cause, "InvalidImageName");
}

TEST_F(KubernetesTarget, WaitsForADeletionBeforeItAppliesAnew) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  cluster_.Change([](State& state) {
    state.objects[kDeploymentPath]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
    state.deletion_looks = 2;
  });
  ASSERT_TRUE(driver_->Apply(Spec(2)));
  EXPECT_FALSE(Stored(kDeploymentPath)["metadata"].contains("deletionTimestamp"));
}

TEST_F(KubernetesTarget, ALoadBalancerHasAnAddressOrIsWaitedFor) {
  DeploySpec spec = Spec();
  spec.deployment.kubernetes.service_type = "LoadBalancer";
  ASSERT_TRUE(driver_->Apply(spec));
  const auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed);
  EXPECT_EQ(observed->phase, Phase::kPending);
  EXPECT_EQ(observed->cause, "LoadBalancerPending");
  cluster_.Change([](State& state) {
    state.objects["/api/v1/namespaces/lab/services/digits"]["status"]["loadBalancer"]["ingress"] = {
        {{"ip", "203.0.113.9"}}};
  });
  const auto ready = WaitReady(*driver_, key_, SystemClock());
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(ready->endpoint, "http://203.0.113.9");
}

TEST_F(KubernetesTarget, DoesNotMoveToAnotherNamespace) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  cluster_.Change([](State& state) { state.namespaces.insert("other"); });
  DeploySpec moved = Spec(2);
  moved.deployment.kubernetes.name_space = "other";
  EXPECT_EQ(IdOf(driver_->Apply(moved)), "Service.PlaceFixed");
}

TEST_F(KubernetesTarget, TakesNoKubeconfigFromWhereUsersPutFiles) {
  ASSERT_TRUE(MakeFolders(folder_ / "state/blobs"));
  DeploySpec spec = KubeTestSpec();
  spec.deployment.kubernetes.kubeconfig = cluster_.WriteKubeconfig(folder_ / "state/blobs");
  const auto applied = driver_->Apply(spec);
  EXPECT_EQ(IdOf(applied), "Service.ClusterConfig");
  EXPECT_THAT(applied.error().message, HasSubstr("own folder"));
}

TEST_F(KubernetesTarget, KeepsNoSecretInItsRecords) {
  DeploySpec spec = Located(KubeFullSpec());
  ASSERT_TRUE(driver_->Apply(spec));
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder_ / "state/run/kubernetes")) {
    const auto text = ReadFile(entry.path(), 1 << 20);
    ASSERT_TRUE(text);
    EXPECT_EQ(text->find("second"), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace slipway::deployer
