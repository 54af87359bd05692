// SPDX-License-Identifier: Apache-2.0
#include "workspace/v1_control.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "workspace/router.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kCountUsual = 100;

using Pair = std::pair<std::string, std::optional<std::string>>;

/// `a=1,b` of a query parameter as pairs; a bare name asks for the name alone.
std::vector<Pair> ReadPairs(const Call& call, std::string_view name) {
  std::vector<Pair> pairs;
  for (const std::string& part : Split(call.target.Query(name), ',')) {
    const std::size_t equals = part.find('=');
    if (part.empty()) continue;
    if (equals == std::string::npos) {
      pairs.emplace_back(part, std::nullopt);
    } else {
      pairs.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    }
  }
  return pairs;
}

bool Fits(const std::vector<Pair>& pairs, const api::TextMap& values) {
  return std::all_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
    const auto found = values.find(pair.first);
    return found != values.end() && (!pair.second || *pair.second == found->second);
  });
}

/// How a list is sorted: by which time, and which end first.
struct Order {
  bool by_update = false, ascending = false;
};

Result<Order> ReadOrder(const Call& call, std::string_view usual) {
  const std::string order = ToLower(call.target.Query("orderby", usual));
  if (order == "createdatdesc") return Order{};
  if (order == "createdatasc") return Order{.ascending = true};
  if (order == "updatedatdesc") return Order{.by_update = true};
  if (order == "updatedatasc") return Order{.by_update = true, .ascending = true};
  return Error{.code = Code::kInvalidArgument,
               .message = "orderby \"" + order +
                          "\" is none of CreatedAtDesc, CreatedAtAsc, UpdatedAtDesc, UpdatedAtAsc",
               .id = "Request.Invalid"};
}

void Sort(std::vector<V1Item>& items, const Order& order) {
  const auto before = [&](const V1Item& a, const V1Item& b) {
    const std::string& left = order.by_update ? a.updated : a.created;
    const std::string& right = order.by_update ? b.updated : b.created;
    return order.ascending ? left < right : right < left;
  };
  // They come newest first; those of one time keep that order, or its reverse.
  if (order.ascending) std::reverse(items.begin(), items.end());
  std::stable_sort(items.begin(), items.end(), before);
}

Error OutOfRange(std::string_view name, std::int64_t value) {
  return Error{.code = Code::kInvalidArgument,
               .message = std::string(name) + " " + std::to_string(value) + " is out of range",
               .id = "Request.Invalid"};
}

/// The query of the call with another `$skipToken`.
std::string NextLink(const Call& call, std::int64_t skip) {
  std::string link = call.target.path + "?";
  for (const auto& [name, value] : call.target.query) {
    if (name != "$skipToken") link += EncodePercent(name) + "=" + EncodePercent(value) + "&";
  }
  return link + "%24skipToken=" + std::to_string(skip);
}

/// The path of the workspace of the call.
std::string Base(const Call& call) {
  const std::string& path = call.target.path;
  const std::size_t at = path.find("/workspaces/");
  return path.substr(0, path.find('/', at + std::string_view("/workspaces/").size()));
}

std::string Without(const std::string& text, std::string_view start) {
  return text.starts_with(start) ? text.substr(start.size()) : text;
}

/// `/workspaces/lab/images/a/versions/3` as `/images/a:3`.
std::string Resource(const api::Operation& operation) {
  std::string rest = Without(operation.resource, "/workspaces/" + operation.workspace);
  const std::size_t versions = rest.find("/versions/");
  if (versions != std::string::npos) {
    rest.replace(versions, std::string_view("/versions/").size(), ":");
  }
  return rest;
}

std::string OperationType(const std::string& kind) {
  if (kind.starts_with("image.")) return "Image";
  if (kind.starts_with("service.")) return "Service";
  return kind;
}

Json V1Error(const std::string& code, int status, const std::string& message,
             const std::string& cause, const std::string& fix) {
  Json details = Json::array();
  if (!cause.empty() || !fix.empty()) {
    details.push_back({{"code", cause.empty() ? code : cause}, {"message", fix}, {"target", ""}});
  }
  return {{"code", code}, {"statusCode", status}, {"message", message}, {"details", details}};
}

Json TimeOrNull(const std::string& time) { return time.empty() ? Json() : Json(time); }

}  // namespace

V1Item V1Model(const api::Model& model, const Call& call) {
  Json json{{"id", model.id},
            {"name", model.name},
            {"version", model.version},
            {"description", model.description},
            {"tags", model.tags},
            {"kvTags", model.kv_tags},
            {"properties", model.properties},
            {"framework", model.framework},
            {"frameworkVersion", model.framework_version},
            {"createdTime", model.created_time},
            {"modifiedTime", model.updated_time},
            {"url", std::string(api::kBase) + "/workspaces/" + EncodePercent(call.Param("w")) +
                        "/models/" + EncodePercent(model.name) + "/versions/" +
                        std::to_string(model.version) + "/content"},
            {"mimeType", "application/octet-stream"},
            {"unpack", model.files.size() > 1},
            {"digest", model.digest}};
  return {DumpJson(json), model.created_time, model.updated_time,
          model.tags,     model.kv_tags,      model.properties};
}

V1Item V1Image(const api::Image& image, const Call& call) {
  const std::string state = image.state == "Creating" ? "Running" : image.state;
  Json json{
      {"id", image.id},
      {"name", image.name},
      {"version", image.version},
      {"description", image.description},
      {"imageType", "Docker"},
      {"imageFlavor", "WebApiContainer"},
      {"creationState", state},
      {"error", image.error.empty() ? Json() : V1Error("Image", 400, image.error, "", "")},
      {"imageLocation", image.id},
      {"imageBuildLogUri",
       std::string(api::kBase) + "/workspaces/" + EncodePercent(call.Param("w")) + "/images/" +
           EncodePercent(image.name) + "/versions/" + std::to_string(image.version) + "/logs"},
      {"imageDigest", image.digest},
      {"modelIds", image.models},
      {"autoDelete", false},
      {"tags", image.tags},
      {"kvTags", image.kv_tags},
      {"properties", image.properties},
      {"createdTime", image.created_time}};
  return {DumpJson(json), image.created_time, image.created_time,
          image.tags,     image.kv_tags,      image.properties};
}

V1Item V1Service(const api::Service& service) {
  std::vector<std::string> tags;
  for (const auto& [name, value] : service.kv_tags) tags.push_back(name);
  const bool failed =
      !service.cause.empty() || service.state == "Unhealthy" || service.state == "Failed";
  Json json{{"id", service.name},
            {"name", service.name},
            {"description", service.description},
            {"state", service.state},
            {"computeType", service.compute_type},
            {"deploymentType", "HttpRealtimeEndpoint"},
            {"imageId", service.image},
            {"imageDigest", service.image_digest},
            {"scoringUri", service.scoring_uri},
            {"swaggerUri", service.swagger_uri},
            {"authEnabled", service.auth_enabled},
            {"error", failed ? V1Error(service.cause.empty() ? service.state : service.cause, 400,
                                       service.detail, "", "")
                             : Json()},
            {"tags", tags},
            {"kvTags", service.kv_tags},
            {"properties", service.properties},
            {"createdTime", service.created_time},
            {"updatedTime", service.updated_time}};
  return {DumpJson(json),  service.created_time, service.updated_time,
          std::move(tags), service.kv_tags,      service.properties};
}

std::string V1Operation(const api::Operation& operation, const Call& call) {
  constexpr int kBadRequest = 400;
  const Json error = operation.error.empty()
                         ? Json()
                         : V1Error(operation.error_code, kBadRequest, operation.error,
                                   operation.error_cause, operation.fix);
  const std::string base = Base(call);
  const Json json{{"id", operation.id},
                  {"operationType", OperationType(operation.kind)},
                  {"state", operation.state},
                  {"createdTime", operation.created_time},
                  {"endTime", TimeOrNull(operation.ended_time)},
                  {"error", error},
                  {"resourceLocation", base + Resource(operation)},
                  {"operationLog", std::string(api::kBase) + "/operations/" + operation.id},
                  {"operationDetails",
                   {{"subOperationType", operation.phase}, {"subOperationState", operation.state}}},
                  {"parentRequestId", operation.id}};
  return DumpJson(json);
}

http::Response V1Accepted(const api::Operation& operation, const Call& call) {
  http::Response response = http::JsonResponse(202, V1Operation(operation, call));
  response.headers.Set("Operation-Location", Base(call) + "/operations/" + operation.id);
  return response;
}

Result<http::Response> V1Deleted(const Result<void>& deleted) {
  if (deleted) return http::JsonResponse(200, "{}");
  if (deleted.error().code == Code::kNotFound) return NoContent();
  return deleted.error();
}

Result<VersionedName> V1Id(const Call& call) {
  VersionedName name = TRY(ParseVersionedName(call.Param("id")));
  if (name.version != 0) return name;
  return Error{.code = Code::kInvalidArgument,
               .message = "id \"" + call.Param("id") + "\" is not of the form name:version",
               .id = "Request.Invalid"};
}

Result<api::Workspace> V1Workspace(const Call& call, Workspace& workspace) {
  const api::Workspace found = TRY(workspace.store().GetWorkspace(call.Param("w")));
  const bool subscription =
      found.subscription_id.empty() || found.subscription_id == call.Param("s");
  const bool group =
      found.resource_group.empty() || ToLower(found.resource_group) == ToLower(call.Param("rg"));
  if (subscription && group) return found;
  return Error{.code = Code::kNotFound,
               .message = "workspace \"" + found.name + "\" is not in resource group \"" +
                          call.Param("rg") + "\" of subscription \"" + call.Param("s") + "\"",
               .id = "Workspace.NotFound",
               .fix = "GET /api/v1/workspaces tells the subscription and group of each"};
}

bool V1Asks(const Call& call, std::string_view name, std::string_view value) {
  const std::string wanted = call.target.Query(name);
  return wanted.empty() || wanted == value;
}

Result<http::Response> V1List(const Call& call, std::vector<V1Item> items,
                              std::string_view usual_order) {
  const std::int64_t count = TRY(ReadNumber(call, "count", kCountUsual));
  const std::int64_t skip = TRY(ReadNumber(call, "$skipToken", 0));
  if (count < 1 || count > limits::kPageItems) return OutOfRange("count", count);
  if (skip < 0) return OutOfRange("$skipToken", skip);
  const Order order = TRY(ReadOrder(call, usual_order));
  const std::vector<Pair> tags = ReadPairs(call, "tags");
  const std::vector<Pair> properties = ReadPairs(call, "properties");
  const std::string tag = call.target.Query("tag");
  std::erase_if(items, [&](const V1Item& item) {
    const bool has_tag =
        tag.empty() || std::find(item.tags.begin(), item.tags.end(), tag) != item.tags.end();
    return !has_tag || !Fits(tags, item.kv_tags) || !Fits(properties, item.properties);
  });
  Sort(items, order);
  std::vector<std::string> value;
  const auto size = static_cast<std::int64_t>(items.size());
  for (std::int64_t i = skip; i < size && i - skip < count; ++i) {
    value.push_back(std::move(items[static_cast<std::size_t>(i)].json));
  }
  std::string body = "{\"value\":[" + Join(value, ",") + "]";
  if (skip < size && size - skip > count) {
    body += ",\"nextLink\":" + DumpJson(Json(NextLink(call, skip + count)));
  }
  return http::JsonResponse(200, body + "}");
}

http::Response V1Failure(const Error& error) {
  const http::Response problem = FailureResponse(error);
  const Error told = http::ErrorFromResponse(problem);
  http::Response response = http::JsonResponse(
      problem.status,
      DumpJson(V1Error(ErrorId(told), problem.status, told.message, told.cause, told.fix)));
  return response;
}

}  // namespace slipway::workspace
