// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/http.h"
#include "base/json.h"

namespace slipway::testing {

/// A published OpenAPI 2.0 description that judges requests and answers. Members that a schema does
/// not name are violations, also where the schema would let them pass.
class Swagger {
 public:
  /// JSON, or YAML by the file's name. Nothing where the file is not there; aborts the test program
  /// for one that cannot be read.
  static std::optional<Swagger> Load(const std::filesystem::path& file);

  /// What is wrong with the request, whose path begins with `base` (`/v1.41`); empty: nothing.
  std::vector<std::string> Violations(const http::Request& request, std::string_view base) const;
  /// The template of the request's path: `/containers/{id}/start`; empty if there is none.
  std::string Template(const http::Request& request, std::string_view base) const;

 private:
  explicit Swagger(Json document) : document_(std::move(document)) {}
  const Json& Resolve(const Json& schema) const;
  void CheckValue(const Json& schema, const Json& value, const std::string& where,
                  std::vector<std::string>& wrong) const;
  void CheckObject(const Json& schema, const Json& value, const std::string& where,
                   std::vector<std::string>& wrong) const;
  void Collect(const Json& schema, Json& properties, Json& required, const Json** more) const;
  void CheckText(const Json& parameter, const std::string& value, const std::string& where,
                 std::vector<std::string>& wrong) const;

  Json document_;
};

}  // namespace slipway::testing
