// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "deployer/kubernetes/pod.h"
#include "tests/deployer/kubernetes/spec.h"
#include "tests/support/json.h"
#include "tests/support/json_schema.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const KubePlace kPlace{.name_space = "lab", .installation = "0123456789abcdef"};

Json Parsed(const KubeObject& object) {
  auto json = ParseJson(object.body);
  EXPECT_TRUE(json) << object.body;
  return json ? *json : Json();
}

std::vector<KubeObject> All(const DeploySpec& spec, const KubePlace& place = kPlace) {
  std::vector<KubeObject> objects = KubeSecrets(spec, place);
  for (KubeObject& object : KubeWorkload(spec, place, "77")) objects.push_back(std::move(object));
  return objects;
}

const KubeObject* Find(const std::vector<KubeObject>& objects, std::string_view kind,
                       std::string_view name = "digits") {
  for (const KubeObject& object : objects) {
    if (object.kind == kind && object.name == name) return &object;
  }
  return nullptr;
}

/// Compares with tests/golden, or writes it with UPDATE_GOLDEN=1.
void ExpectGolden(const std::vector<KubeObject>& objects, const std::string& name) {
  const fs::path file = fs::path(SLIPWAY_SOURCE_DIR) / "tests/golden" / name;
  std::string text;
  for (const KubeObject& object : objects) {
    text += object.path + "\n" + DumpJson(Parsed(object), 1) + "\n";
  }
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(file) << text;
  const auto golden = ReadFile(file, 1 << 20);
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(text, *golden);
}

TEST(KubernetesManifest, TheSmallestServiceIsAsTheGoldenFileSays) {
  ExpectGolden(All(KubeTestSpec()), "kubernetes_small.txt");
}

TEST(KubernetesManifest, TheFullestServiceIsAsTheGoldenFileSays) {
  ExpectGolden(All(KubeFullSpec()), "kubernetes_full.txt");
}

TEST(KubernetesManifest, FitsThePublishedSchemas) {
  const fs::path folder = fs::path(SLIPWAY_SOURCE_DIR) / "../shared/spec/kubernetes";
  if (!fs::exists(folder)) GTEST_SKIP() << "the published schemas are not at hand";
  std::map<std::string, Json> schemas;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().string().ends_with(".strict.schema.json")) continue;
    const std::string name = entry.path().filename().string();
    schemas[name.substr(0, name.find('-'))] = testing::ParsedJsonFile(entry.path());
  }
  DeploySpec many = KubeTestSpec();
  many.deployment.replicas = 3;
  many.deployment.kubernetes.service_type = "NodePort";
  many.deployment.port = 30'123;
  many.deployment.kubernetes.image_pull_secret = "mine";
  int checked = 0;
  for (const DeploySpec& spec : {KubeTestSpec(), KubeFullSpec(), many}) {
    for (const KubeObject& object : All(spec)) {
      const auto schema = schemas.find(ToLower(object.kind));
      ASSERT_NE(schema, schemas.end()) << object.kind;
      EXPECT_EQ(testing::SchemaError(schema->second, Parsed(object)), "") << object.path;
      ++checked;
    }
  }
  EXPECT_EQ(checked, 13);
  Json wrong = Parsed(*Find(All(many), "Deployment"));
  wrong["spec"]["replicas"] = "three";
  EXPECT_NE(testing::SchemaError(schemas["deployment"], wrong), "");
}

TEST(KubernetesManifest, LosesNoRequestOnTheWayToANewRevision) {
  const Json deployment = Parsed(*Find(All(KubeTestSpec()), "Deployment"));
  EXPECT_EQ(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
  const Json& pod = deployment["spec"]["template"]["spec"];
  std::int64_t delay_ms = 0;
  for (const Json& variable : pod["containers"][0]["env"]) {
    if (variable["name"] == "SLIPWAY_STOP_DELAY_MS") {
      delay_ms = std::stoll(variable["value"].get<std::string>());
    }
  }
  EXPECT_GE(delay_ms, 3000);
  EXPECT_GT(pod["terminationGracePeriodSeconds"].get<std::int64_t>() * 1000,
            delay_ms + KubeTestSpec().deployment.scoring_timeout_ms);
}

TEST(KubernetesManifest, LivenessIsWhatV1SaysByDefault) {
  const Json deployment = Parsed(*Find(All(KubeTestSpec()), "Deployment"));
  const Json& container = deployment["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["livenessProbe"]["initialDelaySeconds"], 310);
  EXPECT_EQ(container["livenessProbe"]["periodSeconds"], 10);
  EXPECT_EQ(container["livenessProbe"]["timeoutSeconds"], 2);
  EXPECT_EQ(container["livenessProbe"]["failureThreshold"], 3);
  EXPECT_EQ(container["resources"]["requests"]["cpu"], "100m");
  EXPECT_EQ(container["resources"]["requests"]["memory"], "512Mi");
}

TEST(KubernetesManifest, SecretsAreInSecretsAlone) {
  const auto objects = All(KubeFullSpec());
  for (const KubeObject& object : objects) {
    if (object.kind == "Secret") continue;
    for (const char* secret : {"first", "second", "pass", "KEY\""}) {
      EXPECT_THAT(object.body, Not(HasSubstr(secret))) << object.kind;
    }
  }
  const KubeObject* keys = Find(objects, "Secret", "digits-keys");
  ASSERT_NE(keys, nullptr);
  const auto text = DecodeBase64(Parsed(*keys)["data"]["keys"].get<std::string>());
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "first,second");
}

TEST(KubernetesManifest, ReplicasAreTheAutoscalersBusinessWhereThereIsOne) {
  const auto objects = All(KubeFullSpec());
  EXPECT_FALSE(Parsed(*Find(objects, "Deployment"))["spec"].contains("replicas"));
  EXPECT_NE(Find(objects, "HorizontalPodAutoscaler"), nullptr);
  EXPECT_NE(Find(objects, "PodDisruptionBudget"), nullptr);
  const auto small = All(KubeTestSpec());
  EXPECT_EQ(Parsed(*Find(small, "Deployment"))["spec"]["replicas"], 1);
  EXPECT_EQ(Find(small, "HorizontalPodAutoscaler"), nullptr);
  EXPECT_EQ(Find(small, "PodDisruptionBudget"), nullptr);
}

TEST(KubernetesManifest, OlderClustersGetTheVersionsTheyHave) {
  KubePlace old = kPlace;
  old.apis = {.autoscaling = "autoscaling/v2beta2", .policy = "policy/v1beta1"};
  const auto objects = All(KubeFullSpec(), old);
  EXPECT_EQ(Parsed(*Find(objects, "HorizontalPodAutoscaler"))["apiVersion"], "autoscaling/v2beta2");
  EXPECT_EQ(Find(objects, "PodDisruptionBudget")->path,
            "/apis/policy/v1beta1/namespaces/lab/poddisruptionbudgets/digits");
  old.apis.policy.clear();
  EXPECT_EQ(Find(All(KubeFullSpec(), old), "PodDisruptionBudget"), nullptr);
}

TEST(KubernetesManifest, RefusesWhatCannotBe) {
  const auto id = [](const DeploySpec& spec, const KubePlace& place) {
    const auto checked = CheckKubeSpec(spec, place);
    return checked ? std::string() : checked.error().id;
  };
  EXPECT_EQ(id(KubeFullSpec(), kPlace), "");
  DeploySpec spec = KubeTestSpec();
  spec.image_location.clear();
  EXPECT_EQ(id(spec, kPlace), "Service.ImageNotPushed");
  KubePlace bare = kPlace;
  bare.apis.autoscaling.clear();
  EXPECT_EQ(id(KubeFullSpec(), bare), "Service.ApiMissing");
  EXPECT_EQ(id(KubeTestSpec(), bare), "");
  spec = KubeFullSpec();
  spec.deployment.cpu_cores = 0;
  EXPECT_EQ(id(spec, kPlace), "Deployment.Conflict");
  spec = KubeFullSpec();
  spec.deployment.kubernetes.ingress_host.clear();
  EXPECT_EQ(id(spec, kPlace), "Deployment.Conflict");
}

TEST(KubernetesManifest, LeftoversAreWhatIsNoLongerWanted) {
  const auto wanted = All(KubeTestSpec());
  std::vector<std::string> left;
  for (const KubeObject& object : KubeLeftovers("digits", kPlace, wanted)) {
    left.push_back(object.kind + "/" + object.name);
  }
  EXPECT_THAT(left,
              ::testing::UnorderedElementsAre("Ingress/digits", "HorizontalPodAutoscaler/digits",
                                              "PodDisruptionBudget/digits", "Secret/digits-keys",
                                              "Secret/digits-registry", "Secret/digits-tls"));
  EXPECT_TRUE(KubeLeftovers("digits", kPlace, All(KubeFullSpec())).empty());
}

TEST(KubernetesManifest, LabelValuesAreOnesThatClustersTake) {
  EXPECT_EQ(KubeLabelValue("team lab"), "team_lab");
  EXPECT_EQ(KubeLabelValue("--a.b-"), "a.b");
  EXPECT_EQ(KubeLabelValue(std::string(80, 'x')).size(), 63U);
  EXPECT_EQ(KubeLabelValue("é"), "");
}

}  // namespace
}  // namespace slipway::deployer
