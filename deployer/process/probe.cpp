// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/probe.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace slipway::deployer {
namespace {

constexpr std::int64_t kAnswerBytes = 64 << 10;

}  // namespace

std::unique_ptr<http::Client> MakeProbeClient() {
  http::ClientOptions options;
  options.connect_timeout = std::chrono::milliseconds(500);
  options.total_timeout = std::chrono::milliseconds(2000);
  options.retries = 0;
  options.response_bytes_max = kAnswerBytes;
  return http::MakeClient(std::move(options));
}

ProbeResult Probe(http::Client& client, int health_port) {
  return Probe(client, fmt::format("http://127.0.0.1:{}", health_port));
}

ProbeResult Probe(http::Client& client, const std::string& server) {
  http::Request request;
  request.target = server + "/readyz";
  auto response = client.Send(request);
  using State = ProbeResult::State;
  if (!response) return {.state = State::kSilent, .detail = response.error().message};
  ProbeResult result{.state = State::kWaiting,
                     .detail = fmt::format("/readyz answers {}", response->status)};
  if (auto json = ParseJson(response->body); json && json->is_object()) {
    if (auto message = GetString(*json, "message")) result.detail = *std::move(message);
    const auto state = GetStringOr(*json, "state", "");
    // One that is `failed` is about to end; how it ends says why.
    if (state && *state == "wrong") result.state = State::kWrong;
  }
  if (response->status == 200) result.state = State::kReady;
  return result;
}

}  // namespace slipway::deployer
