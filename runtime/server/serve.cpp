// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/serve.h"

#include <algorithm>
#include <chrono>

namespace slipway::server {
namespace {

constexpr int kScoringThreads = 32, kHealthThreads = 1, kSpareThreads = 8, kIoThreadsMax = 16;
constexpr std::size_t kQuickBodyBytes = 64 << 10;
/// What orchestrators grant between asking a service to stop and ending it is 30 s.
constexpr std::chrono::milliseconds kScriptDrain{25'000};

std::unique_ptr<ScriptHost> HostOf(const ServeOptions& options, Metrics& metrics) {
  if (!options.script) return nullptr;
  return std::make_unique<ScriptHost>(*options.script, metrics);
}

}  // namespace

Service::Service(ServeOptions options)
    : options_(std::move(options)),
      scorer_(options_.scorer),
      script_(HostOf(options_, scorer_.metrics())),
      router_(scorer_, {.access_log = options_.access_log,
                        .script = script_.get(),
                        .keys = options_.keys.get()}) {}

Service::~Service() { Drain(); }

Result<std::unique_ptr<http::Server>> Service::Listen(std::vector<std::string> addresses,
                                                      http::ServerOptions options) {
  options.listen = std::move(addresses);
  if (script_) options.drain_timeout = kScriptDrain;
  return http::Server::Start(std::move(options),
                             [this](http::Request& request) { return router_.Handle(request); });
}

/// Requests that run or wait hold a thread each; health is to be answered beside them. Those to
/// models that take no time to speak of hold an I/O thread.
http::ServerOptions Service::ScoringOptions() {
  http::ServerOptions options;
  if (script_) {
    const ScriptSettings& settings = options_.script->settings;
    options.handler_threads = settings.workers + settings.waiting_max + kSpareThreads;
    return options;
  }
  options.handler_threads = kScoringThreads;
  options.io_threads = std::min(scorer_.slots(), kIoThreadsMax);
  options.quick = [this](const http::Request& request) {
    return request.body.size() <= kQuickBodyBytes && scorer_.IsQuick();
  };
  return options;
}

Result<std::unique_ptr<Service>> Service::Start(ServeOptions options) {
  std::unique_ptr<Service> service(new Service(std::move(options)));
  std::vector<std::string> own;
  for (const std::string& address : service->options_.listen) {
    (address.starts_with("fd:") ? service->inherited_ : own).push_back(address);
  }
  if (!own.empty()) {
    service->server_ = TRY(service->Listen(std::move(own), service->ScoringOptions()));
  }
  if (!service->options_.health_listen.empty()) {
    http::ServerOptions health;
    health.handler_threads = kHealthThreads;
    service->health_ = TRY(service->Listen(service->options_.health_listen, std::move(health)));
  }
  return service;
}

Result<void> Service::Load() {
  if (script_) {
    TRY(script_->Load());
  } else {
    TRY(scorer_.Load());
    TRY(scorer_.CheckGolden());
  }
  if (!inherited_.empty()) inherited_server_ = TRY(Listen(inherited_, ScoringOptions()));
  return {};
}

void Service::Interrupt() {
  if (script_) script_->StopLoading();
}

void Service::Leave() {
  for (auto* server : {&inherited_server_, &server_}) {
    if (*server) (*server)->Leave();
  }
}

void Service::Drain() {
  for (auto* server : {&inherited_server_, &server_}) {
    if (*server) (*server)->Drain();
  }
  if (script_) script_->Stop();
  scorer_.Stop();
  if (health_) health_->Drain();
}

std::vector<std::string> Service::addresses() const {
  std::vector<std::string> all;
  for (const auto* server : {&inherited_server_, &server_, &health_}) {
    if (!*server) continue;
    const auto some = (*server)->addresses();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace slipway::server
