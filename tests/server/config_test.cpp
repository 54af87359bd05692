// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/config.h"

#include <gtest/gtest.h>

#include <map>

#include "base/file.h"
#include "tests/support/tempdir.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;

class ConfigTest : public ::testing::Test {
 protected:
  Result<ServeConfig> Read(const std::string& text, const fs::path& root = {}) {
    EXPECT_TRUE(WriteFileAtomic(folder_ / "serve.json", text));
    return ReadConfig(folder_ / "serve.json", root);
  }
  void Touch(const fs::path& file) {
    EXPECT_TRUE(MakeFolders((folder_ / file).parent_path()));
    EXPECT_TRUE(WriteFileAtomic(folder_ / file, "x"));
  }
  testing::TempDir folder_;
};

TEST_F(ConfigTest, ReadsModelsAndPort) {
  auto config = Read(R"({"models": [{"name": "a", "version": 3, "path": "/m/a.onnx"},
                                    {"name": "b", "path": "b.onnx"}], "port": 80})");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->models.size(), 2U);
  EXPECT_EQ(config->models[0].version, "3");
  EXPECT_EQ(config->models[0].path, "/m/a.onnx");
  EXPECT_EQ(config->models[1].version, "1");
  EXPECT_EQ(config->models[1].path, folder_ / "b.onnx");
  EXPECT_EQ(config->port, 80);
}

TEST_F(ConfigTest, UnknownMembersAreNamedWithTheNearest) {
  auto config = Read(R"({"model": []})");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("model"), std::string::npos);
  EXPECT_NE(config.error().fix.find("models"), std::string::npos) << config.error().fix;
  EXPECT_NE(config.error().message.find("serve.json"), std::string::npos);
}

TEST_F(ConfigTest, RefusesWhatMakesNoSense) {
  for (const char* text :
       {"", "[]", "{}", R"({"models": []})", R"({"models": {}})", R"({"models": [{}]})",
        R"({"models": [{"name": "a"}]})", R"({"models": [{"name": "", "path": "x"}]})",
        R"({"models": [{"name": "a", "path": "x", "version": 1.5}]})",
        R"({"models": [{"name": "a", "path": "x"}], "port": 70000})",
        R"({"models": [{"name": "a", "path": "x"}, {"name": "a", "path": "y"}]})"}) {
    EXPECT_FALSE(Read(text)) << text;
  }
  EXPECT_EQ(ReadConfig(folder_ / "none.json", {}).error().code, Code::kNotFound);
}

TEST_F(ConfigTest, ReadsWhatBoundsTheModels) {
  const auto with = [this](const std::string& members) {
    return Read(R"({"models": [{"name": "a", "path": "x"}])" + members + "}");
  };
  const auto none = with("");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->memory_bytes, 0);
  EXPECT_FALSE(none->time_limit);
  const auto both = with(R"(, "memory_limit": "512M", "time_limit": 0.25)");
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->memory_bytes, 512 << 20);
  EXPECT_EQ(both->time_limit, std::chrono::milliseconds(250));
  EXPECT_EQ(with(R"(, "memory_limit": 1000)")->memory_bytes, 1000);
  EXPECT_EQ(with(R"(, "time_limit": 2)")->time_limit, std::chrono::seconds(2));
  EXPECT_EQ(with(R"(, "time_limit": 1e-9)")->time_limit, std::chrono::milliseconds(1));
  for (const char* bad :
       {R"("memory_limit": 0)", R"("memory_limit": -1)", R"("memory_limit": 1.5)",
        R"("memory_limit": "much")", R"("memory_limit": "")", R"("memory_limit": true)",
        R"("memory_limit": 18446744073709551615)", R"("memory_limit": "9000000T")",
        R"("time_limit": 0)", R"("time_limit": -1)", R"("time_limit": "1s")",
        R"("time_limit": 1e300)"}) {
    const auto refused = with(std::string(", ") + bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().id, "Config.Invalid") << bad;
    EXPECT_NE(refused.error().message.find("_limit"), std::string::npos) << refused.error().message;
  }
  EXPECT_FALSE(with("")->deterministic);
  EXPECT_TRUE(with(R"(, "deterministic": true)")->deterministic);
  EXPECT_FALSE(with(R"(, "deterministic": "yes")"));
  EXPECT_EQ(with("")->precision, runtime::Precision::kFloat32);
  EXPECT_EQ(with(R"(, "precision": "int8")")->precision, runtime::Precision::kInt8);
  const auto unknown = with(R"(, "precision": "fp16")");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().id, "Config.Invalid");
  EXPECT_NE(unknown.error().message.find(
                "member 'precision': precision 'fp16' is none of fp32, bf16, int8"),
            std::string::npos)
      << unknown.error().message;
  EXPECT_FALSE(with(R"(, "precision": 8)"));
  const auto misspelt = with(R"(, "memory_limits": 1)");
  ASSERT_FALSE(misspelt);
  EXPECT_NE(misspelt.error().fix.find("memory_limit"), std::string::npos) << misspelt.error().fix;
}

TEST_F(ConfigTest, AScriptHasBoundsOfItsOwn) {
  const auto refused = Read(R"({"script": {"entry": "/a/score.py"}, "time_limit": 1})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Config.Invalid");
  EXPECT_NE(refused.error().fix.find("WORKER_TIMEOUT"), std::string::npos);
}

TEST_F(ConfigTest, RootIsPutBeforeAbsolutePathsOnce) {
  EXPECT_EQ(Rooted("/a/b", "/root"), "/root/a/b");
  EXPECT_EQ(Rooted("/root/a", "/root"), "/root/a");
  EXPECT_EQ(Rooted("/rootless/a", "/root"), "/root/rootless/a");
  EXPECT_EQ(Rooted("a", "/root"), "a");
  EXPECT_EQ(Rooted("/a", ""), "/a");
}

TEST_F(ConfigTest, FindsTheOneModelFile) {
  Touch("one/m.onnx");
  Touch("two/a.onnx");
  Touch("two/b.onnx");
  Touch("deep/folder/m.onnx");
  EXPECT_EQ(*ModelFile(folder_ / "one"), folder_ / "one/m.onnx");
  EXPECT_EQ(*ModelFile(folder_ / "deep"), folder_ / "deep/folder/m.onnx");
  EXPECT_EQ(ModelFile(folder_ / "two").error().id, "Model.FileAmbiguous");
  EXPECT_EQ(ModelFile(folder_ / "none").error().id, "Model.FileMissing");
}

TEST_F(ConfigTest, ModelFolderHoldsOneModelOrSeveral) {
  Touch("azureml-models/digits/2/m.onnx");
  auto one = FindModels(folder_ / "azureml-models/digits/2");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->at(0).name, "digits");
  EXPECT_EQ(one->at(0).version, "2");
  Touch("azureml-models/faces/1/model/f.onnx");
  auto all = FindModels(folder_ / "azureml-models");
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(1).name, "faces");
  EXPECT_EQ(FindModels(folder_ / "none").error().id, "Model.FileMissing");
}

TEST_F(ConfigTest, EnvironmentIsChecked) {
  std::map<std::string, std::string> variables = {{"SCORING_TIMEOUT_MS", "250"},
                                                  {"SERVICE_NAME", "digits"},
                                                  {"SERVICE_PATH_PREFIX", "api/v1/"}};
  auto get = [&](const char* name) -> const char* {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  auto environment = ReadEnvironment(get);
  ASSERT_TRUE(environment);
  EXPECT_EQ(environment->scoring_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(environment->service_name, "digits");
  EXPECT_EQ(environment->path_prefix, "/api/v1");
  for (const char* bad : {"0", "-5", "1s", "abc"}) {
    variables["SCORING_TIMEOUT_MS"] = bad;
    EXPECT_FALSE(ReadEnvironment(get)) << bad;
  }
}

TEST_F(ConfigTest, TheEnvironmentBoundsTheMemoryOfModels) {
  std::string value;
  auto get = [&](const char* name) -> const char* {
    return std::string_view(name) == "SLIPWAY_MODEL_MEMORY_MB" ? value.c_str() : nullptr;
  };
  EXPECT_EQ(ReadEnvironment(get)->model_memory_bytes, 0);
  value = "300";
  EXPECT_EQ(ReadEnvironment(get)->model_memory_bytes, 300 << 20);
  for (const char* bad : {"-1", "1G", "1.5", "99999999999999999999", "2000000000000"}) {
    value = bad;
    const auto refused = ReadEnvironment(get);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().message.find("SLIPWAY_MODEL_MEMORY_MB"), std::string::npos);
  }
}

}  // namespace
}  // namespace slipway::server
