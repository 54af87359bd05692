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
class ScriptHost;

/// A request on its way to a route's handler.
struct Call {
  http::Request& request;
  http::Target& target;
  std::vector<std::pair<std::string, std::string>> params;  ///< what `{name}` in the path stood for
  Scorer& scorer;
  ScriptHost* script = nullptr;  ///< answers instead of the models; may be null
  std::string_view request_id = {};
  /// Empty if the path has no such parameter.
  std::string_view Param(std::string_view name) const;
};

/// Whether a route is there when a script answers.
enum class Serves : std::uint8_t { kAll, kModels };
/// Whether a route asks for one of the service's keys, where there are any.
enum class Access : std::uint8_t { kKey, kOpen };

/// A route of the scoring server. A segment of `path` is a word, `{name}`, or `{name}` and a
/// suffix (`{version}:predict`).
struct Route {
  std::string_view method;  ///< `POST`; GET answers HEAD as well
  std::string_view path;    ///< `/v2/models/{model}/infer`
  std::string_view summary;
  http::Response (*handle)(Call& call) = nullptr;
  Serves serves = Serves::kAll;
  Access access = Access::kKey;
};
using RouteList = std::span<const Route>;
std::span<const Unit<RouteList>> routes_table();

/// Every route of every file.
std::vector<Route> AllRoutes();

}  // namespace slipway::server
