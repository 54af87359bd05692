// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/http/client.h"
#include "base/http/server.h"
#include "base/result.h"
#include "deployer/relay/balance.h"

namespace slipway::deployer {

struct RelayOptions {
  std::vector<std::string> listen;  ///< the service's address, as ServerOptions::listen
  std::string control = {};         ///< where orders come, on this machine; empty: none do
  std::string token = {};           ///< that they must have
  std::string health = {};  ///< where it says that it is ready, at every path; empty: nowhere
  std::vector<Upstream> upstreams;  ///< at least one
  /// A request that takes longer is given up.
  std::chrono::milliseconds timeout{3'600'000};
};

/// Holds a service's public port and hands each request to the revision that answers now, or to one
/// of those that do, each as often as its weight says. Clients keep their connections while
/// revisions come and go: a request belongs to the upstream it was sent to until its answer is
/// there, and `in flight` tells when an upstream has none left and can be stopped. Thread-safe.
///
/// Control: `PUT /upstream` (body: the URL), `PUT /upstreams` (`[{"url", "weight"}]`),
/// `GET /in-flight?upstream=URL`, `GET /draining`: what is under way at upstreams that get no more.
class Relay {
 public:
  /// kFailedPrecondition (id `Port.InUse`).
  static Result<std::unique_ptr<Relay>> Start(RelayOptions options);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::vector<std::string> addresses() const { return public_->addresses(); }
  std::string control_address() const { return control_->addresses().front(); }
  /// Lets requests under way finish and closes the port.
  void Drain();

 private:
  explicit Relay(RelayOptions options);
  http::Response Forward(http::Request& request);
  http::Response Control(const http::Request& request);
  http::Response Obey(const std::string& path, const http::Request& request,
                      const http::Target& target);
  Result<void> StartControl();
  std::string Enter();
  void Leave(const std::string& upstream);

  const RelayOptions options_;
  const std::unique_ptr<http::Client> client_;
  std::mutex mutex_;  // guards balance_ and in_flight_
  Balance balance_;
  std::map<std::string, std::int64_t> in_flight_;
  std::unique_ptr<http::Server> public_, control_, health_;
};

}  // namespace slipway::deployer
