// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/http/http.h"
#include "base/result.h"
#include "base/unit.h"
#include "workspace/access.h"

namespace slipway::workspace {

class Workspace;

/// A request that has found its route.
struct Call {
  http::Request& request;
  const http::Target& target;
  std::map<std::string, std::string, std::less<>> params = {};
  Principal principal = {};  ///< who asks
  /// Value of a `{name}` of the route's path, which must have it.
  const std::string& Param(std::string_view name) const;
};

/// One thing a client can ask for. `path` may hold `{name}` segments.
struct Route {
  std::string_view method;   ///< `POST`
  std::string_view path;     ///< `/api/v1/workspaces/{w}/images`
  std::string_view summary;  ///< one line, for the API's description
  Result<http::Response> (*handle)(Call& call, Workspace& workspace) = nullptr;
  Role role = Role::kOwner;      ///< needed under `/api/`; elsewhere no token is
  bool changes_nothing = false;  ///< a POST that only asks: no Idempotency-Key is kept for it
  bool tells_secrets = false;    ///< the answer is kept nowhere, and asking is put on record
};
using RouteList = std::span<const Route>;
std::span<const Unit<RouteList>> routes_table();

}  // namespace slipway::workspace
