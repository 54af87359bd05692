// SPDX-License-Identifier: Apache-2.0
/// Promotions with the real scoring server: gates, roll-back, approval, and the record of it all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/digest.h"
#include "base/json.h"
#include "imagebuilder/imagebuilder.h"
#include "tests/workspace/daemon.h"

namespace slipway::workspace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kBase = "/api/v1/workspaces/lab";

class Promoting : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(ServeProgram())) GTEST_SKIP() << "slipway-serve is not built";
    ASSERT_TRUE(running_.ok());
    ASSERT_EQ(Ask("POST", "/api/v1/workspaces", R"({"name": "lab"})").status, 201);
  }

  http::Response Ask(const std::string& method, const std::string& path, std::string body = {},
                     const std::string& token = "") {
    http::Request request{.method = method, .target = path, .body = std::move(body)};
    request.headers.Set("Authorization",
                        "Bearer " + (token.empty() ? running_.workspace().token() : token));
    auto response = running_.Send(request);
    EXPECT_TRUE(response) << path;
    return response ? *std::move(response) : http::Response{.status = 0};
  }
  Json Get(const std::string& path) {
    const auto json = ParseJson(Ask("GET", kBase + path).body);
    return json ? *json : Json::object();
  }

  /// `y = OP(x, x)`, with a golden sample that says what 3 and 4 give, if any.
  std::string Register(const std::string& op, const std::vector<float>& golden) {
    std::map<std::string, std::string> contents = {
        {"m.onnx", testing::MakeTinyOnnx({.op_type = op})}};
    if (!golden.empty()) {
      contents["test_data_set_0/input_0.pb"] = testing::MakeTinyTensor({1, 2}, {3, 4});
      contents["test_data_set_0/output_0.pb"] = testing::MakeTinyTensor({1, 2}, golden);
    }
    Json files = Json::array();
    for (const auto& [path, content] : contents) {
      const std::string digest = Digest::OfText(content).text();
      const int status = Ask("PUT", std::string(kBase) + "/blobs/" + digest, content).status;
      EXPECT_TRUE(status == 200 || status == 201) << status;
      files.push_back({{"path", path}, {"digest", digest}});
    }
    const auto made =
        Ask("POST", std::string(kBase) + "/models", DumpJson({{"name", "calc"}, {"files", files}}));
    EXPECT_EQ(made.status, 201) << made.body;
    const auto json = ParseJson(made.body);
    return json ? json->value("id", "") : "";
  }

  void SetEnvironment(const Json& settings, const std::string& name = "prod") {
    const auto put = Ask("PUT", std::string(kBase) + "/environments/" + name, DumpJson(settings));
    EXPECT_TRUE(put.status == 200 || put.status == 201) << put.body;
  }

  http::Response Request(const std::string& model, const std::string& token = "",
                         const std::string& environment = "prod") {
    return Ask("POST", std::string(kBase) + "/promotions",
               DumpJson({{"model", model}, {"environment", environment}, {"note", "a test"}}),
               token);
  }

  /// Waits for the promotion that an answer tells of.
  Json Await(const http::Response& answer) {
    const auto told = ParseJson(answer.body);
    EXPECT_TRUE(told && told->contains("id")) << answer.body;
    if (!told) return Json::object();
    const std::string path = "/promotions/" + told->value("id", "");
    for (int i = 0; i < 6'000; ++i) {
      Json now = Get(path);
      if (!now.value("ended_time", "").empty()) return now;
      std::this_thread::sleep_for(milliseconds(10));
    }
    ADD_FAILURE() << "the promotion does not end";
    return Json::object();
  }

  static std::map<std::string, std::string> Steps(const Json& promotion) {
    std::map<std::string, std::string> steps;
    for (const Json& item : promotion.value("evidence", Json::array())) {
      steps[item.value("step", "")] = item.value("state", "");
    }
    return steps;
  }

  static Json EvidenceOf(const Json& promotion, const std::string& step) {
    for (const Json& item : promotion.value("evidence", Json::array())) {
      if (item.value("step", "") == step) return item;
    }
    return Json::object();
  }

  std::string Score() {
    http::Request request{.method = "POST",
                          .target = std::string(kBase) + "/services/calc-prod/score",
                          .body = R"({"data": [[3, 4]]})"};
    request.headers.Set("Authorization", "Bearer " + running_.workspace().token());
    request.headers.Set("Content-Type", "application/json");
    const auto answer = running_.Send(request);
    return answer ? answer->body : "";
  }

  std::string MakeToken(const std::string& name, const std::string& role) {
    const auto made =
        Ask("POST", std::string(kBase) + "/tokens", DumpJson({{"name", name}, {"role", role}}));
    EXPECT_EQ(made.status, 201) << made.body;
    const auto json = ParseJson(made.body);
    return json ? json->value("token", "") : "";
  }

  static Json AllGates() { return {{"gates", {"samples", "verify", "endpoint"}}}; }

  testing::TempDir folder_;
  RunningWorkspace running_{folder_ / "state"};
};

TEST_F(Promoting, PassesItsGatesDeploysAndMovesTheAlias) {
  SetEnvironment(AllGates());
  const std::string one = Register("Add", {6, 8});
  const auto answer = Request(one);
  EXPECT_EQ(answer.status, 202) << answer.body;
  EXPECT_THAT(std::string(answer.headers.Get("Operation-Location")), HasSubstr("/operations/"));
  const Json done = Await(answer);
  ASSERT_EQ(done.value("state", ""), "Succeeded") << DumpJson(done);
  EXPECT_EQ(Steps(done), (std::map<std::string, std::string>{{"samples", "Passed"},
                                                             {"image", "Passed"},
                                                             {"verify", "Passed"},
                                                             {"deploy", "Passed"},
                                                             {"endpoint", "Passed"},
                                                             {"alias", "Passed"}}));
  EXPECT_EQ(done.value("requested_by", ""), "admin");
  EXPECT_EQ(done.value("note", ""), "a test");
  EXPECT_EQ(done.value("model_digest", ""), Get("/models/calc/versions/1").value("digest", "none"));
  EXPECT_EQ(done.value("image_digest", ""),
            Get("/services/calc-prod").value("image_digest", "none"));
  EXPECT_EQ(Get("/models/calc/aliases/prod").value("version", 0), 1);
  EXPECT_THAT(Score(), HasSubstr("6.0"));

  const std::string two = Register("Mul", {9, 16});
  const Json next = Await(Request(two));
  ASSERT_EQ(next.value("state", ""), "Succeeded") << DumpJson(next);
  EXPECT_EQ(next.value("previous_image", ""), done.value("image", ""));
  EXPECT_EQ(Get("/models/calc/aliases/prod").value("version", 0), 2);
  EXPECT_THAT(Score(), HasSubstr("9.0"));
  EXPECT_EQ(Get("/promotions").value("items", Json::array()).size(), 2u);
}

TEST_F(Promoting, AVersionThatAnswersWrongDoesNotGetThere) {
  SetEnvironment(AllGates());
  ASSERT_EQ(Await(Request(Register("Add", {6, 8}))).value("state", ""), "Succeeded");
  const Json failed = Await(Request(Register("Mul", {6, 8})));
  EXPECT_EQ(failed.value("state", ""), "Failed");
  EXPECT_EQ(failed.value("error_code", ""), "Service.WrongAnswers") << DumpJson(failed);
  EXPECT_EQ(Steps(failed).at("deploy"), "Failed");
  EXPECT_EQ(Get("/models/calc/aliases/prod").value("version", 0), 1) << "the alias stays";
  const Json service = Get("/services/calc-prod");
  EXPECT_EQ(service.value("state", ""), "Healthy") << DumpJson(service);
  EXPECT_EQ(service.value("image", ""), failed.value("previous_image", "none"));
  EXPECT_THAT(Score(), HasSubstr("6.0"));
}

TEST_F(Promoting, WithoutSamplesTheGateStopsItBeforeAnythingIsMade) {
  SetEnvironment(AllGates());
  const Json failed = Await(Request(Register("Add", {})));
  EXPECT_EQ(failed.value("state", ""), "Failed");
  EXPECT_EQ(failed.value("error_code", ""), "Promotion.NoSamples") << DumpJson(failed);
  EXPECT_EQ(Ask("GET", std::string(kBase) + "/services/calc-prod").status, 404);
  EXPECT_EQ(Ask("GET", std::string(kBase) + "/models/calc/aliases/prod").status, 404);
  SetEnvironment({{"gates", {"endpoint"}}});
  const Json passed = Await(Request("calc:1"));
  EXPECT_EQ(passed.value("state", ""), "Succeeded") << DumpJson(passed);
}

TEST_F(Promoting, WaitsForSomebodyElse) {
  SetEnvironment({{"gates", Json::array()}, {"approvers", {"maria", "ci"}}});
  const std::string ci = MakeToken("ci", "deployer");
  const std::string maria = MakeToken("maria", "contributor");
  const std::string paul = MakeToken("paul", "owner");
  Register("Add", {6, 8});
  const auto asked = Request("calc:1", ci);
  EXPECT_EQ(asked.status, 201) << asked.body;
  const auto waiting = ParseJson(asked.body);
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->value("state", ""), "WaitingForApproval");
  EXPECT_EQ(waiting->value("operation_id", "x"), "");
  const std::string path = std::string(kBase) + "/promotions/" + waiting->value("id", "");
  EXPECT_EQ(Ask("GET", std::string(kBase) + "/services/calc-prod").status, 404);

  const auto own = Ask("POST", path + "/approve", "{}", ci);
  EXPECT_EQ(own.status, 403) << own.body;
  EXPECT_THAT(own.body, HasSubstr("has asked for it"));
  const auto stranger = Ask("POST", path + "/approve", "{}", paul);
  EXPECT_EQ(stranger.status, 403) << stranger.body;
  EXPECT_THAT(stranger.body, HasSubstr("Promotion.NotApprover"));

  const auto agreed = Ask("POST", path + "/approve", R"({"note": "fine"})", maria);
  EXPECT_EQ(agreed.status, 202) << agreed.body;
  const Json done = Await(agreed);
  EXPECT_EQ(done.value("state", ""), "Succeeded") << DumpJson(done);
  EXPECT_EQ(done.value("requested_by", ""), "ci");
  EXPECT_EQ(done.value("decided_by", ""), "maria");
  EXPECT_EQ(Steps(done).at("approval"), "Passed");
  const auto again = Ask("POST", path + "/approve", "{}", maria);
  EXPECT_EQ(again.status, 409) << again.body;
  EXPECT_THAT(again.body, HasSubstr("Promotion.Decided"));

  const auto second = ParseJson(Request("calc:1", ci).body);
  ASSERT_TRUE(second);
  const std::string other = std::string(kBase) + "/promotions/" + second->value("id", "");
  const auto refused = Ask("POST", other + "/reject", R"({"note": "not now"})", maria);
  EXPECT_EQ(refused.status, 200) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("Rejected"));
  EXPECT_EQ(Ask("POST", other + "/approve", "{}", maria).status, 409);
}

TEST_F(Promoting, AnEnvironmentTellsNoSecrets) {
  SetEnvironment({{"deployment",
                   {{"auth_enabled", true},
                    {"primary_key", "a-very-secret-key"},
                    {"image_registry", {{"address", "reg:5000"}, {"password", "hush-hush"}}}}}});
  for (const char* path : {"/environments", "/environments/prod"}) {
    const auto answer = Ask("GET", kBase + std::string(path));
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, Not(HasSubstr("a-very-secret-key")));
    EXPECT_THAT(answer.body, Not(HasSubstr("hush-hush")));
  }
}

TEST_F(Promoting, VerifyBuildsTheImageAgainAndKeepsWhatItWasComparedTo) {
  SetEnvironment({{"gates", {"verify"}}});
  Register("Add", {});
  const Json done = Await(Request("calc:1"));
  ASSERT_EQ(done.value("state", ""), "Succeeded") << DumpJson(done);
  const Json verify = EvidenceOf(done, "verify");
  const std::string stored = Get("/services/calc-prod").value("image_digest", "none");
  EXPECT_EQ(verify.value("digest", ""), stored);
  const Json verification = verify.value("verification", Json::object());
  EXPECT_EQ(verification.value("state", ""), "verified");
  EXPECT_EQ(verification.value("digest", ""), stored) << "what was rebuilt";
  std::map<std::string, std::string> parts;
  for (const Json& part : verification.value("parts", Json::array())) {
    parts[part.value("name", "")] = part.value("state", "");
    EXPECT_EQ(part.value("digest", "a"), part.value("rebuilt_digest", "b"));
  }
  EXPECT_EQ(parts["model"], "same") << DumpJson(verification);
  EXPECT_EQ(parts["server"], "same");
  const std::string image = done.value("image", "");
  EXPECT_EQ(Get("/images/calc/versions/" + image.substr(image.find(':') + 1))
                .value("verification", Json::object())
                .value("state", ""),
            "verified")
      << "the image knows it too";
}

TEST_F(Promoting, VerifyRefusesAnImageThatItsInputsDoNotGive) {
  SetEnvironment({{"gates", {"verify"}}});
  Register("Add", {6, 8});
  ASSERT_EQ(Await(Request("calc:1")).value("state", ""), "Succeeded");
  Register("Mul", {9, 16});
  ASSERT_EQ(Await(Request("calc:2")).value("state", ""), "Succeeded");
  // The image of the first version is put in the place of the second's: each blob is whole.
  Store& store = running_.workspace().store();
  const auto first = store.GetImage("lab", {"calc", 1});
  auto second = store.GetImage("lab", {"calc", 2});
  ASSERT_TRUE(first && second);
  const auto built = imagebuilder::Load(running_.workspace().blobs(), first->digest);
  ASSERT_TRUE(built);
  second->digest = first->digest;
  second->layers.clear();
  ASSERT_TRUE(store.FinishImage("lab", *second, built->config.digest, {}));
  const Json failed = Await(Request("calc:2"));
  EXPECT_EQ(failed.value("state", ""), "Failed");
  EXPECT_EQ(failed.value("error_code", ""), "Image.Differs") << DumpJson(failed);
  EXPECT_THAT(failed.value("error", ""), HasSubstr("gate \"verify\""));
  EXPECT_EQ(Steps(failed),
            (std::map<std::string, std::string>{{"image", "Passed"}, {"verify", "Failed"}}))
      << "nothing was deployed";
  const Json verification = EvidenceOf(failed, "verify").value("verification", Json::object());
  EXPECT_EQ(verification.value("state", ""), "differs");
  EXPECT_NE(verification.value("digest", ""), first->digest) << "what was rebuilt";
  bool names_model = false;
  for (const Json& part : verification.value("parts", Json::array())) {
    const bool is_model = part.value("name", "") == "model";
    names_model = names_model || (is_model && part.value("state", "") == "differs" &&
                                  part.value("digest", "") != part.value("rebuilt_digest", ""));
  }
  EXPECT_TRUE(names_model) << DumpJson(verification);
  EXPECT_EQ(Get("/models/calc/aliases/prod").value("version", 0), 2) << "as it was";
  EXPECT_EQ(Get("/services/calc-prod").value("state", ""), "Healthy");
}

/// A scoring server of this test's own, which the workspace packs and which may become another.
class OwnServer {
 protected:
  OwnServer() {
    if (!std::filesystem::exists(ServeProgram())) return;
    std::filesystem::copy_file(ServeProgram(), program_);
    ::setenv("SLIPWAY_SERVE", program_.c_str(), 1);
  }
  ~OwnServer() { ::unsetenv("SLIPWAY_SERVE"); }
  void Upgrade() const { std::ofstream(program_, std::ios::app | std::ios::binary) << "newer"; }

 private:
  testing::TempDir place_;
  const std::filesystem::path program_ = place_ / "slipway-serve";
};
class PromotingAfterUpgrade : protected OwnServer, public Promoting {};

TEST_F(PromotingAfterUpgrade, VerifyPassesAndSaysSoVerifyExactDoesNot) {
  SetEnvironment({{"gates", Json::array()}});
  Register("Add", {});
  ASSERT_EQ(Await(Request("calc:1")).value("state", ""), "Succeeded");
  Upgrade();
  SetEnvironment({{"gates", {"verify"}}});
  const Json passed = Await(Request("calc:1"));
  ASSERT_EQ(passed.value("state", ""), "Succeeded") << DumpJson(passed);
  const Json verify = EvidenceOf(passed, "verify");
  EXPECT_EQ(verify.value("state", ""), "Passed");
  EXPECT_THAT(verify.value("detail", ""), HasSubstr("server of another build of Slipway"));
  const Json verification = verify.value("verification", Json::object());
  EXPECT_EQ(verification.value("state", ""), "other-build");
  std::map<std::string, std::string> parts;
  for (const Json& part : verification.value("parts", Json::array())) {
    parts[part.value("name", "")] = part.value("state", "");
  }
  EXPECT_EQ(parts["server"], "other-build");
  EXPECT_EQ(parts["model"], "same");
  EXPECT_EQ(parts["config"], "same");

  SetEnvironment({{"gates", {"verify-exact"}}});
  const Json failed = Await(Request("calc:1"));
  EXPECT_EQ(failed.value("state", ""), "Failed");
  EXPECT_EQ(failed.value("error_code", ""), "Image.OtherBuild") << DumpJson(failed);
  EXPECT_EQ(EvidenceOf(failed, "verify-exact").value("state", ""), "Failed");
  EXPECT_EQ(Get("/services/calc-prod").value("state", ""), "Healthy");
}

TEST_F(Promoting, ATamperedLayerIsRefusedWhateverTheGates) {
  Register("Add", {6, 8});
  SetEnvironment({{"gates", Json::array()}});
  ASSERT_EQ(Await(Request("calc:1")).value("state", ""), "Succeeded");
  const auto image = running_.workspace().store().GetImage("lab", {"calc", 1});
  ASSERT_TRUE(image);
  const auto digest = Digest::Parse(image->layers.back().digest);
  ASSERT_TRUE(digest);
  const auto blob = running_.workspace().blobs().Path(*digest);
  ASSERT_TRUE(blob);
  std::filesystem::permissions(*blob, std::filesystem::perms(0644));
  std::fstream(*blob, std::ios::in | std::ios::out | std::ios::binary).seekp(20) << "X";
  const Json failed = Await(Request("calc:1"));
  EXPECT_EQ(failed.value("state", ""), "Failed");
  EXPECT_EQ(Steps(failed), (std::map<std::string, std::string>{{"image", "Failed"}}));
  EXPECT_FALSE(failed.value("error_code", "").empty());
  EXPECT_THAT(failed.value("error", ""), HasSubstr(digest->text())) << DumpJson(failed);
  EXPECT_EQ(Get("/services/calc-prod").value("state", ""), "Healthy") << "it runs on";
  EXPECT_THAT(Score(), HasSubstr("6.0"));
}

TEST_F(Promoting, AnEnvironmentOfWhichNoGatesAreSaidAsksTheEndpoint) {
  SetEnvironment(Json::object());
  EXPECT_EQ(Get("/environments/prod").value("gates", Json()), Json::array({"endpoint"}));
  SetEnvironment({{"gates", Json::array()}});
  EXPECT_EQ(Get("/environments/prod").value("gates", Json()), Json::array());
}

/// When a daemon of its own is killed that promotes one version after the other.
struct Crash {
  std::string name;
  std::string environment;
  /// So long after each was asked for; kVerifying: once the image is about to be built again.
  std::vector<int> moments_ms;
  bool has_first = false;  ///< a version has got there before
};
constexpr int kVerifying = -1;

class PromotionCrash : public ::testing::TestWithParam<Crash> {
 protected:
  void SetUp() override {
    if (!ProgramsAreBuilt()) GTEST_SKIP() << "slipwayd or slipway-serve is not built";
    ASSERT_TRUE(daemon_.Start());
    ASSERT_TRUE(daemon_.Send("POST", "/api/v1/workspaces", R"({"name": "lab"})"));
    ASSERT_TRUE(Send("PUT", "/environments/prod", GetParam().environment));
  }
  Result<http::Response> Send(const std::string& method, const std::string& path,
                              const std::string& body) {
    return daemon_.Send(method, std::string(kBase) + path, body);
  }
  Json Get(const std::string& path) { return daemon_.Get(std::string(kBase) + path); }

  /// Where the alias points; 0 where there is none.
  int AliasVersion() {
    const auto alias = Send("GET", "/models/calc/aliases/prod", "");
    EXPECT_TRUE(alias && (alias->status == 200 || alias->status == 404));
    const auto told = ParseJson(alias ? alias->body : "{}");
    return told ? told->value("version", 0) : 0;
  }

  Result<http::Response> Promote(int version) {
    const Json wanted{{"model", "calc:" + std::to_string(version)}, {"environment", "prod"}};
    return Send("POST", "/promotions", DumpJson(wanted));
  }
  void Register(int version) {
    const std::string onnx = testing::MakeTinyOnnx({.graph_name = std::to_string(version)});
    const std::string digest = Digest::OfText(onnx).text();
    ASSERT_TRUE(Send("PUT", "/blobs/" + digest, onnx));
    const Json model{{"name", "calc"},
                     {"files", Json::array({{{"path", "m.onnx"}, {"digest", digest}}})}};
    ASSERT_TRUE(Send("POST", "/models", DumpJson(model)));
  }
  /// The evidence of "image" is written just before the image is built again.
  void WaitUntil(int moment_ms, const std::string& promotion) {
    if (moment_ms != kVerifying) return std::this_thread::sleep_for(milliseconds(moment_ms));
    for (int i = 0; i < 6'000; ++i) {
      if (!Get(promotion).value("evidence", Json::array()).empty()) return;
      std::this_thread::sleep_for(milliseconds(2));
    }
    ADD_FAILURE() << "it never came to verifying";
  }
  /// What became of the version when the daemon is there again; true if it was cut off. `there`:
  /// the version that was in the environment before, and that is now.
  bool Check(const std::string& promotion, int moment_ms, int version, int& there);

  const testing::TempDir folder_;
  Daemon daemon_{folder_ / "state"};
};

bool PromotionCrash::Check(const std::string& promotion, int moment_ms, int version, int& there) {
  const Json now = Get(promotion);
  const Json service = Get("/services/calc-prod");
  const int points_at = AliasVersion();
  if (now.value("state", "") != "Failed") {
    EXPECT_EQ(now.value("state", ""), "Succeeded") << DumpJson(now);
    EXPECT_EQ(points_at, version);
    EXPECT_EQ(service.value("image", ""), now.value("image", "none"));
    there = version;
    return false;
  }
  EXPECT_EQ(now.value("error_code", ""), "Operation.Interrupted");
  EXPECT_EQ(points_at, there) << "the alias has not moved";
  EXPECT_NE(service.value("state", ""), "Transitioning") << DumpJson(service);
  if (there == 0) {
    EXPECT_EQ(service.value("state", ""), "Failed") << "it was to be made, and says so";
  }
  if (moment_ms == kVerifying) {
    EXPECT_EQ(now.value("evidence", Json::array()).size(), 1u) << DumpJson(now);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "state/run/tmp"));
  return true;
}

TEST_P(PromotionCrash, IsFoundFailedAndTheServiceAsItWas) {
  int cut_off = 0, version = 0, there = 0;
  if (GetParam().has_first) {
    Register(++version);
    ASSERT_EQ(daemon_.Await(Promote(version)), "Succeeded") << daemon_.last_error();
    there = version;
  }
  for (const int moment_ms : GetParam().moments_ms) {
    SCOPED_TRACE(moment_ms);
    Register(++version);
    const auto asked = Promote(version);
    ASSERT_TRUE(asked);
    ASSERT_EQ(asked->status, 202) << asked->body;
    const auto told = ParseJson(asked->body);
    ASSERT_TRUE(told);
    const std::string promotion = "/promotions/" + told->value("id", "");
    WaitUntil(moment_ms, promotion);
    daemon_.Kill();
    ASSERT_TRUE(daemon_.Start());
    cut_off += Check(promotion, moment_ms, version, there) ? 1 : 0;
  }
  EXPECT_GT(cut_off, 0) << "nothing was cut off";
  EXPECT_EQ(daemon_.Await(Promote(version)), "Succeeded") << daemon_.last_error();
  EXPECT_EQ(AliasVersion(), version);
  daemon_.Await(daemon_.Send("DELETE", std::string(kBase) + "/services/calc-prod"));
}

INSTANTIATE_TEST_SUITE_P(Moments, PromotionCrash,
                         ::testing::Values(Crash{.name = "AtAnyTime",
                                                 .environment = "{}",
                                                 .moments_ms = {0, 5, 15, 25, 40, 60},
                                                 .has_first = true},
                                           Crash{.name = "WhileItVerifies",
                                                 .environment = R"({"gates": ["verify"]})",
                                                 .moments_ms = {kVerifying}},
                                           Crash{.name = "WhileItVerifiesTheSecond",
                                                 .environment = R"({"gates": ["verify"]})",
                                                 .moments_ms = {kVerifying},
                                                 .has_first = true}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace slipway::workspace
