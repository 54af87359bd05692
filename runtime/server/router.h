// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runtime/server/auth.h"
#include "runtime/server/request_id.h"
#include "runtime/server/route.h"

namespace slipway::server {

struct RouterOptions {
  bool access_log = false;
  ScriptHost* script = nullptr;  ///< answers instead of the models; must outlive the router
  ServiceKeys* keys = nullptr;   ///< null: none is asked for; must outlive the router
};

/// Finds the route of a request: 404 where no path matches, 405 with Allow where only the method
/// does not. Adds the ids and headers that every answer carries, counts and logs.
/// Thread-safe. Source: the v1 scoring server's contract.
class Router {
 public:
  /// `scorer` must outlive the router.
  Router(Scorer& scorer, RouterOptions options);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  http::Response Handle(http::Request& request) const;

 private:
  struct Compiled {
    Route route;
    std::vector<std::string> segments;
  };
  struct Found {
    const Compiled* route = nullptr;
    std::vector<std::pair<std::string, std::string>> params;
    std::vector<std::string> allowed;  ///< methods of routes with a path that matches
  };
  /// A target that is asked for just as a route names its path, and what the ordinary way finds.
  struct Plain {
    std::string target;
    http::Target parsed;
    const Compiled* route = nullptr;
  };
  Found Find(std::string_view method, const std::vector<std::string>& segments) const;
  const Plain* FindPlain(std::string_view method, std::string_view target) const;
  std::vector<Plain> PlainTargets() const;
  /// What the answer to a request is made with.
  struct Asked {
    http::Request& request;
    http::Target target;
    Result<RequestIds> ids;
    std::string_view pattern = "other";  ///< of the route that was found
  };
  http::Response Answer(Asked& asked) const;
  http::Response NotFound(const Asked& asked, const Found& found) const;
  http::Response AnswerRoute(Asked& asked, Found found) const;
  http::Target WithoutPrefix(http::Target target) const;

  Scorer& scorer_;
  const RouterOptions options_;
  std::vector<std::string> prefix_;
  std::vector<Compiled> routes_;  // more specific paths first
  std::vector<Plain> plain_;
};

}  // namespace slipway::server
