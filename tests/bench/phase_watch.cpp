// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/phase_watch.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/json.h"

namespace slipway::bench {
namespace {

constexpr std::chrono::milliseconds kLookEvery{5};

http::Request Get(const Service& service, const std::string& path) {
  http::Request request{.target = service.address + path};
  request.headers.Set("Authorization", service.authorization);
  return request;
}

std::string NewestOperation(http::Client& client, const Service& service) {
  const auto answer = client.Send(Get(service, "/api/v1/workspaces/default/operations?limit=1"));
  if (!answer || answer->status != 200) return "";
  const auto page = ParseJson(answer->body);
  if (!page || !page->contains("items") || page->at("items").empty()) return "";
  return page->at("items").front().value("id", "");
}

/// Cuts server-sent events out of what arrives.
class EventCutter {
 public:
  /// The text of each phase that is whole now.
  std::vector<std::string> Take(std::string_view arrived) {
    std::vector<std::string> phases;
    rest_ += arrived;
    for (std::size_t end = rest_.find("\n\n"); end != std::string::npos; end = rest_.find("\n\n")) {
      const std::string event = rest_.substr(0, end);
      rest_.erase(0, end + 2);
      const std::size_t data = event.find("\ndata: ");
      if (event.find("event: phase\n") == std::string::npos || data == std::string::npos) continue;
      const auto json = ParseJson(event.substr(data + 7));
      if (json) phases.push_back(json->value("text", ""));
    }
    return phases;
  }

 private:
  std::string rest_;
};

}  // namespace

PhaseWatch::PhaseWatch(Service service, std::function<double()> now)
    : service_(std::move(service)),
      now_(std::move(now)),
      before_(NewestOperation(*http::MakeClient({}), service_)),
      thread_([this](const std::stop_token& stop) { Follow(stop); }) {}

std::vector<PhaseWatch::Phase> PhaseWatch::Finish() {
  thread_.request_stop();
  thread_.join();
  return std::move(phases_);
}

void PhaseWatch::Follow(const std::stop_token& stop) {
  const auto client = http::MakeClient({});
  std::string operation = before_;
  while (operation == before_ || operation.empty()) {
    if (stop.stop_requested()) return;
    SystemClock().Sleep(kLookEvery);
    operation = NewestOperation(*client, service_);
  }
  EventCutter cutter;
  const auto note = [&](std::span<const std::byte> bytes) -> Result<void> {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::string& phase : cutter.Take(text)) phases_.push_back({now_(), std::move(phase)});
    return {};
  };
  static_cast<void>(
      client->Send(Get(service_, "/api/v1/operations/" + operation + "/events"), note).has_value());
}

}  // namespace slipway::bench
