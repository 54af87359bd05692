// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/docker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/support/image_fixture.h"
#include "tests/support/tempdir.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(DockerConfig, ReadsLogins) {
  const std::string config = R"({"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"},
    "r.example.com": {"auth": "cm9ib3Q6cDpzcw=="}, "t.example.com": {"identitytoken": "i"},
    "e.example.com": {}}})";
  EXPECT_EQ(ReadDockerConfig(config, "docker.io")->login.username, "u");
  EXPECT_EQ(ReadDockerConfig(config, "r.example.com")->login.password, "p:ss");
  EXPECT_EQ(ReadDockerConfig(config, "t.example.com")->login.identity_token, "i");
  EXPECT_EQ(ReadDockerConfig(config, "e.example.com")->login.username, "");
  EXPECT_EQ(ReadDockerConfig(config, "other.example.com")->login.username, "");
  EXPECT_EQ(ReadDockerConfig("{}", "r.example.com")->login.username, "");
  EXPECT_FALSE(ReadDockerConfig("[]", "x"));
  EXPECT_FALSE(ReadDockerConfig(R"({"auths": {"x.y": {"auth": "!"}}})", "x.y"));
}

TEST(DockerConfig, NamesTheHelperOfAHost) {
  const std::string config = R"({"credsStore": "pass", "credHelpers": {
    "123.dkr.ecr.example.com": "ecr-login", "https://gcr.example.com": "gcr"}})";
  EXPECT_EQ(ReadDockerConfig(config, "r.example.com")->helper, "pass");
  EXPECT_EQ(ReadDockerConfig(config, "r.example.com")->server, "r.example.com");
  EXPECT_EQ(ReadDockerConfig(config, "123.dkr.ecr.example.com")->helper, "ecr-login");
  EXPECT_EQ(ReadDockerConfig(config, "gcr.example.com")->helper, "gcr");
  EXPECT_EQ(ReadDockerConfig(config, "gcr.example.com")->server, "https://gcr.example.com");
  EXPECT_EQ(ReadDockerConfig(config, "docker.io")->server, "https://index.docker.io/v1/");
  for (const char* bad : {R"({"credsStore": "../../bin/sh"})", R"({"credsStore": "a b"})",
                          R"({"credsStore": 7})", R"({"credHelpers": {"r.example.com": []}})"}) {
    const auto read = ReadDockerConfig(bad, "r.example.com");
    ASSERT_FALSE(read.has_value()) << bad;
    EXPECT_EQ(read.error().id, "Registry.Config");
  }
}

/// A PATH with helpers of the test's own, and a home with a configuration.
class Helper : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "bin");
    fs::create_directories(folder_ / "home/.docker");
    const std::string before = std::getenv("PATH");
    ::setenv("PATH", (folder_ / "bin").string().append(":").append(before).c_str(), 1);
    path_before_ = before;
    environment_ = {"PATH=" + before, "HOME=" + (folder_ / "home").string(), "FLAVOUR=vanilla"};
  }
  void TearDown() override { ::setenv("PATH", path_before_.c_str(), 1); }

  void Write(const std::string& name, const std::string& script) {
    const fs::path file = folder_ / "bin" / ("docker-credential-" + name);
    ASSERT_TRUE(WriteFileAtomic(file, "#!/bin/sh\n" + script, {.mode = 0755}));
  }
  void Configure(const std::string& text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / "home/.docker/config.json", text));
  }

  testing::TempDir folder_;
  std::string path_before_;
  std::vector<std::string> environment_;
};

TEST_F(Helper, IsAskedAsTheProtocolSays) {
  Write("test",
        "[ \"$1\" = get ] || exit 9\nserver=$(cat)\n"
        "echo \"{\\\"ServerURL\\\": \\\"$server\\\", \\\"Username\\\": \\\"$FLAVOUR of $server\\\","
        " \\\"Secret\\\": \\\"s3cret\\\"}\"\n");
  Configure(R"({"credsStore": "test", "auths": {"r.example.com": {"auth": "dTpw"}}})");
  const auto login = FindRegistryLogin("r.example.com", environment_);
  ASSERT_TRUE(login.has_value()) << login.error().message;
  EXPECT_EQ(login->username, "vanilla of r.example.com");
  EXPECT_EQ(login->password, "s3cret");
  EXPECT_EQ(FindRegistryLogin("docker.io", environment_)->username,
            "vanilla of https://index.docker.io/v1/");
}

TEST_F(Helper, MayGiveAToken) {
  Write("test", "cat >/dev/null; echo '{\"Username\": \"<token>\", \"Secret\": \"t0ken\"}'\n");
  const auto login = AskCredentialHelper({.name = "test", .environment = environment_}, "x");
  ASSERT_TRUE(login.has_value()) << login.error().message;
  EXPECT_EQ(login->username, "");
  EXPECT_EQ(login->identity_token, "t0ken");
}

TEST_F(Helper, ThatKnowsNothingLeavesItToTheFile) {
  Write("test", "echo 'credentials not found in native keychain'; exit 1\n");
  Configure(R"({"credsStore": "test", "auths": {"r.example.com": {"auth": "dTpw"}}})");
  EXPECT_EQ(FindRegistryLogin("r.example.com", environment_)->username, "u");
  const auto nobody = FindRegistryLogin("other.example.com", environment_);
  ASSERT_TRUE(nobody.has_value()) << nobody.error().message;
  EXPECT_EQ(nobody->username, "");
}

TEST_F(Helper, ThatFailsIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"echo 'pass not initialized'; exit 1\n", "ended with status 1: pass not initialized"},
      {"echo 'Secret: hunter2'\n", "answered no JSON of a login"},
      {"echo '{\"Username\": 7}'\n", "answered no JSON of a login"},
      {"sleep 60\n", "did not answer within 300 ms"},
      {"kill -9 $$\n", "ended with status 137"},
  };
  for (const auto& [script, why] : cases) {
    Write("test", script);
    const auto login = AskCredentialHelper(
        {.name = "test", .environment = environment_, .timeout = std::chrono::milliseconds(300)},
        "r.example.com");
    ASSERT_FALSE(login.has_value()) << script;
    EXPECT_EQ(login.error().id, "Registry.CredentialHelper");
    EXPECT_THAT(login.error().message, HasSubstr(why));
    EXPECT_THAT(login.error().message, Not(HasSubstr("hunter2")));
  }
  Configure(R"({"credsStore": "absent"})");
  const auto login = FindRegistryLogin("r.example.com", environment_);
  ASSERT_FALSE(login.has_value());
  EXPECT_THAT(login.error().message, HasSubstr("docker-credential-absent"));
  EXPECT_THAT(login.error().message, HasSubstr("is not installed"));
}

TEST(RegistryTrust, ReadsWhatIsThereForTheHost) {
  const testing::TempDir folder;
  const std::vector<fs::path> folders = {folder / "a", folder / "b"};
  fs::create_directories(folder / "a/r.example.com:5000");
  fs::create_directories(folder / "b/r.example.com:5000");
  const auto pem = [](const std::string& what, const std::string& text) {
    return "-----BEGIN " + what + "-----\n" + text + "\n-----END " + what + "-----\n";
  };
  const auto write = [&](const char* name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomic(folder / name, text));
  };
  write("a/r.example.com:5000/ca.crt", pem("CERTIFICATE", "one"));
  write("b/r.example.com:5000/other.crt", pem("CERTIFICATE", "two"));
  write("b/r.example.com:5000/client.cert", pem("CERTIFICATE", "mine"));
  write("b/r.example.com:5000/client.key", pem("EC PRIVATE KEY", "secret"));
  write("b/r.example.com:5000/notes.txt", "no PEM");
  const auto trust = FindRegistryTrust("r.example.com:5000", folders);
  ASSERT_TRUE(trust.has_value()) << trust.error().message;
  EXPECT_THAT(trust->ca_pem, HasSubstr("one"));
  EXPECT_THAT(trust->ca_pem, HasSubstr("two"));
  EXPECT_THAT(trust->certificate_pem, HasSubstr("mine"));
  EXPECT_THAT(trust->key_pem, HasSubstr("secret"));
  EXPECT_EQ(FindRegistryTrust("r.example.com", folders)->ca_pem, "");
  EXPECT_EQ(FindRegistryTrust("..", folders)->ca_pem, "");
  write("a/r.example.com:5000/bad.crt", "no PEM");
  const auto bad = FindRegistryTrust("r.example.com:5000", folders);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().id, "Registry.Certificate");
  EXPECT_THAT(bad.error().message, HasSubstr("bad.crt"));
}

}  // namespace
}  // namespace slipway::imagebuilder
