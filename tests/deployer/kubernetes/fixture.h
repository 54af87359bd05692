// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/deployer/kubernetes/spec.h"
#include "tests/support/fake_kubernetes.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {

using testing::FakeKubernetes;
using State = FakeKubernetes::State;

inline constexpr const char* kDeploymentPath = "/apis/apps/v1/namespaces/lab/deployments/digits";
inline constexpr const char* kPodPath = "/api/v1/namespaces/lab/pods/digits-a";

/// A driver over a state folder of its own and a cluster of its own.
class KubernetesTarget : public ::testing::Test {
 protected:
  KubernetesTarget() { Reopen(); }

  void Reopen() {
    targets_ = Targets::Make({.run_folder = folder_ / "state/run",
                              .log_folder = folder_ / "state/logs",
                              .http = *http_,
                              .clock = SystemClock()});
    EXPECT_TRUE(MakeFolders(folder_ / "state/run"));
    auto found = targets_->Find("kubernetes");
    EXPECT_TRUE(found) << found.error().message;
    driver_ = found ? *found : nullptr;
  }
  DeploySpec Spec(std::int64_t revision = 1) { return Located(KubeTestSpec(revision)); }
  DeploySpec Located(DeploySpec spec) {
    spec.deployment.kubernetes.kubeconfig = cluster_.WriteKubeconfig(folder_.path());
    return spec;
  }
  std::string IdOf(const Result<void>& result) { return result ? "" : result.error().id; }
  /// Paths below the namespace of all objects there are.
  std::vector<std::string> Objects() {
    std::vector<std::string> names;
    cluster_.Change([&names](State& state) {
      for (const auto& [path, object] : state.objects) {
        names.push_back(path.substr(path.find("/lab/") + 5));
      }
    });
    return names;
  }
  Json Stored(const std::string& path) {
    Json object;
    cluster_.Change([&](State& state) {
      if (state.objects.contains(path)) object = state.objects[path];
    });
    return object;
  }
  /// Makes the rollout stay where it is, with one pod of the newest revision in `status`.
  void StayWith(const Json& status) {
    cluster_.Change([status](State& state) {
      state.roll_out = [status](State& inside, Json& deployment) {
        FakeKubernetes::BecomeHealthy(inside, deployment);
        deployment["status"]["availableReplicas"] = 0;
        deployment["status"]["conditions"][1]["reason"] = "ReplicaSetUpdated";
        inside.objects[kPodPath] = {
            {"metadata",
             {{"name", "digits-a"},
              {"labels", deployment["spec"]["template"]["metadata"]["labels"]},
              {"annotations", deployment["spec"]["template"]["metadata"]["annotations"]}}},
            {"status", status}};
      };
    });
  }

  testing::TempDir folder_;
  FakeKubernetes cluster_;
  std::unique_ptr<http::Client> http_ = http::MakeClient({});
  std::unique_ptr<Targets> targets_;
  Driver* driver_ = nullptr;
  const ServiceKey key_{"team lab", "digits"};
};

}  // namespace slipway::deployer
