// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/http/server.h"
#include "base/result.h"
#include "runtime/server/router.h"
#include "runtime/server/scorer.h"
#include "runtime/server/script/host.h"

namespace slipway::server {

struct ServeOptions {
  ScorerOptions scorer;
  /// What answers instead of models of `scorer`.
  std::optional<ScriptHostOptions> script = {};
  /// Who may ask; null: everybody.
  std::shared_ptr<ServiceKeys> keys = {};
  /// Where requests are taken. An inherited socket (`fd:N`) is one that others may hold as well:
  /// connections are accepted from it only once this process is ready to answer.
  std::vector<std::string> listen;
  /// Where health, readiness and metrics are answered from the first moment on; may be empty.
  std::vector<std::string> health_listen = {};
  bool access_log = false;
};

/// A scoring server: its models or its script, and where it listens. Not thread-safe, but Stop.
class Service {
 public:
  /// Listens. id `Port.InUse` where an address is taken.
  static Result<std::unique_ptr<Service>> Start(ServeOptions options);
  /// Loads the models and compares the golden samples, or has the script's workers run init(),
  /// which may end with what ScriptHost::Load says. A model that cannot be loaded is an
  /// error; a sample that is not reproduced is one too (id `Model.WrongAnswer`), after which the
  /// service goes on telling so.
  Result<void> Load();
  /// Stops accepting and lets requests under way finish.
  void Drain();
  /// Ends a Load that is under way on another thread.
  void Interrupt();
  /// Goes on serving, and lets each response end its connection.
  void Leave();
  ~Service();

  /// Addresses bound: those of `listen`, then those of `health_listen`. Inherited sockets are
  /// among them once accepted from.
  std::vector<std::string> addresses() const;
  Scorer& scorer() { return scorer_; }
  ScriptHost* script() { return script_.get(); }

 private:
  explicit Service(ServeOptions options);
  Result<std::unique_ptr<http::Server>> Listen(std::vector<std::string> addresses,
                                               http::ServerOptions options);
  http::ServerOptions ScoringOptions();

  ServeOptions options_;
  Scorer scorer_;
  std::unique_ptr<ScriptHost> script_;
  Router router_;
  std::vector<std::string> inherited_;
  std::unique_ptr<http::Server> server_, health_, inherited_server_;
};

}  // namespace slipway::server
