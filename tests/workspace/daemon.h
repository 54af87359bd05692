// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/http/client.h"
#include "base/json.h"
#include "base/process.h"
#include "tests/workspace/fixture.h"

namespace slipway::workspace {

using std::chrono::milliseconds;

inline std::filesystem::path DaemonProgram() {
  return std::filesystem::path(SLIPWAY_BINARY_DIR) / "bin" / "slipwayd";
}

/// What tests of a Daemon and its services start.
inline bool ProgramsAreBuilt() {
  return std::filesystem::exists(DaemonProgram()) && std::filesystem::exists(ServeProgram());
}

/// A slipwayd of its own process over a state folder, to be killed.
class Daemon {
 public:
  explicit Daemon(std::filesystem::path state) : state_(std::move(state)) {}
  ~Daemon() { Kill(); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  bool Start() {
    const auto started = Spawn({.argv = {DaemonProgram().string(), "--state", state_.string()},
                                .environment = {"SLIPWAY_SERVE=" + ServeProgram().string()},
                                .log = state_.string() + ".log"});
    if (!started) return false;
    process_ = *started;
    constexpr int kTries = 3000;
    for (int i = 0; i < kTries && IsRunning(process_); ++i) {
      if (ReadAddress()) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    ADD_FAILURE() << "slipwayd " << (IsRunning(process_) ? "says no address" : "has ended") << ": "
                  << EndOfLog();
    return false;
  }
  void Kill() { End(SIGKILL); }
  pid_t pid() const { return process_.pid; }
  /// Whether it ends by itself within a minute.
  bool AwaitEnd() {
    const std::lock_guard lock(mutex_);
    const std::optional<int> status = WaitForExit(process_, milliseconds(60'000));
    if (status) process_ = {};
    return status.has_value();
  }
  /// As `slipway down` does; whether it ended in time, with status 0.
  bool Stop() { return End(SIGTERM) == 0; }
  Result<http::Response> Send(const std::string& method, const std::string& path,
                              std::string body = {}) {
    http::Request request{.method = method, .target = address_ + path, .body = std::move(body)};
    request.headers.Set("Authorization", "Bearer " + token_);
    return client_->Send(request);
  }
  /// Waits for the operation that an answer tells of; says the state it ended in.
  std::string Await(const Result<http::Response>& answer) {
    EXPECT_TRUE(answer);
    if (!answer) return "";
    EXPECT_EQ(answer->status, 202) << answer->body;
    const auto started = ParseJson(answer->body);
    if (!started) return "";
    Json operation = *started;
    if (operation.contains("operation_id")) operation["id"] = operation["operation_id"];
    const std::string path = "/api/v1/operations/" + operation.value("id", "");
    constexpr int kTries = 6000;
    for (int i = 0; i < kTries; ++i) {
      operation = Get(path);
      const std::string state = operation.value("state", "");
      if (state != "NotStarted" && state != "Running") {
        if (state != "Succeeded") last_error_ = DumpJson(operation);
        return state;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    return "endless";
  }
  /// The last operation that did not succeed.
  const std::string& last_error() const { return last_error_; }
  /// What it has said last, to tell why something is not as it should be.
  std::string EndOfLog() const {
    constexpr std::int64_t kBytesMax = 64 << 20;
    constexpr std::size_t kShown = 4000;
    const auto log = ReadFile(state_.string() + ".log", kBytesMax);
    if (!log) return log.error().message;
    return log->substr(log->size() - std::min(log->size(), kShown));
  }
  Json Get(const std::string& path) {
    const auto response = Send("GET", path);
    EXPECT_TRUE(response) << path;
    if (!response) return Json::object();
    EXPECT_EQ(response->status, 200) << path << " " << response->body;
    const auto json = ParseJson(response->body);
    return json ? *json : Json::object();
  }
  /// Of a list, by value: it outlives the answer.
  Json Items(const std::string& path) { return Get(path).value("items", Json::array()); }

 private:
  int End(int signal) {
    const std::lock_guard lock(mutex_);
    if (process_.pid == 0) return 0;
    ::kill(process_.pid, signal);
    const std::optional<int> status = WaitForExit(process_, milliseconds(60'000));
    process_ = {};
    return status.value_or(-1);
  }
  /// endpoint.json of this very process: one that a killed one has left does not count.
  bool ReadAddress() {
    constexpr std::int64_t kBytesMax = 4096;
    const auto text = ReadFile(state_ / "run" / "endpoint.json", kBytesMax);
    const auto token = ReadFile(state_ / "admin.token", kBytesMax);
    if (!text || !token) return false;
    const auto json = ParseJson(*text);
    if (!json || json->value("pid", 0) != process_.pid) return false;
    address_ = json->value("address", "");
    token_ = token->substr(0, token->find('\n'));
    return true;
  }
  const std::filesystem::path state_;
  std::unique_ptr<http::Client> client_ = http::MakeClient({.retries = 0});
  std::mutex mutex_;  // guards process_ while it is killed
  ProcessId process_;
  std::string address_, token_, last_error_;
};

}  // namespace slipway::workspace
