// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "base/http/client.h"
#include "base/json.h"
#include "runtime/server/serve.h"
#include "tests/support/json.h"
#include "tests/support/tempdir.h"
#include "tests/support/tiny_onnx.h"

namespace slipway::server {

/// A scoring server in this program, by default with `y = x + x` over `float[N, 2]` as
/// `tiny:3`, and a client that asks it.
class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture() : client_(http::MakeClient({.retries = 0})) {
    WriteModel("tiny/tiny.onnx", testing::MakeTinyOnnx());
  }

  std::filesystem::path WriteModel(const std::string& name, const std::string& bytes) {
    const auto path = folder_ / name;
    EXPECT_TRUE(MakeFolders(path.parent_path()));
    EXPECT_TRUE(WriteFileAtomic(path, bytes));
    return path;
  }

  ScorerOptions Tiny() const {
    return {.models = {{.name = "tiny", .version = "3", .path = folder_ / "tiny"}}, .threads = 1};
  }

  void Start(ScorerOptions options) {
    auto service = Service::Start({.scorer = std::move(options), .listen = {"127.0.0.1:0"}});
    ASSERT_TRUE(service) << service.error().message;
    service_ = *std::move(service);
    loaded_ = service_->Load();
    base_ = "http://" + service_->addresses().at(0);
  }
  void Start() { Start(Tiny()); }

  http::Response Send(const std::string& method, const std::string& target, std::string body = "",
                      http::Headers headers = {}) {
    http::Request request{
        .method = method, .target = base_ + target, .headers = std::move(headers)};
    request.body = std::move(body);
    auto response = client_->Send(request);
    EXPECT_TRUE(response) << response.error().message;
    return response ? *std::move(response) : http::Response{.status = 0};
  }
  http::Response Post(const std::string& target, std::string body,
                      const std::string& type = "application/json") {
    return Send("POST", target, std::move(body), {{"Content-Type", type}});
  }
  static Json Parse(const http::Response& response) { return testing::ParsedJson(response.body); }

  testing::TempDir folder_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Service> service_;
  Result<void> loaded_;
  std::string base_;
};

}  // namespace slipway::server
