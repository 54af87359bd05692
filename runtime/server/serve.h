// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/http/server.h"
#include "base/result.h"
#include "runtime/server/router.h"
#include "runtime/server/scorer.h"

namespace slipway::server {

struct ServeOptions {
  ScorerOptions scorer;
  /// Where requests are taken. An inherited socket (`fd:N`) is one that others may hold as well:
  /// connections are accepted from it only once this process is ready to answer.
  std::vector<std::string> listen;
  /// Where health, readiness and metrics are answered from the first moment on; may be empty.
  std::vector<std::string> health_listen = {};
  bool access_log = false;
};

/// A scoring server: its models and where it listens. Not thread-safe.
class Service {
 public:
  /// Listens. id `Port.InUse` where an address is taken.
  static Result<std::unique_ptr<Service>> Start(ServeOptions options);
  /// Loads the models and compares the golden samples. A model that cannot be loaded is an
  /// error; a sample that is not reproduced is one too (id `Model.WrongAnswer`), after which the
  /// service goes on telling so.
  Result<void> Load();
  /// Stops accepting and lets requests under way finish.
  void Drain();
  ~Service();

  /// Addresses bound: those of `listen`, then those of `health_listen`. Inherited sockets are
  /// among them once accepted from.
  std::vector<std::string> addresses() const;
  Scorer& scorer() { return scorer_; }

 private:
  explicit Service(ServeOptions options);
  Result<std::unique_ptr<http::Server>> Listen(std::vector<std::string> addresses, int threads);

  ServeOptions options_;
  Scorer scorer_;
  Router router_;
  std::vector<std::string> inherited_;
  std::unique_ptr<http::Server> server_, health_, inherited_server_;
};

}  // namespace slipway::server
