// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "base/file.h"
#include "deployer/kubernetes/exec.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kTwo = R"(
apiVersion: v1
kind: Config
current-context: lab
clusters:
- name: lab
  cluster: {server: "https://10.0.0.1:6443/", certificate-authority: ca.crt}
- name: bench
  cluster: {server: "https://bench:6443", insecure-skip-tls-verify: true, tls-server-name: api}
users:
- {name: me, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}
- {name: robot, user: {tokenFile: token}}
contexts:
- {name: lab, context: {cluster: lab, user: me, namespace: team}}
- {name: bench, context: {cluster: bench, user: robot}}
)";

class KubernetesConfig : public ::testing::Test {
 protected:
  fs::path Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(MakeFolders((folder_ / name).parent_path()));
    EXPECT_TRUE(WriteFileAtomic(folder_ / name, text));
    return folder_ / name;
  }
  Result<KubeAccess> Find(KubeSource source) {
    source.environment = [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    };
    source.service_account = folder_ / "account";
    return FindKubeAccess(source);
  }
  std::string WhyNot(const std::string& text) {
    const auto access = Find({.kubeconfig = Write("bad", text)});
    if (access) return "";
    EXPECT_EQ(access.error().id, "Service.ClusterConfig");
    return access.error().message;
  }

  testing::TempDir folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(KubernetesConfig, ReadsTheCurrentContextWithItsFiles) {
  Write("ca.crt", "AUTHORITY");
  const auto access = Find({.kubeconfig = Write("config", kTwo)});
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://10.0.0.1:6443");
  EXPECT_EQ(access->default_namespace, "team");
  EXPECT_EQ(access->ca_pem, "AUTHORITY");
  EXPECT_EQ(access->certificate_pem, "CERT");
  EXPECT_EQ(access->key_pem, "KEY");
  EXPECT_FALSE(access->insecure);
}

TEST_F(KubernetesConfig, AnotherContextIsTakenByName) {
  const auto access = Find({.kubeconfig = Write("config", kTwo), .context = "bench"});
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_TRUE(access->insecure);
  EXPECT_EQ(access->tls_server_name, "api");
  EXPECT_EQ(access->token_file, folder_ / "token");
  EXPECT_EQ(access->default_namespace, "default");
}

TEST_F(KubernetesConfig, AListOfFilesIsMergedAndTheFirstWins) {
  const fs::path one = Write("a/one",
                             "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: "
                             "u}}]\nusers: [{name: u, user: {token: first}}]\n");
  const fs::path two = Write("b/two",
                             "current-context: y\nusers: [{name: u, user: {token: second}}]\n"
                             "clusters: [{name: c, cluster: {server: \"https://c\"}}]\n");
  environment_["KUBECONFIG"] =
      one.string() + ":" + (folder_ / "none").string() + ":" + two.string();
  const auto access = Find({});
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->token, "first");
  EXPECT_EQ(access->server, "https://c");
}

TEST_F(KubernetesConfig, LooksAtHomeAndThenForAServiceAccount) {
  EXPECT_THAT(Find({}).error().message, HasSubstr("KUBECONFIG"));
  environment_["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  environment_["KUBERNETES_SERVICE_PORT"] = "443";
  EXPECT_FALSE(Find({}));
  Write("account/ca.crt", "CA");
  Write("account/namespace", "here\n");
  auto access = Find({});
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_TRUE(access->in_cluster);
  EXPECT_EQ(access->server, "https://[fd00::1]:443");
  EXPECT_EQ(access->default_namespace, "here");
  EXPECT_EQ(access->token_file, folder_ / "account/token");
  environment_["HOME"] = folder_.path();
  Write(".kube/config",
        "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
        "clusters: [{name: c, cluster: {server: \"https://home\"}}]\n");
  access = Find({});
  ASSERT_TRUE(access);
  EXPECT_EQ(access->server, "https://home");
}

TEST_F(KubernetesConfig, SaysWhatIsWrong) {
  EXPECT_THAT(WhyNot("a: ["), HasSubstr("line"));
  EXPECT_THAT(WhyNot("- 1\n"), HasSubstr("no map"));
  EXPECT_THAT(WhyNot("clusters: []\n"), HasSubstr("current-context"));
  EXPECT_THAT(WhyNot("current-context: x\ncontexts: [{name: y, context: {cluster: c}}]\n"),
              AllOf(HasSubstr("'x'"), HasSubstr("contexts: y")));
  EXPECT_THAT(WhyNot("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"),
              HasSubstr("cluster 'c'"));
  const std::string head =
      "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n";
  const std::string cluster = "clusters: [{name: c, cluster: {server: \"https://c\"}}]\n";
  EXPECT_THAT(WhyNot(head + cluster), HasSubstr("user 'u'"));
  EXPECT_THAT(
      WhyNot(head + "users: [{name: u, user: {}}]\nclusters: [{name: c, cluster: {server: c}}]\n"),
      HasSubstr("'c'"));
  const auto user = [&](const std::string& fields) {
    return WhyNot(head + cluster + "users: [{name: u, user: {" + fields + "}}]\n");
  };
  EXPECT_THAT(user("client-certificate-data: '%%'"), HasSubstr("base64"));
  EXPECT_THAT(user("client-certificate-data: Q0VSVA=="), HasSubstr("need each other"));
  EXPECT_THAT(user("client-certificate: none, client-key: none"), HasSubstr("none"));
  EXPECT_THAT(user("auth-provider: {name: gcp}"), HasSubstr("auth-provider"));
  EXPECT_THAT(user("as: root"), HasSubstr("'as'"));
  EXPECT_THAT(user("exec: {command: x, apiVersion: v0}"), HasSubstr("apiVersion"));
  EXPECT_THAT(user("exec: {apiVersion: client.authentication.k8s.io/v1}"), HasSubstr("no command"));
  EXPECT_EQ(user("token: t"), "");
}

TEST_F(KubernetesConfig, RunsNoProgramOutOfAFileThatOthersMayWrite) {
  const fs::path file = Write(
      "config",
      "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
      "clusters: [{name: c, cluster: {server: \"https://c\"}}]\nusers: [{name: u, user: "
      "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [a]}}}]\n");
  const auto access = Find({.kubeconfig = file});
  ASSERT_TRUE(access) << access.error().message;
  ASSERT_TRUE(access->exec);
  EXPECT_EQ(access->exec->command, (folder_ / "./login").string());
  ASSERT_EQ(::chmod(file.c_str(), 0664), 0);
  EXPECT_THAT(Find({.kubeconfig = file}).error().message, HasSubstr("not run"));
}

class KubernetesExec : public KubernetesConfig {
 protected:
  Result<KubeCredential> Run(const std::string& script, int timeout_ms = 5000) {
    const KubeExec plugin{.api_version = "client.authentication.k8s.io/v1",
                          .command = "/bin/sh",
                          .install_hint = {},
                          .arguments = {"-c", script},
                          .environment = {{"WHO", "me"}},
                          .wants_cluster = true};
    return RunKubeExec({.origin = "o", .server = "https://c"}, plugin,
                       std::chrono::milliseconds(timeout_ms));
  }
};

TEST_F(KubernetesExec, GivesWhatTheProgramPrints) {
  const auto made = Run(R"(case "$KUBERNETES_EXEC_INFO" in *https://c*) ;; *) exit 9 ;; esac; )"
                        R"(echo "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t-$WHO\",)"
                        R"(\"expirationTimestamp\":\"2026-01-01T00:00:00Z\"}}")");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->token, "t-me");
  EXPECT_TRUE(made->expires);
}

TEST_F(KubernetesExec, SaysWhyThereIsNoCredential) {
  EXPECT_THAT(Run("echo one >&2; echo please log in >&2; exit 1").error().message,
              HasSubstr("please log in"));
  EXPECT_THAT(Run("echo hello").error().message, HasSubstr("/bin/sh"));
  EXPECT_THAT(Run("echo '{\"kind\":\"ExecCredential\",\"status\":{}}'").error().message,
              HasSubstr("no credential"));
  EXPECT_THAT(Run("sleep 30", 100).error().message, HasSubstr("100 ms"));
  EXPECT_THAT(Run("exec >/dev/null 2>&1; sleep 30", 100).error().message, HasSubstr("100 ms"));
  EXPECT_EQ(Run("exit 1").error().id, "Service.Unauthorized");
  const auto none = RunKubeExec({}, {.command = "/no/such"}, std::chrono::milliseconds(1000));
  EXPECT_THAT(none.error().message, HasSubstr("/no/such"));
}

}  // namespace
}  // namespace slipway::deployer
