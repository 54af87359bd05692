// SPDX-License-Identifier: Apache-2.0
/// Times the path of templates/digits from a file to a scored answer, with the programs of this
/// build and a state folder of its own.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/http/client.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/bench/phase_watch.h"
#include "tests/bench/report.h"
#include "workspace/api.h"

namespace slipway::bench {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr int kColdStarts = 15, kBuilds = 20, kRegisters = 1000, kRoundTrips = 2000;
constexpr milliseconds kPatience{60'000};

fs::path Program(const char* name) { return fs::path(SLIPWAY_BINARY_DIR) / "bin" / name; }
fs::path Digits() { return fs::path(SLIPWAY_SOURCE_DIR) / "templates" / "digits"; }

double Now() {
  return std::chrono::duration<double, std::milli>(SystemClock().Steady().time_since_epoch())
      .count();
}

Error Wrong(std::string message) {
  return Error{.code = Code::kInternal, .message = std::move(message)};
}

/// The digit of the largest of ten numbers in the innermost list of an answer.
Result<int> Answer(const std::string& body) {
  Json json = TRY(ParseJson(body));
  while (json.is_object() && json.size() == 1) json = Json(json.begin().value());
  while (json.is_array() && json.size() == 1) json = Json(json.front());
  if (!json.is_array() || json.size() != 10) return Wrong("no answer of ten numbers: " + body);
  return static_cast<int>(std::max_element(json.begin(), json.end()) - json.begin());
}

class Bench {
 public:
  explicit Bench(fs::path folder) : folder_(std::move(folder)), state_(folder_ / "state") {
    environment_ = {"SLIPWAY_STATE=" + state_.string(), "HOME=" + folder_.string(),
                    "PATH=/usr/bin:/bin"};
  }

  /// What the deploys did when, for people.
  const std::string& phases() const { return phases_; }

  Result<std::vector<Figure>> Run() {
    TRY(ColdStart());
    TRY(Slipway({"up", "-q"}));
    const auto done = WithService();
    TRY(Slipway({"down", "-q"}));
    if (!done) return done.error();
    return figures_;
  }

 private:
  Result<void> WithService() {
    TRY(Connect());
    TRY(Deploy("digits", "deploy to the first right answer, first ever"));
    TRY(Deploy("digits-again", "deploy to the first right answer, server layer built"));
    TRY(RoundTrips());
    TRY(BuildAgain());
    return Registers();
  }

  Result<void> Slipway(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Program("slipway").string());
    const fs::path log = folder_ / "slipway.log";
    const ProcessId process =
        TRY(Spawn({.argv = arguments, .environment = environment_, .folder = folder_, .log = log}));
    const auto status = WaitForExit(process, kPatience);
    if (status && *status == 0) return {};
    const auto text = ReadFile(log, limits::kLogBytes);
    return Wrong(Join(arguments, " ") + " failed: " + (text ? *text : ""));
  }

  Result<void> Connect() {
    const std::string endpoint = TRY(ReadFile(state_ / "run" / "endpoint.json", 1 << 16));
    const Json json = TRY(ParseJson(endpoint));
    base_ = TRY(GetString(json, "address"));
    if (base_.find("://") == std::string::npos) base_ = "http://" + base_;
    const std::string token = TRY(ReadFile(state_ / "admin.token", 1 << 16));
    token_ = std::string(Trim(token));
    return {};
  }

  Result<Json> Call(const std::string& method, const std::string& path, const Json& body = {}) {
    http::Request request{.method = method, .target = base_ + path};
    request.headers.Set("Authorization", "Bearer " + token_);
    if (!body.is_null()) {
      request.headers.Set("Content-Type", "application/json");
      request.body = DumpJson(body);
    }
    const http::Response response = TRY(client_->Send(request));
    if (response.status >= 300) return http::ErrorFromResponse(response);
    return ParseJson(response.body);
  }

  /// One request to a scoring URI; whether the answer is the true digit.
  Result<bool> Score(const std::string& uri, const std::string& body, int label) {
    http::Request request{.method = "POST", .target = uri};
    request.headers.Set("Content-Type", "application/json");
    request.body = body;
    const http::Response response = TRY(client_->Send(request));
    if (response.status != 200) return http::ErrorFromResponse(response);
    return TRY(Answer(response.body)) == label;
  }

  Result<std::string> Sample(int digit) {
    return ReadFile(Digits() / "samples" / ("digits_" + std::to_string(digit) + ".json"), 1 << 16);
  }

  Result<void> ColdStart() {
    const std::string body = TRY(Sample(7));
    std::vector<double> times;
    for (int i = 0; i < kColdStarts; ++i) {
      const fs::path socket = folder_ / ("serve-" + std::to_string(i));
      const auto client = http::MakeClient({.retries = 0, .unix_socket = socket});
      http::Request request{.method = "POST", .target = "http://localhost/score"};
      request.headers.Set("Content-Type", "application/json");
      request.body = body;
      const double begin = Now();
      const ProcessId process = TRY(
          Spawn({.argv = {Program("slipway-serve").string(), (Digits() / "digits.onnx").string(),
                          "--listen", "unix:" + socket.string()},
                 .environment = environment_,
                 .log = folder_ / "serve.log"}));
      auto response = client->Send(request);
      while ((!response || response->status != 200) && Now() - begin < 10'000) {
        SystemClock().Sleep(milliseconds(1));
        response = client->Send(request);
      }
      times.push_back(Now() - begin);
      TRY(Terminate(process, milliseconds(5'000)));
      if (!response) return Within("slipway-serve", response.error());
      const int digit = TRY(Answer(response->body));
      if (digit != 7) return Wrong("a wrong digit: " + response->body);
    }
    figures_.push_back(
        {"slipway-serve cold start to the first score", "ms", Percentile(times, 0.5), 50});
    return {};
  }

  Result<void> Deploy(const std::string& name, const std::string& what) {
    const std::string body = TRY(Sample(7));
    PhaseWatch watch({.address = base_, .authorization = "Bearer " + token_}, Now);
    const double begin = Now();
    TRY(Slipway({"deploy", (Digits() / "digits.onnx").string(), "--name", name, "-q"}));
    const Json service = TRY(Call("GET", "/api/v1/workspaces/default/services/" + name));
    uri_ = TRY(GetString(service, "scoring_uri"));
    const bool right = TRY(Score(uri_, body, 7));
    if (!right) return Wrong("a wrong digit");
    figures_.push_back({what, "s", (Now() - begin) / 1000, 1});
    phases_ += "\n" + what + ", its phases and when they began:\n";
    for (const PhaseWatch::Phase& phase : watch.Finish()) {
      phases_ += fmt::format("{:>8.3f} s  {}\n", (phase.at - begin) / 1000, phase.text);
    }
    return {};
  }

  Result<void> RoundTrips() {
    const std::string body = TRY(Sample(3));
    const auto time = [&](const std::string& what,
                          const std::function<Result<bool>()>& once) -> Result<void> {
      std::vector<double> times;
      for (int i = 0; i < kRoundTrips; ++i) {
        const double begin = Now();
        const bool right = TRY(once());
        if (!right) return Wrong(what + ": a wrong answer");
        times.push_back(Now() - begin);
      }
      figures_.push_back({what + ", p50", "ms", Percentile(times, 0.5), 0});
      figures_.push_back({what + ", p99", "ms", Percentile(times, 0.99), 0});
      return {};
    };
    const auto health = [&]() -> Result<bool> {
      const http::Response response = TRY(client_->Send({.target = base_ + "/healthz"}));
      return response.status == 200;
    };
    TRY(time("HTTP round trip, GET /healthz", health));
    return time("HTTP round trip, POST /score", [&] { return Score(uri_, body, 3); });
  }

  Result<void> BuildAgain() {
    const std::string images = "/api/v1/workspaces/default/images";
    const Json wanted = api::ToJson(api::CreateImage{.name = "again", .models = {"digits:1"}});
    std::vector<double> times;
    double size = 0;
    for (int i = 0; i <= kBuilds; ++i) {
      const double begin = Now();
      Json operation = TRY(Call("POST", images, wanted));
      const std::string path = "/api/v1/operations/" + TRY(GetString(operation, "id"));
      while (operation.value("state", "") == "NotStarted" ||
             operation.value("state", "") == "Running") {
        if (Now() - begin > 60'000) return Wrong("an image takes too long");
        SystemClock().Sleep(milliseconds(1));
        operation = TRY(Call("GET", path));
      }
      if (operation.value("state", "") != "Succeeded") return Wrong(DumpJson(operation));
      if (i > 0) times.push_back(Now() - begin);
    }
    const Json image = TRY(Call("GET", images + "/again/versions/latest"));
    size = static_cast<double>(TRY(GetInt(image, "size")));
    figures_.push_back({"image build, nothing changed", "ms", Percentile(times, 0.5), 50});
    figures_.push_back({"image size, compressed", "MB", size / 1e6, 40});
    return {};
  }

  Result<void> Registers() {
    const fs::path file = Digits() / "digits.onnx";
    const Digest digest = TRY(Digest::OfFile(file));
    api::RegisterModel model;
    model.name = "many";
    model.files = {{"digits.onnx", digest.text(), static_cast<std::int64_t>(fs::file_size(file))}};
    const Json body = api::ToJson(model);
    std::vector<double> times;
    const double begin = Now();
    for (int i = 0; i < kRegisters; ++i) {
      const double one = Now();
      TRY(Call("POST", "/api/v1/workspaces/default/models", body));
      times.push_back(Now() - one);
    }
    figures_.push_back({std::to_string(kRegisters) + " registers, one after the other", "s",
                        (Now() - begin) / 1000, 0});
    figures_.push_back({"one register, p99", "ms", Percentile(times, 0.99), 0});
    return {};
  }

  const fs::path folder_, state_;
  std::vector<std::string> environment_;
  std::unique_ptr<http::Client> client_ = http::MakeClient({});
  std::string base_, token_, uri_, phases_;
  std::vector<Figure> figures_;
};

Result<int> Main(const fs::path& report) {
  const fs::path folder = TRY(MakeTempFolder(fs::temp_directory_path(), "slipway-bench-"));
  Bench bench(folder);
  auto figures = bench.Run();
  TRY(RemoveTree(folder));
  if (!figures) return figures.error();
  std::fputs(Table(*figures).c_str(), stdout);
  std::fputs(bench.phases().c_str(), stdout);
  TRY(WriteReport(report, *figures));
  std::printf("\nwritten to %s\n", report.c_str());
  for (const Figure& figure : *figures) {
    if (!figure.Met()) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace slipway::bench

int main(int argc, char** argv) {
  const std::filesystem::path report =
      argc > 1 ? argv[1] : std::filesystem::path(SLIPWAY_BINARY_DIR) / "bench.json";
  const auto status = slipway::bench::Main(report);
  if (status) return *status;
  std::fprintf(stderr, "path_bench: %s\n", status.error().message.c_str());
  return 1;
}
