// SPDX-License-Identifier: Apache-2.0
#include "deployer/relay/relay.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

namespace slipway::deployer {
namespace {

constexpr int kHandlerThreads = 64;

/// Whether a field speaks of one connection only. Source: RFC 9110 section 7.6.1.
bool IsOfConnection(std::string_view name, std::string_view connection) {
  constexpr std::array<std::string_view, 11> kNames = {
      "connection", "keep-alive", "proxy-connection",   "proxy-authenticate",
      "te",         "trailer",    "content-length",     "transfer-encoding",
      "upgrade",    "expect",     "proxy-authorization"};
  const std::string lower = ToLower(name);
  if (std::find(kNames.begin(), kNames.end(), lower) != kNames.end()) return true;
  for (const std::string& named : Split(connection, ',')) {
    if (ToLower(Trim(named)) == lower) return true;
  }
  return false;
}

void CopyFields(const http::Headers& from, http::Headers& to) {
  const std::string connection(from.Get("Connection"));
  for (const auto& [name, value] : from) {
    if (!IsOfConnection(name, connection)) to.Add(name, value);
  }
}

std::unique_ptr<http::Client> ClientFor(const RelayOptions& options) {
  http::ClientOptions client;
  client.connect_timeout = std::chrono::milliseconds(5'000);
  client.stall_timeout = options.timeout;
  client.total_timeout = options.timeout;
  client.retries = 0;
  client.user_agent.clear();
  return http::MakeClient(std::move(client));
}

http::Response NoAnswer(const Error& error) {
  const bool late = error.code == Code::kDeadlineExceeded;
  http::Response response =
      http::Problem({.code = late ? Code::kDeadlineExceeded : Code::kUnavailable,
                     .message = "the service does not answer: " + error.message,
                     .id = "Service.Unreachable",
                     .fix = "try again; read the service's log if it goes on"});
  if (!late) response.headers.Set("Retry-After", "1");
  return response;
}

http::Response Says(const Json& json) { return http::JsonResponse(200, DumpJson(json)); }

}  // namespace

Relay::Relay(RelayOptions options)
    : options_(std::move(options)), client_(ClientFor(options_)), balance_(options_.upstreams) {}

Relay::~Relay() { Drain(); }

Result<std::unique_ptr<Relay>> Relay::Start(RelayOptions options) {
  std::unique_ptr<Relay> relay(new Relay(std::move(options)));
  TRY(relay->StartControl());
  http::ServerOptions open;
  open.listen = relay->options_.listen;
  open.handler_threads = kHandlerThreads;
  open.drain_timeout = relay->options_.timeout;
  relay->public_ =
      TRY(http::Server::Start(std::move(open), [relay = relay.get()](http::Request& request) {
        return relay->Forward(request);
      }));
  return relay;
}

Result<void> Relay::StartControl() {
  http::ServerOptions options;
  options.handler_threads = 1;
  if (!options_.control.empty()) {
    options.listen = {options_.control};
    control_ = TRY(
        http::Server::Start(options, [this](http::Request& request) { return Control(request); }));
  }
  if (options_.health.empty()) return {};
  options.listen = {options_.health};
  health_ = TRY(http::Server::Start(options, [](http::Request&) {
    return Says({{"state", "ready"}, {"message", "hands requests on"}});
  }));
  return {};
}

void Relay::Drain() {
  for (const auto* server : {&public_, &control_, &health_}) {
    if (*server) (*server)->Drain();
  }
}

std::string Relay::Enter() {
  const std::lock_guard lock(mutex_);
  std::string upstream = balance_.Next();
  ++in_flight_[upstream];
  return upstream;
}

void Relay::Leave(const std::string& upstream) {
  const std::lock_guard lock(mutex_);
  const auto at = in_flight_.find(upstream);
  if (--at->second == 0) in_flight_.erase(at);
}

http::Response Relay::Forward(http::Request& request) {
  const std::string upstream = Enter();
  http::Request onward{.method = request.method,
                       .target = upstream + request.target,
                       .body = std::move(request.body)};
  CopyFields(request.headers, onward.headers);
  auto answer = client_->Send(onward);
  Leave(upstream);
  if (!answer) return NoAnswer(answer.error());
  http::Response response{.status = answer->status, .body = std::move(answer->body)};
  CopyFields(answer->headers, response.headers);
  return response;
}

http::Response Relay::Control(const http::Request& request) {
  if (!EqualSecrets(request.headers.Get("Authorization"), "Bearer " + options_.token)) {
    return http::Problem({.code = Code::kPermissionDenied, .message = "wrong token"});
  }
  const auto target = http::ParseTarget(request.target);
  if (!target) return http::Problem(target.error());
  return Obey(target->path, request, *target);
}

http::Response Relay::Obey(const std::string& path, const http::Request& request,
                           const http::Target& target) {
  std::vector<Upstream> upstreams;
  if (path == "/upstream" && request.method == "PUT") upstreams = {{.url = request.body}};
  if (path == "/upstreams" && request.method == "PUT") {
    const auto json = ParseJson(request.body);
    auto read = json ? UpstreamsFromJson(*json) : Result<std::vector<Upstream>>(json.error());
    if (!read) return http::Problem(read.error());
    upstreams = *std::move(read);
  }
  const std::lock_guard lock(mutex_);
  if (!upstreams.empty()) {
    balance_ = Balance(upstreams);
    return Says({{"upstreams", ToJson(upstreams)}});
  }
  if (path == "/draining") {
    std::int64_t left = 0;
    for (const auto& [upstream, count] : in_flight_) left += balance_.Has(upstream) ? 0 : count;
    return Says({{"in_flight", left}});
  }
  const auto at = in_flight_.find(target.Query("upstream"));
  return Says({{"in_flight", at == in_flight_.end() ? 0 : at->second}});
}

}  // namespace slipway::deployer
