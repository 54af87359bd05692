// SPDX-License-Identifier: Apache-2.0
#include "deployer/deployment.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "deployer/deployment_fields.h"

namespace slipway::deployer {
namespace {

Json J(const char* text) { return *ParseJson(text); }

Deployment Good(const char* text, std::string_view target) {
  auto deployment = ParseDeployment(J(text), target);
  EXPECT_TRUE(deployment) << text << ": " << deployment.error().message;
  return deployment ? *deployment : Deployment{};
}

struct Refusal {
  const char* json;
  const char* target;
  const char* id;
  const char* message;  ///< part of it
  const char* fix = "";
};

TEST(Deployment, DefaultsAreThoseOfV1) {
  const Deployment aci = DefaultDeployment("aci");
  EXPECT_EQ(aci.cpu_cores, 0.1);
  EXPECT_EQ(aci.memory_gb, 0.5);
  EXPECT_FALSE(aci.auth_enabled);
  EXPECT_FALSE(aci.autoscale_enabled);
  EXPECT_EQ(aci.replicas, 1);
  const Deployment aks = DefaultDeployment("kubernetes");
  EXPECT_EQ(aks.cpu_cores, 0.1);
  EXPECT_EQ(aks.memory_gb, 0.5);
  EXPECT_TRUE(aks.auth_enabled);
  EXPECT_TRUE(aks.autoscale_enabled);
  EXPECT_EQ(aks.replicas, 0);
  EXPECT_EQ(aks.autoscale_min_replicas, 1);
  EXPECT_EQ(aks.autoscale_max_replicas, 10);
  EXPECT_EQ(aks.autoscale_refresh_seconds, 1);
  EXPECT_EQ(aks.autoscale_target_utilization, 70);
  EXPECT_EQ(aks.scoring_timeout_ms, 60'000);
  EXPECT_EQ(aks.max_concurrent_requests, 1);
  EXPECT_EQ(aks.max_queue_wait_ms, 500);
  EXPECT_EQ(aks.period_seconds, 10);
  EXPECT_EQ(aks.initial_delay_seconds, 310);
  EXPECT_EQ(aks.timeout_seconds, 2);
  EXPECT_EQ(aks.success_threshold, 1);
  EXPECT_EQ(aks.failure_threshold, 3);
  for (const char* local : {"process", "docker"}) {
    EXPECT_EQ(DefaultDeployment(local).cpu_cores, 0) << local;
    EXPECT_FALSE(DefaultDeployment(local).auth_enabled) << local;
  }
  for (const char* target : {"process", "docker", "aci", "kubernetes"}) {
    EXPECT_TRUE(CheckDeployment(DefaultDeployment(target), target)) << target;
    EXPECT_EQ(Good("{}", target), DefaultDeployment(target));
  }
}

TEST(Deployment, ReadsTheFormOfV1AsItsOwn) {
  const Deployment v1 = Good(
      R"({"computeType": "AKS", "containerResourceRequirements": {"cpu": 1.5, "memoryInGB": 2,
          "gpu": 1, "cpuLimit": 2, "memoryInGBLimit": 4},
          "autoScaler": {"autoscaleEnabled": true, "minReplicas": 2, "maxReplicas": 4,
          "refreshPeriodInSeconds": 3, "targetUtilization": 50},
          "dataCollection": {"storageEnabled": true}, "authEnabled": false,
          "sslEnabled": true, "sslCertificate": "C\n", "sslKey": "K", "cname": "a.example",
          "appInsightsEnabled": true, "scoringTimeoutMs": 1000,
          "maxConcurrentRequestsPerContainer": 7, "maxQueueWaitMs": 9,
          "keys": {"primaryKey": "12345678", "secondaryKey": "abcdefgh"},
          "livenessProbeRequirements": {"periodSeconds": 1, "initialDelaySeconds": 2,
          "timeoutSeconds": 3, "successThreshold": 4, "failureThreshold": 5},
          "namespace": "team", "location": "East US", "dnsNameLabel": "my-label"})",
      "kubernetes");
  const Deployment own = Good(
      R"({"target": "kubernetes", "cpu_cores": 1.5, "memory_gb": 2, "gpu_cores": 1,
          "cpu_cores_limit": 2, "memory_gb_limit": 4, "autoscale_enabled": true,
          "autoscale_min_replicas": 2, "autoscale_max_replicas": 4,
          "autoscale_refresh_seconds": 3, "autoscale_target_utilization": 50,
          "collect_model_data": true, "auth_enabled": false, "ssl_enabled": true,
          "ssl_certificate": "C\n", "ssl_key": "K", "ssl_cname": "a.example",
          "enable_app_insights": true, "scoring_timeout_ms": 1000,
          "replica_max_concurrent_requests": 7, "max_request_wait_time": 9,
          "primary_key": "12345678", "secondary_key": "abcdefgh", "period_seconds": 1,
          "initial_delay_seconds": 2, "timeout_seconds": 3, "success_threshold": 4,
          "failure_threshold": 5, "kubernetes": {"namespace": "team"}, "location": "East US",
          "dns_name_label": "my-label"})",
      "kubernetes");
  EXPECT_EQ(v1, own);
  EXPECT_EQ(v1.kubernetes.name_space, "team");
  EXPECT_EQ(v1.autoscale_max_replicas, 4);
  EXPECT_EQ(v1.secondary_key, "abcdefgh");
}

TEST(Deployment, RefusesWithOneClearLine) {
  const Refusal cases[] = {
      {R"({"cpu_core": 1})", "aci", "Deployment.UnknownKey", "'cpu_core'", "'cpu_cores'"},
      {R"({"computType": "ACI"})", "aci", "Deployment.UnknownKey", "'computType'", "'computeType'"},
      {R"({"containerResourceRequirements": {"memoryInGb": 1}})", "aci", "Deployment.UnknownKey",
       "'containerResourceRequirements.memoryInGb'", "'memoryInGB'"},
      {R"({"autoScaller": {}})", "aci", "Deployment.UnknownKey", "'autoScaller'", "'autoScaler'"},
      {R"({"docker": {"hosts": "x"}})", "docker", "Deployment.UnknownKey", "'docker.hosts'",
       "'host'"},
      {R"({"kubernetes": {"kube_config": "x"}})", "kubernetes", "Deployment.UnknownKey",
       "'kubernetes.kube_config'", "'kubeconfig'"},
      {R"({"zzz": 1})", "aci", "Deployment.UnknownKey", "'zzz'"},
      {R"([])", "aci", "Deployment.WrongType", "must be an object"},
      {R"({"cpu_cores": "1"})", "aci", "Deployment.WrongType", "cpu_cores must be a number"},
      {R"({"autoScaler": 3})", "aci", "Deployment.WrongType", "autoScaler must be an object"},
      {R"({"auth_enabled": "yes"})", "aci", "Deployment.WrongType", "auth_enabled"},
      {R"({"num_replicas": 1.5})", "kubernetes", "Deployment.WrongType", "num_replicas"},
      {R"({"tags": {"a": 1}})", "aci", "Deployment.WrongType", "tags.a must be a text"},
      {R"({"cpu_cores": 1, "containerResourceRequirements": {"cpu": 1}})", "aci",
       "Deployment.Twice", "say the same thing"},
      {R"({"namespace": "a", "kubernetes": {"namespace": "a"}})", "kubernetes", "Deployment.Twice",
       "namespace"},
      {R"({"cpu_cores": -1})", "aci", "Deployment.OutOfRange", "cpu_cores is -1"},
      {R"({"cpu_cores": 0})", "aci", "Deployment.OutOfRange", "target aci takes"},
      {R"({"cpu_cores": 64})", "aci", "Deployment.OutOfRange", "cpu_cores is 64"},
      {R"({"memory_gb": 1e300})", "docker", "Deployment.OutOfRange", "memory_gb"},
      {R"({"memory_gb": 0.001})", "docker", "Deployment.OutOfRange", "memory_gb is 0.001"},
      {R"({"scoring_timeout_ms": 0})", "docker", "Deployment.OutOfRange",
       "scoring_timeout_ms is 0"},
      {R"({"autoscale_target_utilization": 101})", "kubernetes", "Deployment.OutOfRange", "101"},
      {R"({"port": 65536})", "docker", "Deployment.OutOfRange", "65536"},
      {R"({"dns_name_label": "Up"})", "aci", "Deployment.OutOfRange", "'Up'"},
      {R"({"dns_name_label": "a.b"})", "aci", "Deployment.OutOfRange", "'a.b'"},
      {R"({"namespace": "-a"})", "kubernetes", "Deployment.OutOfRange", "'-a'"},
      {R"({"location": "east/us"})", "aci", "Deployment.OutOfRange", "'east/us'"},
      {R"({"aci": {"resource_group": "a/../b"}})", "aci", "Deployment.OutOfRange", "'a/../b'"},
      {R"({"aci": {"subscription_id": "a?b"}})", "aci", "Deployment.OutOfRange", "'a?b'"},
      {R"({"docker": {"host": "ssh://x"}})", "docker", "Deployment.OutOfRange", "'ssh://x'"},
      {R"({"docker": {"host": "unix:///a\nb"}})", "docker", "Deployment.OutOfRange",
       "control character"},
      {R"({"primary_key": "short"})", "aci", "Deployment.OutOfRange", "primary_key has 5"},
      {R"({"primary_key": "with,comma"})", "aci", "Deployment.OutOfRange", "primary_key"},
      {R"({"autoscale_min_replicas": 5, "autoscale_max_replicas": 2})", "kubernetes",
       "Deployment.Conflict", "autoscale_min_replicas is 5"},
      {R"({"num_replicas": 3, "autoscale_enabled": true})", "kubernetes", "Deployment.Conflict",
       "exclude each other"},
      {R"({"autoscale_enabled": false})", "kubernetes", "Deployment.Conflict", "num_replicas"},
      {R"({"auth_enabled": true, "token_auth_enabled": true})", "kubernetes", "Deployment.Conflict",
       "exclude each other"},
      {R"({"cpu_cores": 2, "cpu_cores_limit": 1})", "kubernetes", "Deployment.Conflict",
       "cpu_cores_limit is 1"},
      {R"({"ssl_enabled": true})", "kubernetes", "Deployment.Conflict", "ssl_certificate"},
      {R"({"computeType": "AKS"})", "aci", "Deployment.Conflict", "target kubernetes"},
      {R"({"computeType": "ACI", "target": "docker"})", "aci", "Deployment.Conflict", "both"},
      {R"({"target": "akz"})", "aci", "Deployment.Target", "'akz'", "'aks'"},
      {R"({"num_replicas": 2})", "aci", "Deployment.Unsupported", "2 replicas"},
      {R"({"autoscale_enabled": true})", "docker", "Deployment.Unsupported", "autoscaling"},
      {R"({"ssl_enabled": true})", "aci", "Deployment.Unsupported", "TLS"},
      {R"({"auth_enabled": false, "token_auth_enabled": true})", "kubernetes",
       "Deployment.Unsupported", "token"},
      {R"({"gpu_cores": 1})", "process", "Deployment.Unsupported", "GPU"},
      {R"({"cmk_key_name": "a"})", "aci", "Deployment.Conflict", "go together"},
  };
  for (const Refusal& refusal : cases) {
    const auto got = ParseDeployment(J(refusal.json), refusal.target);
    ASSERT_FALSE(got) << refusal.json;
    EXPECT_EQ(got.error().id, refusal.id) << refusal.json << ": " << got.error().message;
    EXPECT_NE(got.error().message.find(refusal.message), std::string::npos) << got.error().message;
    EXPECT_EQ(got.error().message.find('\n'), std::string::npos);
    EXPECT_NE(got.error().fix.find(refusal.fix), std::string::npos) << got.error().fix;
  }
}

TEST(Deployment, NeverShowsAKeyInAnError) {
  const auto got = ParseDeployment(J(R"({"primary_key": "secret secret"})"), "aci");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message.find("secret secret"), std::string::npos);
}

TEST(Deployment, ReadsBackWhatItWrites) {
  const Deployment all =
      Good(R"({"cpu_cores": 2, "num_replicas": 3, "tags": {"a": "b"}, "primary_key": "12345678",
               "image_registry": {"username": "u", "password": "p4ssw0rd"}, "namespace": "n",
               "docker": {"network": "host", "pids_limit": 9}, "aci": {"resource_group": "g"}})",
           "kubernetes");
  const auto back = ParseDeployment(ToJson(all, Secrets::kShown), "kubernetes");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, all);
  const std::string hidden = DumpJson(ToJson(all, Secrets::kHidden));
  EXPECT_EQ(hidden.find("12345678"), std::string::npos);
  EXPECT_EQ(hidden.find("p4ssw0rd"), std::string::npos);
  EXPECT_TRUE(ParseDeployment(J(hidden.c_str()), "kubernetes"));
}

TEST(Deployment, ChangesOnlyWhatIsGiven) {
  const Deployment now = Good(R"({"cpu_cores": 2, "tags": {"a": "b"}})", "kubernetes");
  auto changed = ChangeDeployment(now, J(R"({"memory_gb": 3, "cpu_cores": null})"), "kubernetes");
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->cpu_cores, 2);
  EXPECT_EQ(changed->memory_gb, 3);
  EXPECT_TRUE(changed->autoscale_enabled);
  changed =
      ChangeDeployment(*changed, J(R"({"num_replicas": 4, "tags": {"c": "d"}})"), "kubernetes");
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->autoscale_enabled);
  EXPECT_EQ(changed->replicas, 4);
  EXPECT_EQ(changed->tags, (TextMap{{"c", "d"}}));
  changed =
      ChangeDeployment(*changed, J(R"({"autoScaler": {"autoscaleEnabled": true}})"), "kubernetes");
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->replicas, 0);
}

TEST(Deployment, NamesItsTarget) {
  EXPECT_EQ(*DeploymentTarget(J("{}")), "");
  EXPECT_EQ(*DeploymentTarget(J(R"({"computeType": "ACI"})")), "aci");
  EXPECT_EQ(*DeploymentTarget(J(R"({"compute_type": "aks"})")), "kubernetes");
  EXPECT_EQ(*DeploymentTarget(J(R"({"computeType": "LOCAL"})")), "docker");
  EXPECT_EQ(*DeploymentTarget(J(R"({"target": "process"})")), "process");
}

TEST(Deployment, SaysWhatItIgnores) {
  const Deployment aks = Good(R"({"appInsightsEnabled": true, "port": 8080})", "kubernetes");
  const auto lines = IgnoredSettings(aks, "kubernetes");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("enable_app_insights"), std::string::npos);
  EXPECT_NE(lines[1].find("port"), std::string::npos);
  for (const char* target : {"process", "docker", "aci", "kubernetes"}) {
    EXPECT_TRUE(IgnoredSettings(DefaultDeployment(target), target).empty()) << target;
  }
}

TEST(Deployment, GivesTheServerItsSettings) {
  const Deployment with = Good(R"({"auth_enabled": true, "primary_key": "11111111",
      "secondary_key": "22222222", "scoring_timeout_ms": 5})",
                               "aci");
  EXPECT_EQ(AuthKeys(with), "11111111,22222222");
  EXPECT_EQ(ScoringEnvironment(with).front(), "SCORING_TIMEOUT_MS=5");
  for (const std::string& variable : ScoringEnvironment(with)) {
    EXPECT_EQ(variable.find("11111111"), std::string::npos);
  }
  EXPECT_EQ(AuthKeys(Good(R"({"primary_key": "11111111"})", "aci")), "");
}

/// Every key of the commented example is one that there is, with its default, and none is left out.
TEST(Deployment, ExampleFileIsWholeAndTrue) {
  std::ifstream in(std::string(SLIPWAY_SOURCE_DIR) + "/templates/config/deployment.yaml");
  ASSERT_TRUE(in);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const YAML::Node file = YAML::Load(text);
  const std::function<Json(const YAML::Node&)> convert = [&](const YAML::Node& node) -> Json {
    if (node.IsMap()) {
      Json json = Json::object();
      for (const auto& item : node) json[item.first.Scalar()] = convert(item.second);
      return json;
    }
    if (node.Tag() == "!") return node.Scalar();
    auto scalar = ParseJson(node.Scalar());
    return scalar ? *scalar : Json(node.Scalar());
  };
  const Json json = convert(file);
  const auto parsed = ParseDeployment(json, "kubernetes");
  ASSERT_TRUE(parsed) << parsed.error().message << " " << parsed.error().fix;
  EXPECT_EQ(*parsed, DefaultDeployment("kubernetes"));
  Json whole = ToJson(*parsed, Secrets::kShown);
  whole["target"] = "";
  for (const auto& [key, value] : whole.items()) {
    EXPECT_NE(text.find(key + ":"), std::string::npos) << key;
    if (!value.is_object()) continue;
    for (const auto& [inner, unused] : value.items()) {
      EXPECT_NE(text.find(inner + ":"), std::string::npos) << key << "." << inner;
    }
  }
}

}  // namespace
}  // namespace slipway::deployer
