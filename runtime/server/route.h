// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http/http.h"
#include "base/unit.h"

namespace slipway::server {

class Scorer;

/// A request on its way to a route's handler.
struct Call {
  http::Request& request;
  const http::Target& target;
  std::vector<std::pair<std::string, std::string>> params;  ///< what `{name}` in the path stood for
  Scorer& scorer;
  /// Empty if the path has no such parameter.
  std::string_view Param(std::string_view name) const;
};

/// A route of the scoring server. A segment of `path` is a word, `{name}`, or `{name}` and a
/// suffix (`{version}:predict`).
struct Route {
  std::string_view method;  ///< `POST`; GET answers HEAD as well
  std::string_view path;    ///< `/v2/models/{model}/infer`
  std::string_view summary;
  http::Response (*handle)(Call& call) = nullptr;
};
using RouteList = std::span<const Route>;
std::span<const Unit<RouteList>> routes_table();

/// Every route of every file.
std::vector<Route> AllRoutes();

}  // namespace slipway::server
