// SPDX-License-Identifier: Apache-2.0
#include "cli/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "tests/support/tempdir.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

void Write(const fs::path& file, const std::string& text) {
  ASSERT_TRUE(MakeFolders(file.parent_path()));
  ASSERT_TRUE(WriteFileAtomic(file, text));
}

class SettingsTest : public ::testing::Test {
 protected:
  Result<Connection> Find() { return FindConnection(globals_, environment_, below_); }
  void WriteEndpoint(const std::string& text) { Write(state_ / "run" / "endpoint.json", text); }

  testing::TempDir folder_;
  const fs::path below_ = folder_ / "project" / "src";
  const fs::path state_ = folder_ / "state";
  Globals globals_;
  Environment environment_ = {{"SLIPWAY_STATE", state_.string()}};
};

TEST_F(SettingsTest, StateFolderIsTheOptionThenTheVariableThenTheDataFolder) {
  globals_.state = "/given";
  EXPECT_EQ(*StateFolder(globals_, environment_), "/given");
  globals_.state = "";
  EXPECT_EQ(*StateFolder(globals_, environment_), state_);
  EXPECT_EQ(*StateFolder({}, {{"XDG_DATA_HOME", "/data"}, {"HOME", "/home/u"}}), "/data/slipway");
  EXPECT_EQ(*StateFolder({}, {{"XDG_DATA_HOME", "relative"}, {"HOME", "/home/u"}}),
            "/home/u/.local/share/slipway");
  EXPECT_EQ(StateFolder({}, {}).error().id, "State.Unknown");
}

TEST_F(SettingsTest, NearestConfigWinsAndAzuremlGoesBeforeTheOthers) {
  ASSERT_TRUE(MakeFolders(below_));
  EXPECT_FALSE(FindConfig(below_)->has_value());
  Write(folder_ / "project/config.json", R"({"workspace_name": "plain"})");
  EXPECT_EQ((*FindConfig(below_))->workspace_name, "plain");
  Write(folder_ / "project/aml_config/config.json", R"({"workspace_name": "old"})");
  EXPECT_EQ((*FindConfig(below_))->workspace_name, "old");
  Write(folder_ / "project/.azureml/config.json", R"({"workspace_name": "new"})");
  EXPECT_EQ((*FindConfig(below_))->workspace_name, "new");
  Write(below_ / "config.json", R"({"workspace_name": "nearest"})");
  EXPECT_EQ((*FindConfig(below_))->workspace_name, "nearest");
}

TEST_F(SettingsTest, SomebodyElsesPlainConfigIsPassedOver) {
  Write(below_ / "config.json", R"({"hidden_size": 768})");
  Write(folder_ / "project/.azureml/config.json", R"({"workspace_name": "above"})");
  EXPECT_EQ((*FindConfig(below_))->workspace_name, "above");
}

TEST_F(SettingsTest, BrokenWorkspaceFileIsNamed) {
  Write(below_ / ".azureml/config.json", "{");
  const auto config = FindConfig(below_);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().id, "Config.Invalid");
  EXPECT_NE(config.error().message.find(".azureml/config.json"), std::string::npos);
}

TEST_F(SettingsTest, OptionsGoBeforeVariablesBeforeTheFile) {
  Write(below_ / ".azureml/config.json",
        R"({"workspace_name": "file", "endpoint": "https://file.example/", "token_file": "t"})");
  Write(below_ / ".azureml/t", "file-token\n");
  auto found = Find();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->workspace, "file");
  EXPECT_EQ(found->base_url, "https://file.example");
  EXPECT_EQ(found->token, "file-token");

  environment_["SLIPWAY_WORKSPACE"] = "variable";
  environment_["SLIPWAY_ENDPOINT"] = "http://variable:1";
  found = Find();
  EXPECT_EQ(found->workspace, "variable");
  EXPECT_EQ(found->base_url, "http://variable:1");
  EXPECT_EQ(found->token, "") << "the file's token is for the file's endpoint only";

  globals_ = {.output = "",
              .workspace = "option",
              .endpoint = "127.0.0.1:9",
              .token = "secret",
              .state = ""};
  found = Find();
  EXPECT_EQ(found->workspace, "option");
  EXPECT_EQ(found->base_url, "http://127.0.0.1:9");
  EXPECT_EQ(found->token, "secret");
}

TEST_F(SettingsTest, LocalServiceIsUsedWhileItRunsAndItsTokenGoesNowhereElse) {
  ASSERT_TRUE(MakeFolders(below_));
  EXPECT_EQ(Find().error().id, "Service.NotRunning");
  WriteEndpoint(R"({"address": "http://127.0.0.1:4711", "pid": 1, "start_ticks": 1})");
  EXPECT_EQ(Find().error().id, "Service.NotRunning") << "another process has that pid now";

  const auto self = Spawn({.argv = {"/bin/sleep", "30"}, .environment = {}});
  ASSERT_TRUE(self) << self.error().message;
  WriteEndpoint(R"({"address": "http://127.0.0.1:4711", "pid": )" + std::to_string(self->pid) +
                R"(, "start_ticks": )" + std::to_string(self->start_ticks) + "}");
  Write(state_ / "admin.token", "local-token\n");
  const auto found = Find();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->base_url, "http://127.0.0.1:4711");
  EXPECT_EQ(found->token, "local-token");
  EXPECT_EQ(found->workspace, "default");

  globals_.endpoint = "http://elsewhere:4711";
  EXPECT_EQ(Find()->token, "");
  EXPECT_TRUE(Terminate(*self, std::chrono::seconds(5)));
}

TEST_F(SettingsTest, DamagedEndpointFileIsNamed) {
  WriteEndpoint(R"({"address": 1})");
  const auto found = Find();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().id, "State.Damaged");
  EXPECT_NE(found.error().message.find("endpoint.json"), std::string::npos);
}

TEST_F(SettingsTest, WhatIsNoTokenIsNotSent) {
  Write(folder_ / "key", "-----BEGIN PRIVATE KEY-----\nabc\n");
  EXPECT_EQ(ReadToken(folder_ / "key").error().id, "Token.Invalid");
  Write(folder_ / "empty", "\n");
  EXPECT_EQ(ReadToken(folder_ / "empty").error().id, "Token.Invalid");
  EXPECT_EQ(ReadToken(folder_ / "absent").error().code, Code::kNotFound);
}

TEST(UseAddressTest, UnderstandsUnixSocketsAddressesAndUrls) {
  Connection connection;
  UseAddress(connection, "unix:/run/s");
  EXPECT_EQ(connection.unix_socket, "/run/s");
  UseAddress(connection, "[::1]:80");
  EXPECT_EQ(connection.base_url, "http://[::1]:80");
  UseAddress(connection, "https://h/base//");
  EXPECT_EQ(connection.base_url, "https://h/base");
}

}  // namespace
}  // namespace slipway::cli
