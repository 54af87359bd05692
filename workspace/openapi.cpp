// SPDX-License-Identifier: Apache-2.0
#include "workspace/openapi.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/text.h"
#include "workspace/route.h"

namespace slipway::workspace {
namespace {

OrderedJson Parameters(std::string_view path) {
  OrderedJson parameters = OrderedJson::array();
  for (const std::string& segment : Split(path, '/')) {
    if (segment.size() < 3 || segment.front() != '{') continue;
    parameters.push_back({{"name", segment.substr(1, segment.size() - 2)},
                          {"in", "path"},
                          {"required", true},
                          {"schema", {{"type", "string"}}}});
  }
  return parameters;
}

OrderedJson Describe(std::string_view unit, const Route& route) {
  const OrderedJson problem{{"$ref", "#/components/schemas/Problem"}};
  OrderedJson operation{{"summary", std::string(route.summary)},
                        {"tags", OrderedJson::array({std::string(unit)})},
                        {"parameters", Parameters(route.path)}};
  operation["responses"]["default"] = {
      {"description", "An error"},
      {"content", {{"application/problem+json", {{"schema", problem}}}}}};
  operation["responses"]["2XX"] = {{"description", "Done, or accepted"}};
  const bool is_open = route.path.substr(0, 5) != "/api/";
  if (is_open) operation["security"] = OrderedJson::array();
  if (!is_open) operation["x-slipway-role"] = std::string(RoleName(route.role));
  return operation;
}

OrderedJson ProblemSchema() {
  OrderedJson schema{{"type", "object"}};
  for (const char* name : {"type", "title", "detail", "code", "cause", "fix"}) {
    schema["properties"][name] = {{"type", "string"}};
  }
  schema["properties"]["status"] = {{"type", "integer"}};
  return schema;
}

}  // namespace

OrderedJson DescribeApi() {
  struct Row {
    std::string_view unit;
    const Route* route;
  };
  std::vector<Row> rows;
  for (const Unit<RouteList>& unit : routes_table()) {
    for (const Route& route : unit.make()) rows.push_back({unit.name, &route});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.route->path < b.route->path; });
  OrderedJson api{{"openapi", "3.0.3"},
                  {"info", {{"title", "Slipway workspace service"}, {"version", SLIPWAY_VERSION}}}};
  api["security"] = OrderedJson::array({{{"token", OrderedJson::array()}}});
  for (const Row& row : rows) {
    api["paths"][std::string(row.route->path)][ToLower(row.route->method)] =
        Describe(row.unit, *row.route);
  }
  api["components"]["securitySchemes"]["token"] = {{"type", "http"}, {"scheme", "bearer"}};
  api["components"]["schemas"]["Problem"] = ProblemSchema();
  return api;
}

}  // namespace slipway::workspace
