// SPDX-License-Identifier: Apache-2.0
#include "deployer/docker/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "deployer/docker/engine.h"
#include "deployer/docker/stream.h"
#include "deployer/log_line.h"
#include "tests/support/swagger.h"

namespace slipway::deployer {
namespace {

DeploySpec Spec() {
  DeploySpec spec{.workspace = "My Workspace",
                  .service = "digits",
                  .revision = 3,
                  .image_reference = "digits:1",
                  .image_digest = "sha256:" + std::string(64, 'a'),
                  .environment = {"A=1"}};
  spec.deployment = DefaultDeployment("docker");
  return spec;
}

TEST(DockerContainer, BodyIsWhatTheSpecSays) {
  DeploySpec spec = Spec();
  spec.deployment.cpu_cores = 1.5;
  spec.deployment.memory_gb = 0.5;
  spec.deployment.docker.read_only = true;
  spec.deployment.docker.log_megabytes = 10;
  const Json body = ContainerBody(spec, {.state = "st", .port = 21'000});
  EXPECT_EQ(body["Image"], "slipway/digits:" + std::string(64, 'a'));
  EXPECT_EQ(body["Cmd"], Json({"--listen", "0.0.0.0:5001", "--threads", "2"}));
  EXPECT_EQ(body["HostConfig"]["NanoCpus"], 1'500'000'000);
  EXPECT_EQ(body["HostConfig"]["Memory"], 536'870'912);
  EXPECT_EQ(body["HostConfig"]["MemorySwap"], 536'870'912);
  EXPECT_EQ(body["HostConfig"]["ReadonlyRootfs"], true);
  EXPECT_TRUE(body["HostConfig"]["Tmpfs"].contains("/tmp"));
  EXPECT_EQ(body["HostConfig"]["SecurityOpt"], Json({"no-new-privileges"}));
  EXPECT_EQ(body["HostConfig"]["PidsLimit"], 1024);
  EXPECT_EQ(body["HostConfig"]["LogConfig"]["Config"]["max-size"], "5120k");
  EXPECT_EQ(body["HostConfig"]["PortBindings"]["5001/tcp"][0]["HostPort"], "21000");
  EXPECT_EQ(body["Labels"]["io.slipway.workspace"], "My Workspace");
  EXPECT_EQ(body["Labels"]["io.slipway.revision"], "3");
  spec.deployment.docker.network = "host";
  const Json on_host = ContainerBody(spec, {.state = "st", .port = 21'000});
  EXPECT_EQ(on_host["Cmd"][1], "127.0.0.1:21000");
  EXPECT_FALSE(on_host["HostConfig"].contains("PortBindings"));
  EXPECT_FALSE(on_host.contains("ExposedPorts"));
}

/// Both published versions of the API know every member that is sent.
TEST(DockerContainer, BodyIsValid) {
  DeploySpec spec = Spec();
  spec.deployment.cpu_cores = 1.5;
  spec.deployment.memory_gb_limit = 2;
  spec.deployment.gpu_cores = 1;
  spec.deployment.docker.user = "1000:1000";
  spec.deployment.docker.read_only = true;
  for (const char* version : {"1.41", "1.47"}) {
    const auto schema = testing::Swagger::Load(std::string(SLIPWAY_SOURCE_DIR) +
                                               "/../shared/spec/docker/v" + version + ".yaml");
    if (!schema) GTEST_SKIP() << "../shared/spec/docker is not there";
    const std::string base = std::string("/v") + version;
    http::Request request{.method = "POST", .target = base + "/containers/create?name=one"};
    for (const char* network : {"", "host", "blue"}) {
      spec.deployment.docker.network = network;
      request.body = DumpJson(ContainerBody(spec, {.state = "st", .port = 21'000}));
      EXPECT_EQ(schema->Violations(request, base), std::vector<std::string>{}) << version;
    }
    request.body = R"({"Image": 3, "HostConfig": {"Memori": 1}})";
    EXPECT_THAT(schema->Violations(request, base),
                ::testing::IsSupersetOf({"body.Image must be a string",
                                         "body.HostConfig.Memori is not in the schema"}));
  }
}

TEST(DockerContainer, DigestTellsWhatRunsTheSame) {
  const DeploySpec spec = Spec();
  DeploySpec other = spec;
  other.revision = 4;
  EXPECT_EQ(SpecDigest(spec), SpecDigest(other));
  other.deployment.primary_key = "12345678";
  other.deployment.auth_enabled = true;
  EXPECT_NE(SpecDigest(spec), SpecDigest(other));
  other = spec;
  other.image_digest.back() = 'b';
  EXPECT_NE(SpecDigest(spec), SpecDigest(other));
}

TEST(DockerContainer, NamesAreOnesThatTheEngineTakes) {
  EXPECT_EQ(ContainerName(Spec(), "st", "ab"), "slipway-st-my-workspace-digits-3-ab");
  DeploySpec odd = Spec();
  odd.workspace = "---";
  odd.image_reference = "Ä_B:7";
  EXPECT_EQ(ContainerName(odd, "st", "ab"), "slipway-st-x-digits-3-ab");
  EXPECT_EQ(NameInEngine(odd).repository, "slipway/b");
}

TEST(DockerEngineHost, IsReadOrRefused) {
  const auto unix_host = ParseEngineHost("unix:///var/run/docker.sock");
  ASSERT_TRUE(unix_host);
  EXPECT_EQ(unix_host->unix_socket, "/var/run/docker.sock");
  EXPECT_EQ(unix_host->host, "127.0.0.1");
  const auto tcp = ParseEngineHost("tcp://10.0.0.5:2375");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->url, "http://10.0.0.5:2375");
  EXPECT_EQ(tcp->host, "10.0.0.5");
  EXPECT_EQ(ParseEngineHost("tcp://[::1]:2375")->host, "[::1]");
  for (const char* wrong : {"", "unix://", "ssh://a", "tcp://", "http://a/b", "tcp://a@b"}) {
    EXPECT_EQ(ParseEngineHost(wrong).error().id, "Docker.Host") << wrong;
  }
}

TEST(DockerStream, TakesFramesApart) {
  const std::string out{"\1\0\0\0\0\0\0\3one", 11}, err{"\2\0\0\0\0\0\0\4two\n", 12};
  EXPECT_EQ(DockerLogText(out + err), "onetwo\n");
  EXPECT_EQ(DockerLogText("plain text\n"), "plain text\n");
  EXPECT_EQ(DockerLogText(""), "");
  EXPECT_EQ(DockerLogText(out + err.substr(0, 10)), "onetw");
  EXPECT_EQ(DockerLogText(std::string("\1\0\0\0\xff\xff\xff\xff"
                                      "ab",
                                      10)),
            "ab");
  EXPECT_EQ(DockerLogText(out + "rest"), "one");
}

TEST(DockerStream, FindsErrorsInAnswersThatBeganWell) {
  EXPECT_EQ(ReadImageProgress("{\"stream\":\"Loaded image: a:1\\n\"}\n").image, "a:1");
  EXPECT_EQ(ReadImageProgress("{\"stream\":\"Loaded image ID: sha256:ab\\n\"}").image, "sha256:ab");
  const auto failed =
      ReadImageProgress("{\"status\":\"x\"}\n{\"error\":\"one\"}\n{\"error\":\"two\"}");
  EXPECT_EQ(failed.error, "one");
  EXPECT_EQ(ReadImageProgress("no json\n[]\n7\n").error, "");
}

TEST(LogLine, IsTheOneThatMatters) {
  EXPECT_EQ(LineThatMatters("start\nTraceback (most recent call last):\n  File \"a.py\", line 1\n"
                            "    init()\nValueError: no model\nbye\n"),
            "ValueError: no model");
  EXPECT_EQ(LineThatMatters("a\nerror: first\nerror: second\n"), "error: first");
  EXPECT_EQ(LineThatMatters("a\nb\n\n"), "b");
  EXPECT_EQ(LineThatMatters(""), "");
  EXPECT_EQ(LineThatMatters("\x1b[31mFatal\x1b[0m: it\x01 broke\r\n"), "Fatal: it broke");
  EXPECT_EQ(LineThatMatters("error \xc3\xa4\xc3\xa4", 7), "error ");
  EXPECT_EQ(LineThatMatters("Traceback (most recent call last):\n  cut off"), "cut off");
}

}  // namespace
}  // namespace slipway::deployer
