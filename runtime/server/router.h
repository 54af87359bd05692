// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runtime/server/route.h"

namespace slipway::server {

struct RouterOptions {
  bool access_log = false;
};

/// Finds the route of a request: 404 where no path matches, 405 with Allow where only the method
/// does not. Adds the ids and headers that every answer carries, counts and logs.
/// Thread-safe. Source: the v1 scoring server's contract.
class Router {
 public:
  /// `scorer` must outlive the router.
  Router(Scorer& scorer, RouterOptions options);
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
  Found Find(std::string_view method, const std::vector<std::string>& segments) const;
  http::Response Answer(http::Request& request, std::string_view& pattern) const;
  http::Response Dispatch(http::Request& request, http::Target target,
                          std::string_view& pattern) const;

  Scorer& scorer_;
  const RouterOptions options_;
  std::vector<std::string> prefix_;
  std::vector<Compiled> routes_;  // more specific paths first
};

}  // namespace slipway::server
