// SPDX-License-Identifier: Apache-2.0
/// Services of the real scoring server under a slipwayd that is stopped or killed: while they
/// live, and while they are made, changed and deleted.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "base/digest.h"
#include "deployer/process/scan.h"
#include "tests/runtime/tiny_model.h"
#include "tests/workspace/daemon.h"

namespace slipway::workspace {
namespace {

constexpr const char* kBase = "/api/v1/workspaces/lab";

class ServiceLife : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ProgramsAreBuilt()) GTEST_SKIP() << "slipwayd or slipway-serve is not built";
    ASSERT_TRUE(daemon_.Start());
    ASSERT_TRUE(daemon_.Send("POST", "/api/v1/workspaces", R"({"name": "lab"})"));
    Register("add", testing::MakeTinyOnnx());
    Register("mul", testing::MakeTinyOnnx({.op_type = "Mul"}));
  }
  void TearDown() override {
    if (HasFailure()) ADD_FAILURE() << "slipwayd said last:\n" << daemon_.EndOfLog();
    daemon_.Kill();
    for (const ProcessId& id : Processes()) ::kill(id.pid, SIGKILL);
  }

  void Register(const std::string& name, const std::string& onnx) {
    const std::string digest = Digest::OfText(onnx).text();
    ASSERT_TRUE(daemon_.Send("PUT", Path("/blobs/" + digest), onnx));
    const Json model{{"name", name},
                     {"files", Json::array({{{"path", "m.onnx"}, {"digest", digest}}})}};
    const auto made = daemon_.Send("POST", Path("/models"), DumpJson(model));
    ASSERT_TRUE(made);
    ASSERT_EQ(made->status, 201) << made->body;
    const Json image{{"name", name}, {"models", Json::array({name})}};
    ASSERT_EQ(daemon_.Await(daemon_.Send("POST", Path("/images"), DumpJson(image))), "Succeeded")
        << daemon_.last_error();
  }

  static std::string Path(const std::string& rest) { return kBase + rest; }

  Result<http::Response> Create(const std::string& name, const std::string& image) {
    const Json wanted{{"name", name}, {"image", image}, {"overwrite", true}};
    return daemon_.Send("POST", Path("/services"), DumpJson(wanted));
  }

  Json Show(const std::string& name) { return daemon_.Get(Path("/services/" + name)); }

  /// Waits until what it is now is Healthy again.
  Json ShowHealthy(const std::string& name) {
    Json service;
    for (int i = 0; i < 2'000; ++i) {
      service = Show(name);
      if (service.value("state", "") == "Healthy") return service;
      std::this_thread::sleep_for(milliseconds(10));
    }
    ADD_FAILURE() << "not healthy: " << DumpJson(service);
    return service;
  }

  /// What the service makes of 3 and 4: a sum, a product, or nothing.
  std::string Score(const std::string& endpoint) {
    http::Request request{.method = "POST", .target = endpoint + "/score"};
    request.headers.Set("Content-Type", "application/json");
    request.body = R"({"data": [[3, 4]]})";
    const auto answer = client_->Send(request);
    if (!answer) return "nothing";
    if (answer->status != 200) return "status " + std::to_string(answer->status);
    if (answer->body.find("[6.0,8.0]") != std::string::npos ||
        answer->body.find("[6.0, 8.0]") != std::string::npos) {
      return "add";
    }
    if (answer->body.find("[9.0,16.0]") != std::string::npos ||
        answer->body.find("[9.0, 16.0]") != std::string::npos) {
      return "mul";
    }
    return answer->body;
  }

  /// Scoring servers that this state folder's services have.
  std::vector<ProcessId> Processes() const {
    std::vector<ProcessId> ids;
    for (const auto& [id, mark] : deployer::FindMarked((folder_ / "state").string())) {
      ids.push_back(id);
    }
    return ids;
  }

  testing::TempDir folder_;
  Daemon daemon_{folder_ / "state"};
  std::unique_ptr<http::Client> client_ = http::MakeClient({.retries = 0});
};

/// Addresses that a port of this machine is listened on at, as /proc/net/tcp writes them.
std::set<std::string> ListenedOn(int port) {
  std::set<std::string> addresses;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream fields(line);
      std::string number, local, remote, state;
      fields >> number >> local >> remote >> state;
      const std::size_t colon = local.find(':');
      if (state != "0A" || colon == std::string::npos) continue;
      if (std::stoi(local.substr(colon + 1), nullptr, 16) == port) {
        addresses.insert(local.substr(0, colon));
      }
    }
  }
  return addresses;
}

TEST_F(ServiceLife, NothingListensBeyondThisMachineUnlessItIsSaid) {
  ASSERT_EQ(daemon_.Await(Create("live", "add:1")), "Succeeded") << daemon_.last_error();
  const auto port_of = [](const std::string& address) {
    return std::stoi(address.substr(address.rfind(':') + 1));
  };
  const std::set<std::string> loopback = {"0100007F"};
  EXPECT_EQ(ListenedOn(port_of(Show("live").value("endpoint", ""))), loopback);
  const auto endpoint = ReadFile(folder_ / "state/run/endpoint.json", 4096);
  ASSERT_TRUE(endpoint);
  const auto json = ParseJson(*endpoint);
  ASSERT_TRUE(json);
  EXPECT_EQ(ListenedOn(port_of(json->value("address", ""))), loopback);
}

TEST_F(ServiceLife, ItsMemoryBoundsItsModels) {
  namespace tiny = runtime::tiny;
  Register("product", tiny::ModelOf(tiny::GraphOf({{"ConstantOfShape", {"size"}, {"z"}},
                                                   {"MatMul", {"z", "z"}, {"m"}},
                                                   {"ReduceSum", {"m"}, {"y"}}},
                                                  {{"size", runtime::DType::kInt64}},
                                                  {{"y", runtime::DType::kFloat32}})));
  const Json wanted{{"name", "bounded"},
                    {"image", "product:1"},
                    {"deployment", {{"cpu_cores", 1}, {"memory_gb", 1.5}}}};
  ASSERT_EQ(daemon_.Await(daemon_.Send("POST", Path("/services"), DumpJson(wanted))), "Succeeded")
      << daemon_.last_error();
  const auto processes = Processes();
  ASSERT_EQ(processes.size(), 1U);
  const auto environment =
      ReadFile("/proc/" + std::to_string(processes[0].pid) + "/environ", 1 << 20);
  ASSERT_TRUE(environment) << environment.error().message;
  EXPECT_NE(environment->find("SLIPWAY_MODEL_MEMORY_MB=1536"), std::string::npos);
  http::Request request{.method = "POST",
                        .target = Show("bounded").value("endpoint", "") + "/score"};
  request.headers.Set("Content-Type", "application/json");
  request.body = R"({"data": [30000, 30000]})";
  const auto refused = client_->Send(request);
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(refused->status, 413) << refused->body;
  request.body = R"({"data": [10, 10]})";
  const auto answered = client_->Send(request);
  ASSERT_TRUE(answered) << answered.error().message;
  EXPECT_EQ(answered->status, 200) << answered->body;
}

TEST_F(ServiceLife, OutlivesAKilledDaemonAndIsFoundAgain) {
  ASSERT_EQ(daemon_.Await(Create("live", "add:1")), "Succeeded") << daemon_.last_error();
  const std::string endpoint = Show("live").value("endpoint", "");
  const auto before = Processes();
  ASSERT_EQ(before.size(), 1u);
  daemon_.Kill();
  EXPECT_EQ(Score(endpoint), "add") << "it answers while nobody looks after it";
  ASSERT_TRUE(daemon_.Start());
  const Json found = ShowHealthy("live");
  EXPECT_EQ(found.value("endpoint", ""), endpoint);
  EXPECT_EQ(found.value("restarts", -1), 0);
  EXPECT_EQ(Processes(), before) << "it is the same process";
  EXPECT_EQ(Score(endpoint), "add");

  ::kill(before.front().pid, SIGKILL);
  for (int i = 0; i < 1'000 && Score(endpoint) != "add"; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(Score(endpoint), "add") << "one that was found again is looked after";
  EXPECT_NE(Processes(), before);
  ASSERT_EQ(daemon_.Await(daemon_.Send("DELETE", Path("/services/live"))), "Succeeded");
  EXPECT_TRUE(Processes().empty());
  EXPECT_EQ(Score(endpoint), "nothing");
}

TEST_F(ServiceLife, StopsWithTheDaemonAndComesBackWithIt) {
  ASSERT_EQ(daemon_.Await(Create("live", "add:1")), "Succeeded") << daemon_.last_error();
  const std::string endpoint = Show("live").value("endpoint", "");
  ASSERT_TRUE(daemon_.Stop());
  EXPECT_TRUE(Processes().empty()) << "nothing of it is left";
  EXPECT_EQ(Score(endpoint), "nothing");
  ASSERT_TRUE(daemon_.Start());
  EXPECT_EQ(ShowHealthy("live").value("endpoint", ""), endpoint) << "its address is kept";
  EXPECT_EQ(Score(endpoint), "add");
}

TEST_F(ServiceLife, TreesOfAnEarlierRunOfTheMachineAreMadeAnew) {
  ASSERT_EQ(daemon_.Await(Create("live", "add:1")), "Succeeded") << daemon_.last_error();
  ASSERT_TRUE(daemon_.Stop());
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder_ / "state" / "run")) {
    const std::string name = entry.path().filename().string();
    if (name == "boot" || name == "rootfs.digest") {
      const auto text = ReadFile(entry.path(), 4096);
      ASSERT_TRUE(text);
      std::string other = *text;
      other[other.size() - 2] = other[other.size() - 2] == '0' ? '1' : '0';
      ASSERT_TRUE(WriteFileAtomic(entry.path(), other));
    }
    if (name == "m.onnx") {
      std::filesystem::permissions(entry.path(), std::filesystem::perms(0600));
      std::filesystem::resize_file(entry.path(), 0);
    }
  }
  ASSERT_TRUE(daemon_.Start());
  const Json found = ShowHealthy("live");
  EXPECT_EQ(Score(found.value("endpoint", "")), "add");
}

TEST_F(ServiceLife, AFailedUpdateLeavesWhatRan) {
  ASSERT_EQ(daemon_.Await(Create("live", "add:1")), "Succeeded") << daemon_.last_error();
  const std::string endpoint = Show("live").value("endpoint", "");
  // A golden sample that the model does not reproduce: the new revision never becomes ready.
  const std::string onnx = testing::MakeTinyOnnx();
  const std::string wrong = testing::MakeTinyTensor({1, 2}, {1, 1});
  Json files = Json::array();
  for (const auto& [path, content] :
       std::map<std::string, std::string>{{"m.onnx", onnx},
                                          {"test_data_set_0/input_0.pb", wrong},
                                          {"test_data_set_0/output_0.pb", wrong}}) {
    const std::string digest = Digest::OfText(content).text();
    ASSERT_TRUE(daemon_.Send("PUT", Path("/blobs/" + digest), content));
    files.push_back({{"path", path}, {"digest", digest}});
  }
  const Json model{{"name", "wrong"}, {"files", files}};
  const auto made = daemon_.Send("POST", Path("/models"), DumpJson(model));
  ASSERT_TRUE(made && made->status == 201) << made->body;
  const Json image{{"name", "wrong"}, {"models", Json::array({"wrong"})}};
  ASSERT_EQ(daemon_.Await(daemon_.Send("POST", Path("/images"), DumpJson(image))), "Succeeded");

  EXPECT_EQ(daemon_.Await(daemon_.Send("PATCH", Path("/services/live"), R"({"image": "wrong:1"})")),
            "Failed");
  EXPECT_NE(daemon_.last_error().find("Service.WrongAnswers"), std::string::npos)
      << daemon_.last_error();
  const Json after = ShowHealthy("live");
  EXPECT_EQ(after.value("image", ""), "add:1");
  EXPECT_EQ(after.value("endpoint", ""), endpoint);
  EXPECT_EQ(Score(endpoint), "add");
  EXPECT_EQ(Processes().size(), 1u) << "nothing of the failed revision is left";
}

TEST_F(ServiceLife, AsksForItsKeysWhichChangeWhileItRuns) {
  const Json wanted{{"name", "live"}, {"image", "add:1"}, {"deployment", {{"auth_enabled", true}}}};
  ASSERT_EQ(daemon_.Await(daemon_.Send("POST", Path("/services"), DumpJson(wanted))), "Succeeded")
      << daemon_.last_error();
  const auto process = Processes();
  const std::string endpoint = Show("live").value("endpoint", "");
  const Json keys = daemon_.Get(Path("/services/live/keys"));
  const auto score = [&](const std::string& key) {
    http::Request request{.method = "POST", .target = endpoint + "/score"};
    request.headers.Set("Content-Type", "application/json");
    if (!key.empty()) request.headers.Set("Authorization", "Bearer " + key);
    request.body = R"({"data": [[3, 4]]})";
    const auto answer = client_->Send(request);
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(score(""), 401);
  EXPECT_EQ(score("wrong"), 401);
  EXPECT_EQ(score(keys.value("primary", "")), 200);
  EXPECT_EQ(score(keys.value("secondary", "")), 200);
  const auto replaced = daemon_.Send("POST", Path("/services/live/keys"), R"({"key": "primary"})");
  ASSERT_TRUE(replaced && replaced->status == 200) << replaced->body;
  const auto now = ParseJson(replaced->body);
  ASSERT_TRUE(now);
  for (int i = 0; i < 500 && score(now->value("primary", "")) != 200; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(score(now->value("primary", "")), 200);
  EXPECT_EQ(score(keys.value("primary", "")), 401) << "the old one has ended";
  EXPECT_EQ(score(keys.value("secondary", "")), 200) << "the other one has not";
  EXPECT_EQ(Processes(), process) << "without a restart";

  const std::string primary = now->value("primary", "");
  EXPECT_EQ(DumpJson(Show("live")).find(primary), std::string::npos);
  const auto log = ReadFile(folder_ / "state.log", 1 << 22);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->find(primary), std::string::npos) << "no key in the log";
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder_ / "state" / "run")) {
    if (!entry.is_regular_file() || entry.path().parent_path().filename() == "keys") continue;
    const auto text = ReadFile(entry.path(), 64 << 20);
    EXPECT_FALSE(text && text->find(primary) != std::string::npos) << entry.path();
  }
  daemon_.Await(daemon_.Send("DELETE", Path("/services/live")));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "state" / "run" / "keys"));
}

/// Asks for something, kills the daemon after a while, starts it again.
class Interrupted : public ServiceLife {
 protected:
  void KillAfter(int wait_ms, const std::function<void()>& ask) {
    ask();
    std::this_thread::sleep_for(milliseconds(wait_ms));
    daemon_.Kill();
    ASSERT_TRUE(daemon_.Start());
  }

  /// Whether the newest operation was cut off, and that it is known to have ended.
  bool WasCutOff() {
    const Json items = daemon_.Items(Path("/operations?limit=1"));
    if (items.empty()) return false;
    const Json& newest = items.front();
    EXPECT_FALSE(newest.value("ended_time", "").empty()) << DumpJson(newest);
    return newest.value("error_code", "") == "Operation.Interrupted";
  }

  /// Some rounds, and more until one was cut off: how long an operation takes is the machine's.
  static bool GoesOn(int round, int cut_off) {
    constexpr int kRounds = 8, kRoundsMax = 200;
    return !HasFailure() && round < (cut_off > 0 ? kRounds : kRoundsMax);
  }

  std::mt19937 random_{20260302};
  std::uniform_int_distribution<int> wait_ms_{0, 90};
};

TEST_F(Interrupted, CreateLeavesAServiceOrNothing) {
  int cut_off = 0;
  for (int round = 0; GoesOn(round, cut_off); ++round) {
    const std::string name = "svc-" + std::to_string(round);
    const auto ask = [&] { ASSERT_TRUE(Create(name, "add:1")); };
    ASSERT_NO_FATAL_FAILURE(KillAfter(wait_ms_(random_), ask));
    const bool interrupted = WasCutOff();
    cut_off += interrupted ? 1 : 0;
    if (interrupted) {
      const Json service = Show(name);
      EXPECT_EQ(service.value("state", ""), "Failed") << DumpJson(service);
      EXPECT_EQ(service.value("cause", ""), "Operation.Interrupted") << DumpJson(service);
      EXPECT_TRUE(Processes().empty()) << "its process is gone";
      ASSERT_EQ(daemon_.Await(Create(name, "add:1")), "Succeeded") << daemon_.last_error();
    }
    EXPECT_EQ(Score(ShowHealthy(name).value("endpoint", "")), "add");
    ASSERT_EQ(daemon_.Await(daemon_.Send("DELETE", Path("/services/" + name))), "Succeeded");
  }
  EXPECT_GT(cut_off, 0) << "nothing was cut off";
}

TEST_F(Interrupted, UpdateLeavesTheImageThatTheRowNames) {
  ASSERT_EQ(daemon_.Await(Create("live", "add:1")), "Succeeded") << daemon_.last_error();
  int cut_off = 0;
  std::string now = "add";
  for (int round = 0; GoesOn(round, cut_off); ++round) {
    const std::string next = now == "add" ? "mul" : "add";
    // Every other one by overwriting, as `slipway deploy` does.
    const auto ask = [&] {
      const Json change{{"image", next + ":1"}};
      const auto asked = round % 2 == 0
                             ? daemon_.Send("PATCH", Path("/services/live"), DumpJson(change))
                             : Create("live", next + ":1");
      ASSERT_TRUE(asked);
      ASSERT_EQ(asked->status, 202) << asked->body;
    };
    ASSERT_NO_FATAL_FAILURE(KillAfter(wait_ms_(random_), ask));
    const bool interrupted = WasCutOff();
    cut_off += interrupted ? 1 : 0;
    if (!interrupted) now = next;
    Json service = ShowHealthy("live");
    EXPECT_EQ(service.value("image", ""), now + ":1");
    for (int i = 0; i < 1'000 && Score(service.value("endpoint", "")) != now; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_EQ(Score(service.value("endpoint", "")), now);
    for (int i = 0; i < 1'000 && Processes().size() != 1; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_EQ(Processes().size(), 1u) << "one revision is left";
  }
  EXPECT_GT(cut_off, 0) << "nothing was cut off";
}

TEST_F(Interrupted, DeleteCanBeRepeated) {
  int cut_off = 0;
  for (int round = 0; GoesOn(round, cut_off); ++round) {
    ASSERT_EQ(daemon_.Await(Create("gone", "add:1")), "Succeeded") << daemon_.last_error();
    const auto ask = [&] {
      const auto asked = daemon_.Send("DELETE", Path("/services/gone"));
      ASSERT_TRUE(asked);
      ASSERT_EQ(asked->status, 202) << asked->body;
    };
    ASSERT_NO_FATAL_FAILURE(KillAfter(wait_ms_(random_) / 4, ask));
    const bool interrupted = WasCutOff();
    cut_off += interrupted ? 1 : 0;
    const auto shown = daemon_.Send("GET", Path("/services/gone"));
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->status, interrupted ? 200 : 404) << shown->body;
    if (interrupted) {
      ASSERT_EQ(daemon_.Await(daemon_.Send("DELETE", Path("/services/gone"))), "Succeeded")
          << daemon_.last_error();
    }
    EXPECT_TRUE(Processes().empty());
  }
  EXPECT_GT(cut_off, 0) << "nothing was cut off";
}

}  // namespace
}  // namespace slipway::workspace
