// SPDX-License-Identifier: Apache-2.0
#include "workspace/models.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/text.h"
#include "workspace/answers.h"
#include "workspace/model_json.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

using Pair = std::pair<std::string, std::optional<std::string>>;

/// All `name=key` and `name=key=value` of the query.
std::vector<Pair> ReadPairs(const Call& call, std::string_view name) {
  std::vector<Pair> pairs;
  for (const auto& [key, text] : call.target.query) {
    if (key != name) continue;
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      pairs.emplace_back(text, std::nullopt);
    } else {
      pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return pairs;
}

Error NotOneOf(std::string_view name, const std::string& value, std::string_view wanted) {
  return Error{
      .code = Code::kInvalidArgument,
      .message = std::string(name) + " \"" + value + "\" is none of " + std::string(wanted),
      .id = "Request.Invalid"};
}

Result<registry::ModelFilter> ReadFilter(const Call& call) {
  const PageRequest page = TRY(ReadPage(call));
  const std::string order = call.target.Query("order", "desc");
  const std::string latest = call.target.Query("latest", "false");
  if (order != "asc" && order != "desc") return NotOneOf("order", order, "asc, desc");
  if (latest != "true" && latest != "false") return NotOneOf("latest", latest, "true, false");
  return registry::ModelFilter{.name = call.target.Query("name"),
                               .tags = ReadPairs(call, "tag"),
                               .properties = ReadPairs(call, "property"),
                               .latest = latest == "true",
                               .ascending = order == "asc",
                               .limit = page.limit,
                               .next = page.next};
}

Result<registry::ModelVersion> Find(const Call& call, Workspace& workspace) {
  const VersionedName name = TRY(ReadVersion(call));
  return FindModel(workspace, call.Param("w"), name);
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const registry::ModelFilter filter = TRY(ReadFilter(call));
  const registry::ModelPage page = TRY(workspace.registry().List(call.Param("w"), filter));
  std::vector<Json> items;
  for (const registry::ModelVersion& model : page.models) items.push_back(ToJson(ModelOf(model)));
  return ListResponse(std::move(items), page.next);
}

Result<http::Response> Register(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::RegisterModel>(call));
  const registry::ModelVersion model = TRY(RegisterModel(workspace, call.Param("w"), wanted));
  http::Response response = ObjectResponse(201, ToJson(ModelOf(model)));
  response.headers.Set("Location", std::string(api::kBase) + "/workspaces/" + model.workspace +
                                       "/models/" + EncodePercent(model.name) + "/versions/" +
                                       std::to_string(model.version));
  return response;
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  return ObjectResponse(200, ToJson(ModelOf(TRY(Find(call, workspace)))));
}

Result<http::Response> Update(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::UpdateModel>(call));
  const VersionedName name = TRY(ReadVersion(call));
  const registry::ModelVersion model = TRY(
      UpdateModel(workspace, call.Param("w"), name, wanted, call.request.headers.Get("If-Match")));
  return ObjectResponse(200, ToJson(ModelOf(model)));
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  const VersionedName name = TRY(ReadVersion(call));
  TRY(DeleteModel(workspace, call.Param("w"), name, call.request.headers.Get("If-Match")));
  return NoContent();
}

Result<http::Response> Content(Call& call, Workspace& workspace) {
  const registry::ModelVersion found = TRY(Find(call, workspace));
  const std::string path = call.target.Query("path", found.main_file);
  const auto file = std::find_if(found.files.begin(), found.files.end(),
                                 [&](const registry::ModelFile& f) { return f.path == path; });
  if (file == found.files.end()) {
    return Error{.code = Code::kNotFound,
                 .message = "model \"" + found.id + "\" has no file \"" + path + "\"",
                 .id = "Model.FileNotFound",
                 .fix = "the model's \"files\" lists what there is"};
  }
  const Digest digest = TRY(Digest::Parse(file->digest));
  return FileResponse(call, TRY(workspace.blobs().Path(digest)), {.etag = digest.text()});
}

}  // namespace

RouteList routes_models() {
  static constexpr std::string_view kVersion = "/api/v1/workspaces/{w}/models/{name}/versions/{v}";
  static constexpr Route kRoutes[] = {
      {"GET", "/api/v1/workspaces/{w}/models", "List model versions", List, Role::kReader},
      {"POST", "/api/v1/workspaces/{w}/models", "Register the next version of a model", Register,
       Role::kContributor},
      {"GET", kVersion, "Show a model version", Show, Role::kReader},
      {"PATCH", kVersion, "Change description, tags and properties", Update, Role::kContributor},
      {"DELETE", kVersion, "Delete a model version that no service uses", Delete,
       Role::kContributor},
      {"GET", "/api/v1/workspaces/{w}/models/{name}/versions/{v}/content",
       "Read a file of a model version", Content, Role::kReader},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
