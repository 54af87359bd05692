// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "workspace/answers.h"
#include "workspace/api.h"
#include "workspace/route.h"

/// What programs for the v1 control plane read and ask for: models, images, services and operations
/// with the names, the filters and the errors of its REST interface, below
/// `/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/…/workspaces/{w}`.
/// Source: the public description "Machine Learning Model Management Service", v1.0.
namespace slipway::workspace {

class Workspace;

/// An object as JSON text, with what lists of it are filtered and sorted by.
struct V1Item {
  std::string json;
  std::string created, updated;  ///< RFC 3339
  std::vector<std::string> tags;
  api::TextMap kv_tags, properties;
};

V1Item V1Model(const api::Model& model, const Call& call);
V1Item V1Image(const api::Image& image, const Call& call);
V1Item V1Service(const api::Service& service);
std::string V1Operation(const api::Operation& operation, const Call& call);

/// 202 with where the operation is to be asked for in the form of v1.
http::Response V1Accepted(const api::Operation& operation, const Call& call);

/// The answer to a DELETE: 204 for what was not there.
Result<http::Response> V1Deleted(const Result<void>& deleted);

/// `name:version` of the last segment of the path. kInvalidArgument (id `Request.Invalid`).
Result<VersionedName> V1Id(const Call& call);

/// The workspace of the path, under the names that the path gives it. kNotFound (id
/// `Workspace.NotFound`).
Result<api::Workspace> V1Workspace(const Call& call, Workspace& workspace);

/// Whether a query parameter is absent or says `value`.
bool V1Asks(const Call& call, std::string_view name, std::string_view value);

/// `{"value": […], "nextLink": "…"}` of the items that fit `tag`, `tags` and `properties` of the
/// query, in the order of `orderby` (or `usual_order`), `count` of them behind `$skipToken`.
/// kInvalidArgument (id `Request.Invalid`).
Result<http::Response> V1List(const Call& call, std::vector<V1Item> items,
                              std::string_view usual_order);

/// The same error as `{"code", "statusCode", "message", "details"}`.
http::Response V1Failure(const Error& error);

/// A handler whose errors have the form of v1.
template <Result<http::Response> (*Handler)(Call&, Workspace&)>
Result<http::Response> InV1Form(Call& call, Workspace& workspace) {
  Result<http::Response> answer = Handler(call, workspace);
  if (!answer) return V1Failure(answer.error());
  return answer;
}

}  // namespace slipway::workspace
