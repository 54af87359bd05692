// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/serve.h"

#include <algorithm>

namespace slipway::server {
namespace {

constexpr int kScoringThreads = 32, kHealthThreads = 1;

}  // namespace

Service::Service(ServeOptions options)
    : options_(std::move(options)),
      scorer_(options_.scorer),
      router_(scorer_, {.access_log = options_.access_log}) {}

Service::~Service() { Drain(); }

Result<std::unique_ptr<http::Server>> Service::Listen(std::vector<std::string> addresses,
                                                      int threads) {
  http::ServerOptions options;
  options.listen = std::move(addresses);
  options.handler_threads = threads;
  return http::Server::Start(std::move(options),
                             [this](http::Request& request) { return router_.Handle(request); });
}

Result<std::unique_ptr<Service>> Service::Start(ServeOptions options) {
  std::unique_ptr<Service> service(new Service(std::move(options)));
  std::vector<std::string> own;
  for (const std::string& address : service->options_.listen) {
    (address.starts_with("fd:") ? service->inherited_ : own).push_back(address);
  }
  if (!own.empty()) service->server_ = TRY(service->Listen(std::move(own), kScoringThreads));
  if (!service->options_.health_listen.empty()) {
    service->health_ = TRY(service->Listen(service->options_.health_listen, kHealthThreads));
  }
  return service;
}

Result<void> Service::Load() {
  TRY(scorer_.Load());
  TRY(scorer_.CheckGolden());
  if (!inherited_.empty()) inherited_server_ = TRY(Listen(inherited_, kScoringThreads));
  return {};
}

void Service::Drain() {
  for (auto* server : {&inherited_server_, &server_}) {
    if (*server) (*server)->Drain();
  }
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
