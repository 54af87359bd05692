// SPDX-License-Identifier: Apache-2.0
// Each row of the v1 scoring server's contract, with a script.
#include <gmock/gmock.h>

#include <thread>

#include "tests/server/script_fixture.h"
#include "tests/support/json.h"
#include "tests/support/pattern.h"
#include "tests/support/raw_connection.h"

namespace slipway::server {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFailed = "x-ms-run-function-failed";
constexpr const char* kRunTime = "x-ms-run-fn-exec-ms";
const std::string kRunFailed =
    "An unexpected error occurred in scoring script. Check the logs for more info.";
const std::string kInternal =
    "An unexpected internal error occurred. Check the logs for more info.";

class ScriptAnswerTest : public ScriptFixture {
 protected:
  void SetUp() override {
    ScriptFixture::SetUp();
    if (!IsSkipped()) Start("answers.py");
  }
};

TEST_F(ScriptAnswerTest, ThePortIs5001UnlessSaid) { EXPECT_EQ(ServeConfig{}.port, 5001); }

TEST_F(ScriptAnswerTest, IsHealthyAndReady) {
  const auto healthy = Send("GET", "/");
  EXPECT_EQ(healthy.status, 200);
  EXPECT_EQ(healthy.body, "Healthy");
  EXPECT_EQ(Send("OPTIONS", "/").status, 200);
  EXPECT_EQ(Send("GET", "/readyz").status, 200);
}

TEST_F(ScriptAnswerTest, TheBodyIsGivenAsText) {
  EXPECT_EQ(Post("no json, \xc3\xa9").body, R"("no json, \u00e9")");
  EXPECT_EQ(Post("").body, R"("")");
  EXPECT_EQ(Post(R"({"x":1})", {{"Content-Type", "text/plain"}}).body, R"({"x": 1})");
  EXPECT_EQ(Post(R"("a=1")", {{"Content-Type", "application/x-www-form-urlencoded"}}).body,
            R"("a=1")");
  EXPECT_EQ(Send("POST", "/score?a=1", "[1]").body, "[1]");
}

TEST_F(ScriptAnswerTest, ABodyThatIsNotUtf8Is400) {
  const auto refused = Post("\xff\xfe");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(Message(refused), HasSubstr("Input cannot be decoded as UTF-8"));
  EXPECT_EQ(refused.headers.Get(kFailed), "False");
  EXPECT_FALSE(refused.headers.Has(kRunTime));
}

TEST_F(ScriptAnswerTest, AQueryBecomesAnObject) {
  EXPECT_EQ(Send("GET", "/score").body, "{}");
  EXPECT_EQ(Send("GET", "/score?a=1&b=[1,2]&c=x&c=2&d=%22q%22&e=&f=%C3%A9").body,
            R"({"a": 1, "b": [1, 2], "c": ["x", 2], "d": "q", "e": "", "f": "\u00e9"})");
}

TEST_F(ScriptAnswerTest, OptionsIsEmptyAndOtherMethodsAre405) {
  const auto options = Send("OPTIONS", "/score");
  EXPECT_EQ(options.status, 200);
  EXPECT_EQ(options.body, "");
  for (const char* method : {"PUT", "DELETE", "PATCH"}) {
    const auto refused = Send(method, "/score", "x");
    EXPECT_EQ(refused.status, 405) << method;
    EXPECT_FALSE(Message(refused).empty());
    EXPECT_FALSE(refused.headers.Has("x-request-id"));
    EXPECT_FALSE(refused.headers.Has("x-ms-request-id"));
  }
  EXPECT_EQ(Send("HEAD", "/score").status, 405);
}

TEST_F(ScriptAnswerTest, AnUnknownPathIs404WithoutIds) {
  for (const char* path : {"/nothing", "/v2/models/x/infer", "/v1/models/x:predict"}) {
    const auto missing = Send("GET", path, "", {{"x-request-id", "a"}});
    EXPECT_EQ(missing.status, 404) << path;
    EXPECT_FALSE(missing.headers.Has("x-request-id"));
    EXPECT_FALSE(Parse(missing).is_discarded());
  }
}

struct Returned {
  std::string what;
  int status;
  std::string body;
  std::string type;
};

TEST_F(ScriptAnswerTest, WhatRunReturnsIsWrittenAsJsonOnceMore) {
  const Returned kCases[] = {
      {"none", 200, "{}", "application/json"},
      {"text", 200, R"("h\u00e9 \"quoted\"")", "application/json"},
      {"dumped", 200, R"("{\"a\": 1}")", "application/json"},
      {"list", 200, "[1, 2.5, null, true]", "application/json"},
      {"dict", 200, R"({"a": [1]})", "application/json"},
      {"tuple", 200, R"(["a", 201])", "application/json"},
      {"nan", 200, "NaN", "application/json"},
      {"aml_text", 418, "text", "text/html; charset=utf-8"},
      {"aml_bytes", 200, std::string("\x00\xff", 2), "image/png"},
      {"aml_json", 201, R"({"a": 1})", "application/json"},
      {"flask", 202, "flask", "text/plain"},
  };
  const testing::Pattern milliseconds(R"(\d+\.\d{3})");
  for (const Returned& wanted : kCases) {
    const auto response = Do(wanted.what);
    EXPECT_EQ(response.status, wanted.status) << wanted.what;
    EXPECT_EQ(response.body, wanted.body) << wanted.what;
    EXPECT_EQ(response.headers.Get("Content-Type"), wanted.type) << wanted.what;
    EXPECT_EQ(response.headers.Get(kFailed), "False") << wanted.what;
    EXPECT_TRUE(milliseconds.MatchesAll(std::string(response.headers.Get(kRunTime))))
        << wanted.what << response.headers.Get(kRunTime);
  }
  EXPECT_EQ(Do("aml_json").headers.Get("X-Own"), "b");
  EXPECT_EQ(Do("flask").headers.Get("X-Flask"), "yes");
}

TEST_F(ScriptAnswerTest, WhatIsNotJsonIsAnInternalErrorButNoFailedRun) {
  for (const char* what : {"bytes", "set", "no_status"}) {
    const auto response = Do(what);
    EXPECT_EQ(response.status, 500) << what;
    EXPECT_EQ(Message(response), kInternal) << what;
    EXPECT_EQ(response.headers.Get(kFailed), "False") << what;
    EXPECT_FALSE(response.headers.Has(kRunTime)) << what;
    EXPECT_TRUE(response.headers.Has("x-request-id")) << what;
  }
}

TEST_F(ScriptAnswerTest, ANumpyArrayIsAnInternalErrorButNoFailedRun) {
  const auto response = Do("numpy");
  ASSERT_EQ(response.status, 500);
  if (response.headers.Get(kFailed) == "True") GTEST_SKIP() << "python3 has no numpy";
  EXPECT_EQ(Message(response), kInternal);
}

TEST_F(ScriptAnswerTest, AScriptThatRaisesIs500AndAFailedRun) {
  for (const char* what : {"raise", "exit", "broken_header", "no such thing"}) {
    const auto response = Do(what);
    EXPECT_EQ(response.status, 500) << what;
    EXPECT_EQ(Message(response), kRunFailed) << what;
    EXPECT_EQ(response.headers.Get(kFailed), "True") << what;
    EXPECT_FALSE(response.headers.Has(kRunTime)) << what;
  }
  EXPECT_EQ(Do("none").status, 200);
}

struct Ids {
  std::string request, ms, client;                 // sent; empty: not sent
  std::string want_request, want_ms, want_client;  // "*": made; empty: none
};

TEST_F(ScriptAnswerTest, IdsFollowTheRules) {
  const Ids kCases[] = {
      {"", "", "", "*", "*", ""},    {"B", "", "", "B", "B", ""},    {"", "A", "", "*", "A", "A"},
      {"", "", "C", "*", "C", "C"},  {"B", "A", "", "B", "A", "A"},  {"B", "", "C", "B", "C", "C"},
      {"", "A", "C", "*", "A", "C"}, {"B", "A", "C", "B", "A", "C"},
  };
  const testing::Pattern guid(
      "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  for (const Ids& ids : kCases) {
    http::Headers headers;
    if (!ids.request.empty()) headers.Set("x-request-id", ids.request);
    if (!ids.ms.empty()) headers.Set("x-ms-request-id", ids.ms);
    if (!ids.client.empty()) headers.Set("x-ms-client-request-id", ids.client);
    const auto response = Post("1", headers);
    const std::string made(response.headers.Get("x-request-id"));
    if (ids.want_request == "*") {
      EXPECT_TRUE(guid.MatchesAll(made)) << made;
    } else {
      EXPECT_EQ(made, ids.want_request);
    }
    EXPECT_EQ(response.headers.Get("x-ms-request-id"), ids.want_ms == "*" ? made : ids.want_ms);
    EXPECT_EQ(response.headers.Get("x-ms-client-request-id"), ids.want_client);
    EXPECT_FALSE(response.headers.Has("TraceId"));
  }
  const auto traced = Post("1", {{"TraceId", "t"}});
  EXPECT_EQ(traced.headers.Get("TraceId"), "t");
  EXPECT_THAT(std::string(traced.headers.Get("x-ms-server-version")), HasSubstr("slipway/"));
}

TEST_F(ScriptAnswerTest, AnIdOfMoreThan100CharactersIs431) {
  for (const char* name : {"x-request-id", "x-ms-request-id", "x-ms-client-request-id"}) {
    EXPECT_EQ(Post("1", {{name, std::string(100, 'i')}}).status, 200);
    const auto refused = Post("1", {{name, std::string(101, 'i')}});
    EXPECT_EQ(refused.status, 431) << name;
    EXPECT_THAT(Message(refused), HasSubstr(name));
  }
  EXPECT_EQ(Send("GET", "/nothing", "", {{"x-request-id", std::string(101, 'i')}}).status, 404);
}

TEST_F(ScriptAnswerTest, RunSeesTheHeaders) {
  const Json seen = Parse(Post(R"({"do": "headers"})", {{"x-own-thing", "1"}, {"X-TWO", "2"}}));
  EXPECT_EQ(seen["X-Own-Thing"], "1");
  EXPECT_EQ(seen["X-Two"], "2");
  EXPECT_EQ(seen["Content-Length"], "17");
}

TEST_F(ScriptAnswerTest, AScriptWithoutASchemaHasNoDescription) {
  EXPECT_EQ(Send("GET", "/swagger.json").status, 404);
  EXPECT_EQ(Send("GET", "/openapi.json").status, 404);
}

TEST_F(ScriptAnswerTest, LargeBodiesPassBothWays) {
  std::string body = "\"" + std::string(20 << 20, 'x') + "\"";
  const auto response = Post(body);
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body == body);
}

TEST_F(ScriptAnswerTest, ConcurrentRequestsGetTheirOwnAnswers) {
  std::vector<std::thread> users;
  for (int user = 0; user < 8; ++user) {
    users.emplace_back([this, user] {
      for (int i = 0; i < 25; ++i) {
        const std::string value = std::to_string(user * 1000 + i);
        EXPECT_EQ(Post(value).body, value);
      }
    });
  }
  for (std::thread& user : users) user.join();
}

class ScriptOptionsTest : public ScriptFixture {};

TEST_F(ScriptOptionsTest, CorsAnswersTheOriginsThatAreAllowed) {
  Start(Script("answers.py"), {.cors_origins = "https://a.example,https://b.example"});
  const auto asked = Send("OPTIONS", "/score", "",
                          {{"Origin", "https://b.example"},
                           {"Access-Control-Request-Method", "POST"},
                           {"Access-Control-Request-Headers", "content-type"}});
  EXPECT_EQ(asked.status, 200);
  EXPECT_EQ(asked.headers.Get("Access-Control-Allow-Origin"), "https://b.example");
  EXPECT_EQ(asked.headers.Get("Access-Control-Allow-Headers"), "content-type");
  EXPECT_THAT(std::string(asked.headers.Get("Access-Control-Allow-Methods")), HasSubstr("POST"));
  const auto other = Post("1", {{"Origin", "https://c.example"}});
  EXPECT_FALSE(other.headers.Has("Access-Control-Allow-Origin"));
}

TEST_F(ScriptOptionsTest, KeysAreAskedForWhereThereAreSome) {
  ServeOptions options;
  options.script = Script("answers.py");
  auto keys = ServiceKeys::Read([](const char* name) {
    return std::string_view(name) == "SLIPWAY_AUTH_KEYS" ? "first,second" : nullptr;
  });
  ASSERT_TRUE(keys);
  options.keys = *std::move(keys);
  Start(std::move(options));
  for (const char* path : {"/", "/healthz", "/readyz", "/metrics"}) {
    EXPECT_EQ(Send("GET", path).status, 200) << path;
  }
  EXPECT_EQ(Send("OPTIONS", "/score").status, 200);
  for (const char* path : {"/score", "/swagger.json", "/openapi.json"}) {
    const auto refused = Send("GET", path);
    EXPECT_EQ(refused.status, 401) << path;
    EXPECT_FALSE(Message(refused).empty());
    EXPECT_EQ(refused.headers.Get("WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(Post("1", {{"Authorization", "Bearer first"}}).status, 200);
  EXPECT_EQ(Post("1", {{"Authorization", "bearer second"}}).status, 200);
  const Json seen = Parse(Post(R"({"do": "headers"})", {{"Authorization", "Bearer first"}}));
  EXPECT_FALSE(seen.contains("Authorization"));
  for (const char* wrong : {"Bearer", "Bearer ", "Bearer firs", "first", "Basic first"}) {
    EXPECT_EQ(Post("1", {{"Authorization", wrong}}).status, 401) << wrong;
  }
}

TEST_F(ScriptOptionsTest, RawHttpSeesTheRequestItself) {
  Start("raw.py");
  const auto response = Send("POST", "/score?a=1&a=2&b=%C3%A9", "\xff{}",
                             {{"Content-Type", "application/json; charset=utf-8"},
                              {"X-Own", "z"},
                              {"Cookie", "c=d"},
                              {"Host", "h.example"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const Json seen = Parse(response);
  EXPECT_EQ(seen["method"], "POST");
  EXPECT_EQ(seen["path"], "/score");
  EXPECT_EQ(seen["url"], "http://h.example/score?a=1&a=2&b=%C3%A9");
  EXPECT_EQ(seen["args"], testing::ParsedJson(R"({"a": ["1", "2"], "b": ["\u00e9"]})"));
  EXPECT_EQ(seen["bytes"], testing::ParsedJson("[255, 123, 125]"));
  EXPECT_EQ(seen["data"], seen["bytes"]);
  EXPECT_EQ(seen["text"], "\xef\xbf\xbd{}");
  EXPECT_EQ(seen["mimetype"], "application/json");
  EXPECT_EQ(seen["length"], 3);
  EXPECT_TRUE(seen["json"].is_null());
  EXPECT_EQ(seen["cookies"], testing::ParsedJson(R"({"c": "d"})"));
  EXPECT_EQ(seen["header"], "z");
  EXPECT_EQ(seen["remote"], "127.0.0.1");
  for (const char* method : {"GET", "OPTIONS"}) {
    EXPECT_EQ(Parse(Send(method, "/score"))["method"], method);
  }
  EXPECT_EQ(Send("HEAD", "/score").status, 200);
  EXPECT_EQ(Send("PUT", "/score").status, 405);
  EXPECT_EQ(Send("GET", "/score?do=dict").body, R"({"a": 1})");
  EXPECT_EQ(Send("GET", "/score?do=raise").headers.Get(kFailed), "True");
}

TEST_F(ScriptOptionsTest, RawHttpReadsForms) {
  Start("raw.py");
  const Json coded =
      Parse(Post("a=1&b=%20x", {{"Content-Type", "application/x-www-form-urlencoded"}}));
  EXPECT_EQ(coded["form"], testing::ParsedJson(R"({"a": ["1"], "b": [" x"]})"));
  const Json parts =
      Parse(Post("--B\r\nContent-Disposition: form-data; name=\"f\"; "
                 "filename=\"x.bin\"\r\n\r\na\r\n--Bc\xff\r\n--B\r\n"
                 "Content-Disposition: form-data; name=\"g\"\r\n\r\nv\r\n--B--\r\n",
                 {{"Content-Type", "multipart/form-data; boundary=\"B\""}}));
  EXPECT_EQ(parts["form"], testing::ParsedJson(R"({"g": ["v"]})"));
  EXPECT_EQ(parts["files"]["f"], Json::array({"x.bin", "a\r\n--Bc\xc3\xbf"}));
}

TEST_F(ScriptOptionsTest, ASchemaTakesNamedValues) {
  ScriptHostOptions options = Script("schema.py");
  options.config.python_path.push_back(ScriptFile("stand_in"));
  Start(std::move(options));
  const http::Headers json = {{"Content-Type", "application/json"}};
  EXPECT_EQ(Post(R"({"x": [1, 2], "factor": 2, "more": 1})", json).body, R"({"sum": 6})");
  EXPECT_EQ(Post(R"({"x": [1, 2]})", json).body, R"({"sum": 15})");
  EXPECT_EQ(Send("GET", "/score?x=[1,2]").body, R"({"sum": 15})");
  EXPECT_EQ(Post(R"({"x": [1]})", {{"Content-Type", "application/a+json"}}).status, 200);
  const std::tuple<std::string, http::Headers, int, std::string> kRefused[] = {
      {R"({"factor": 2})", json, 400, "A value is not provided for the 'x' parameter."},
      {"", json, 400, "POST body is empty. Expecting a JSON dictionary."},
      {"[1]", json, 400, "POST body should be a JSON dictionary."},
      {"null", json, 400, "POST body should be a JSON dictionary."},
      {"{bad", json, 400, "POST body could not be decoded as JSON: "},
      {"\xff", json, 400, "Input cannot be decoded as UTF-8: "},
      {std::string(100'000, '['), json, 400, "POST body could not be decoded as JSON: "},
      {R"({"x": [1]})", {}, 415, "Expects Content-Type to be application/json"},
      {R"({"x": [1]})", {{"Content-Type", "text/plain"}}, 415, "Expects Content-Type"},
  };
  for (const auto& [body, headers, status, message] : kRefused) {
    const auto refused = Post(body, headers);
    EXPECT_EQ(refused.status, status) << body.substr(0, 40);
    EXPECT_THAT(Message(refused), HasSubstr(message));
    EXPECT_EQ(refused.headers.Get(kFailed), "False");
  }
  EXPECT_EQ(Post(R"({"x": [1], "factor": 9})", json).headers.Get(kFailed), "True");
}

TEST_F(ScriptOptionsTest, ASchemaIsDescribed) {
  ScriptHostOptions options = Script("schema.py");
  options.config.python_path.push_back(ScriptFile("stand_in"));
  options.around.service_name = "mine";
  Start(std::move(options));
  const Json two = Parse(Send("GET", "/swagger.json"));
  EXPECT_EQ(two["swagger"], "2.0");
  EXPECT_EQ(two["info"]["title"], "mine");
  EXPECT_TRUE(two["definitions"]["ServiceInput"]["properties"].contains("x"));
  EXPECT_TRUE(two["paths"]["/score"].contains("post"));
  EXPECT_EQ(Parse(Send("GET", "/swagger.json?version=2")), two);
  EXPECT_EQ(Parse(Send("GET", "/swagger.json?version=3"))["openapi"], "3.0.3");
  EXPECT_EQ(Parse(Send("GET", "/swagger.json?version=3.1"))["openapi"], "3.1.0");
  EXPECT_TRUE(
      Parse(Send("GET", "/openapi.json"))["components"]["schemas"].contains("ServiceOutput"));
  const auto unknown = Send("GET", "/swagger.json?version=4");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(Message(unknown), "Swagger version [4] is not valid. Supported versions: [2, 3, 3.1].");
}

TEST_F(ScriptOptionsTest, ADescriptionMayLieBesideTheScript) {
  testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "swagger2.json", R"({"own": 2})"));
  ASSERT_TRUE(WriteFileAtomic(folder / "swagger3.json", "no json"));
  ScriptHostOptions options = Script("answers.py");
  options.config.app_root = folder.path();
  Start(std::move(options));
  EXPECT_EQ(Send("GET", "/swagger.json").body, R"({"own": 2})");
  EXPECT_EQ(Send("GET", "/swagger.json?version=3").status, 404);
}

TEST_F(ScriptOptionsTest, DataIsCollectedWhereItIsAskedFor) {
  testing::TempDir folder;
  ScriptHostOptions options = Script("collect.py");
  options.around.environment.push_back("SLIPWAY_MODEL_DATA_DIR=" + folder.path().string());
  options.around.environment.emplace_back("WORKSPACE_NAME=../ws");
  options.around.service_name = "svc";
  Start(options);
  EXPECT_EQ(Post("[[1, 2]]").body, "false");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  options.around.environment.emplace_back("AML_MODEL_DC_STORAGE_ENABLED=true");
  Start(std::move(options));
  EXPECT_EQ(Post("[[1, 2], [3, \"x,y\"]]").body, "true");
  EXPECT_EQ(Post("[[5, 6]]").body, "true");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  ASSERT_EQ(files.size(), 1U);
  const testing::Pattern path(
      R"(default/default/_ws/svc/digits/1/inputs/\d{4}/\d\d/\d\d/data\.csv)");
  const std::string relative = files[0].lexically_relative(folder.path());
  EXPECT_TRUE(path.MatchesAll(relative)) << relative;
  const auto text = ReadFile(files[0], 1 << 20);
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, ::testing::StartsWith("$Timestamp,$CorrelationId,$RequestId,a,b\r\n"));
  EXPECT_THAT(*text, HasSubstr(",3,\"x,y\"\r\n"));
  EXPECT_THAT(*text, HasSubstr(",5,6\r\n"));
}

TEST_F(ScriptOptionsTest, TheScriptFindsItsPlace) {
  testing::TempDir folder;
  ScriptHostOptions options = Script("answers.py");
  options.config.app_root = folder.path();
  options.around.model_folder = "/models/here";
  options.around.environment.emplace_back("SLIPWAY_AUTH_KEYS=secret");
  Start(std::move(options));
  const std::string root = std::filesystem::canonical(folder.path());
  const Json folders = Parse(Do("folders"));
  EXPECT_EQ(folders["cwd"], root);
  EXPECT_EQ(folders["path"][0], ScriptFile("answers.py").parent_path().string());
  EXPECT_EQ(folders["path"][1], folder.path().string());
  const Json variables = Parse(Post(
      R"({"do": "environment", "names": ["AML_APP_ROOT", "AZUREML_MODEL_DIR",
          "AZUREML_SOURCE_DIRECTORY", "AZUREML_ENTRY_SCRIPT", "SLIPWAY_AUTH_KEYS"]})"));
  EXPECT_EQ(variables["AML_APP_ROOT"], folder.path().string());
  EXPECT_EQ(variables["AZUREML_MODEL_DIR"], "/models/here");
  EXPECT_EQ(variables["AZUREML_ENTRY_SCRIPT"], ScriptFile("answers.py").string());
  EXPECT_EQ(variables["AZUREML_SOURCE_DIRECTORY"], ScriptFile("answers.py").parent_path().string());
  EXPECT_TRUE(variables["SLIPWAY_AUTH_KEYS"].is_null());
}

TEST_F(ScriptOptionsTest, AHealthPortOfItsOwnAnswersWhileInitRuns) {
  testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "score.py",
                              "import os\nimport time\n\n\n"
                              "def init():\n"
                              "    while not os.path.exists('go'):\n"
                              "        time.sleep(0.01)\n\n\n"
                              "def run(data):\n    return 1\n"));
  ServeOptions options;
  options.script = Script("answers.py");
  options.script->config.entry = folder / "score.py";
  options.script->config.source_directory = options.script->config.app_root = folder.path();
  options.listen = {"127.0.0.1:0"};
  options.health_listen = {"127.0.0.1:0"};
  auto service = Service::Start(std::move(options));
  ASSERT_TRUE(service) << service.error().message;
  service_ = *std::move(service);
  const std::vector<std::string> addresses = service_->addresses();
  ASSERT_EQ(addresses.size(), 2u);
  std::thread loading([this] { loaded_ = service_->Load(); });
  base_ = "http://" + addresses[1];
  EXPECT_EQ(Send("GET", "/healthz").status, 200);
  EXPECT_EQ(Send("GET", "/readyz").status, 503) << "init() still runs";
  EXPECT_TRUE(WriteFileAtomic(folder / "go", ""));
  loading.join();
  ASSERT_TRUE(loaded_) << loaded_.error().message;
  EXPECT_EQ(Send("GET", "/readyz").status, 200);
  base_ = "http://" + addresses[0];
  EXPECT_EQ(Post("").body, "1");
}

TEST_F(ScriptOptionsTest, ABodyOfMoreThan100MegabytesIsRefusedBeforeItIsRead) {
  Start("answers.py");
  testing::RawConnection raw(service_->addresses().at(0));
  ASSERT_TRUE(raw.Send("POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 104857601\r\n\r\n"));
  EXPECT_THAT(raw.ReadUntil("\r\n"), ::testing::StartsWith("HTTP/1.1 413 "));
}

TEST_F(ScriptOptionsTest, APathPrefixIsInFrontOfTheScriptsRoutes) {
  Start(Script("answers.py"), {.path_prefix = "/api/v1/service/mine"});
  EXPECT_EQ(Send("POST", "/api/v1/service/mine/score", "[1]").body, "[1]");
  EXPECT_EQ(Send("GET", "/api/v1/service/mine/").status, 200);
}

TEST_F(ScriptOptionsTest, AScriptInASubfolderFindsItsFolderLastAndTheSourceDirectoryFirst) {
  testing::TempDir folder;
  ASSERT_TRUE(MakeFolders(folder / "code"));
  ASSERT_TRUE(WriteFileAtomic(folder / "both.py", "NAME = 'source'"));
  ASSERT_TRUE(WriteFileAtomic(folder / "code/both.py", "NAME = 'beside'"));
  ASSERT_TRUE(WriteFileAtomic(folder / "code/beside.py", "NAME = 'beside'"));
  ASSERT_TRUE(WriteFileAtomic(folder / "code/score.py",
                              "import beside\nimport both\nimport sys\n\n\n"
                              "def init():\n    pass\n\n\n"
                              "def run(data):\n"
                              "    return [beside.NAME, both.NAME, sys.path[0]]\n"));
  ScriptHostOptions options = Script("answers.py");
  options.config.entry = folder / "code/score.py";
  options.config.source_directory = options.config.app_root = folder.path();
  Start(std::move(options));
  EXPECT_EQ(Parse(Post("")), Json::array({"beside", "source", folder.path().string()}));
}

}  // namespace
}  // namespace slipway::server
