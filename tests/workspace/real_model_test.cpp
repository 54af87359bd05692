// SPDX-License-Identifier: Apache-2.0
/// A network that others have trained, from its file to a scored answer by way of REST alone.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/digest.h"
#include "base/json.h"
#include "runtime/runtime.h"
#include "tests/workspace/fixture.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kSide = 28;

std::filesystem::path Mnist() {
  return std::filesystem::path(SLIPWAY_SOURCE_DIR) / ".." / "shared" / "models" / "mnist.onnx";
}

/// Brightness of a picture that looks like nothing, but not the same everywhere.
float Pixel(std::int64_t row, std::int64_t column) {
  return static_cast<float>((row * 7 + column * 13) % 256);
}

/// What the runtime makes of the picture in this process.
std::vector<float> Expected() {
  const auto model = runtime::Model::Load(Mnist());
  EXPECT_TRUE(model);
  auto feeds = runtime::ZeroFeeds(*model);
  EXPECT_TRUE(feeds);
  const std::span<float> pixels = feeds->front().second.tensor()->data<float>();
  for (std::int64_t i = 0; i < kSide * kSide; ++i) {
    pixels[static_cast<std::size_t>(i)] = Pixel(i / kSide, i % kSide);
  }
  const auto session = runtime::Session::Create(*model);
  EXPECT_TRUE(session);
  const auto outputs = (*session)->Run(*feeds);
  EXPECT_TRUE(outputs);
  const auto scores = outputs->front().tensor()->data<float>();
  return {scores.begin(), scores.end()};
}

Json Picture() {
  Json rows = Json::array();
  for (std::int64_t row = 0; row < kSide; ++row) {
    Json line = Json::array();
    for (std::int64_t column = 0; column < kSide; ++column) line.push_back(Pixel(row, column));
    rows.push_back(std::move(line));
  }
  return Json{{"data", Json::array({Json::array({std::move(rows)})})}};
}

TEST(RealModel, MnistIsRegisteredBuiltDeployedAndScored) {
  if (!std::filesystem::exists(Mnist())) GTEST_SKIP() << Mnist() << " is not there";
  if (!std::filesystem::exists(ServeProgram())) GTEST_SKIP() << "slipway-serve is not built";
  const testing::TempDir folder;
  RunningWorkspace running(folder / "state");
  ASSERT_TRUE(running.ok());
  const auto ask = [&](const std::string& method, const std::string& path, std::string body = {}) {
    http::Request request{.method = method, .target = path, .body = std::move(body)};
    request.headers.Set("Authorization", "Bearer " + running.workspace().token());
    request.headers.Set("Content-Type", "application/json");
    const auto response = running.Send(request);
    EXPECT_TRUE(response) << path;
    const auto json = response ? ParseJson(response->body) : Result<Json>(response.error());
    Json answer{{"status", response ? response->status : 0}};
    if (json) answer["body"] = *json;
    return answer;
  };
  const std::string base = "/api/v1/workspaces/lab";
  ASSERT_EQ(ask("POST", "/api/v1/workspaces", R"({"name": "lab"})")["status"], 201);
  const auto onnx = ReadFile(Mnist(), 1 << 20);
  ASSERT_TRUE(onnx);
  const std::string digest = Digest::OfText(*onnx).text();
  ASSERT_EQ(ask("PUT", base + "/blobs/" + digest, *onnx)["status"], 201);
  const Json model{{"name", "mnist"},
                   {"tags", {"digits"}},
                   {"files", Json::array({{{"path", "mnist.onnx"}, {"digest", digest}}})}};
  const Json registered = ask("POST", base + "/models", DumpJson(model));
  ASSERT_EQ(registered["status"], 201) << registered;
  EXPECT_EQ(registered["body"]["inputs"][0]["type"], "tensor(float)");
  const Json started = ask("POST", base + "/services", R"({"name": "mnist", "model": "mnist:1"})");
  ASSERT_EQ(started["status"], 202) << started;
  const std::string operation = "/api/v1/operations/" + started["body"]["id"].get<std::string>();
  Json now;
  for (int i = 0; i < 6'000; ++i) {
    now = ask("GET", operation)["body"];
    if (!now["ended_time"].get<std::string>().empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_EQ(now["state"], "Succeeded") << now;
  const Json scored = ask("POST", base + "/services/mnist/score", DumpJson(Picture()));
  ASSERT_EQ(scored["status"], 200) << scored;
  Json scores = scored["body"].begin().value();
  while (scores.is_array() && scores.size() == 1) scores = Json(scores.front());
  const std::vector<float> expected = Expected();
  ASSERT_EQ(scores.size(), expected.size()) << scored;
  ASSERT_EQ(expected.size(), 10u);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(scores[i].get<float>(), expected[i]) << i;
  }
}

}  // namespace
}  // namespace slipway::workspace
