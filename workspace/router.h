// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/http/http.h"
#include "base/http/server.h"
#include "workspace/route.h"

namespace slipway::workspace {

/// Finds the route of a request: literal segments go before `{names}`. The only place that
/// answers 401, 404 and 405, that asks whether the caller has the route's role and workspace, puts
/// on record who changed what, and keeps responses for an Idempotency-Key. Thread-safe.
class Router {
 public:
  /// The workspace must outlive the router.
  explicit Router(Workspace& workspace);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  http::Response Handle(http::Request& request) const;

 private:
  struct Entry {
    const Route* route;
    std::vector<std::string> segments;
  };
  struct Match {
    const Route* route = nullptr;
    Call call;
    std::string allow;  ///< methods of the path, when none is the request's
  };
  Match Find(http::Request& request, const http::Target& target) const;
  http::Response Answer(http::Request& request, std::string& route_path) const;
  http::Response AnswerCall(const Route& route, Call& call) const;
  Result<http::Response> AnswerOnce(const Route& route, Call& call, const std::string& key) const;
  Workspace& workspace_;
  std::vector<Entry> entries_;
};

/// The answer to a request that failed.
http::Response FailureResponse(const Error& error);

/// Options of the server that carries the router's routes.
http::ServerOptions ServerOptionsFor(std::vector<std::string> listen);

}  // namespace slipway::workspace
