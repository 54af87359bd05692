// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/http/client.h"
#include "base/json.h"
#include "runtime/server/serve.h"
#include "tests/support/json.h"
#include "tests/support/tempdir.h"

namespace slipway::server {

/// Python of this machine; empty where there is none.
inline std::filesystem::path HostPython() {
  for (const char* path : {"/usr/bin/python3", "/usr/local/bin/python3"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return {};
}

/// A file of tests/server/scripts.
inline std::filesystem::path ScriptFile(const std::string& name) {
  return std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests/server/scripts" / name;
}

inline std::filesystem::path WorkerModules() {
  return std::filesystem::path(SLIPWAY_SOURCE_DIR) / "runtime/server/python";
}

inline std::vector<std::string> HostEnvironment() {
  std::vector<std::string> all;
  for (char** item = environ; *item != nullptr; ++item) all.emplace_back(*item);
  return all;
}

/// A scoring server in this program that runs a script of tests/server/scripts.
class ScriptFixture : public ::testing::Test {
 protected:
  ScriptFixture() : client_(http::MakeClient({.retries = 0})) {}

  void SetUp() override {
    if (HostPython().empty()) GTEST_SKIP() << "no python3 (apt-get install python3)";
  }

  ScriptHostOptions Script(const std::string& name) const {
    ScriptHostOptions options;
    const auto file = ScriptFile(name);
    options.config = {.entry = file,
                      .source_directory = file.parent_path(),
                      .app_root = file.parent_path(),
                      .python = HostPython(),
                      .python_path = {WorkerModules()}};
    options.around.environment = HostEnvironment();
    return options;
  }

  void Start(ServeOptions options) {
    options.listen = {"127.0.0.1:0"};
    auto service = Service::Start(std::move(options));
    ASSERT_TRUE(service) << service.error().message;
    service_ = *std::move(service);
    base_ = "http://" + service_->addresses().at(0);
    loaded_ = service_->Load();
  }
  void Start(ScriptHostOptions script, Environment environment = {}) {
    ServeOptions options;
    options.script = std::move(script);
    options.scorer.environment = std::move(environment);
    Start(std::move(options));
    ASSERT_TRUE(loaded_) << loaded_.error().message;
  }
  void Start(const std::string& name) { Start(Script(name)); }

  http::Response Send(const std::string& method, const std::string& target, std::string body = "",
                      http::Headers headers = {}) {
    http::Request request{
        .method = method, .target = base_ + target, .headers = std::move(headers)};
    request.body = std::move(body);
    auto response = client_->Send(request);
    EXPECT_TRUE(response) << response.error().message;
    return response ? *std::move(response) : http::Response{.status = 0};
  }
  http::Response Post(std::string body, http::Headers headers = {}) {
    return Send("POST", "/score", std::move(body), std::move(headers));
  }
  http::Response Do(const std::string& what) { return Post(R"({"do": ")" + what + "\"}"); }
  static Json Parse(const http::Response& response) { return testing::ParsedJson(response.body); }
  static std::string Message(const http::Response& response) {
    return Parse(response).value("message", "");
  }

  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Service> service_;
  Result<void> loaded_;
  std::string base_;
};

}  // namespace slipway::server
