// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/openapi.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::TypeInfo;

Json ElementSchema(DType dtype) {
  switch (dtype) {
    case DType::kString:
      return {{"type", "string"}};
    case DType::kBool:
      return {{"type", "boolean"}};
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBfloat16:
      return {{"type", "number"}, {"format", "float"}};
    case DType::kFloat64:
      return {{"type", "number"}, {"format", "double"}};
    case DType::kInt64:
    case DType::kUint64:
    case DType::kUint32:
      return {{"type", "integer"}, {"format", "int64"}};
    default:
      return {{"type", "integer"}, {"format", "int32"}};
  }
}

Json ValueSchema(const TypeInfo& type) {
  switch (type.kind) {
    case TypeInfo::Kind::kTensor:
    case TypeInfo::Kind::kSparseTensor:
      break;
    case TypeInfo::Kind::kMap:
      return {{"type", "object"}, {"description", runtime::TypeText(type)}};
    case TypeInfo::Kind::kSequence:
      return {{"type", "array"},
              {"items", type.element.empty() ? Json::object() : ValueSchema(type.element[0])}};
    case TypeInfo::Kind::kOptional:
      return type.element.empty() ? Json::object() : ValueSchema(type.element[0]);
  }
  Json schema = ElementSchema(type.dtype);
  if (!type.shape) return {{"type", "array"}, {"items", Json::object()}};
  for (auto dim = type.shape->rbegin(); dim != type.shape->rend(); ++dim) {
    Json outer = {{"type", "array"}, {"items", std::move(schema)}};
    if (*dim >= 0) outer["minItems"] = outer["maxItems"] = *dim;
    schema = std::move(outer);
  }
  schema["description"] = runtime::ShapedTypeText(type);
  return schema;
}

Json ObjectSchema(std::span<const runtime::ValueInfo> values, bool required) {
  Json schema = {{"type", "object"}, {"properties", Json::object()}};
  for (const runtime::ValueInfo& value : values) {
    schema["properties"][value.name] = ValueSchema(value.type);
    if (required) schema["required"].push_back(value.name);
  }
  return schema;
}

Json InputSchema(std::span<const ServedModel> models) {
  if (models.size() != 1) return {{"type", "object"}};
  return ObjectSchema(models[0].model().inputs(), true);
}

Json OutputSchema(std::span<const ServedModel> models) {
  if (models.size() != 1) return {{"type", "object"}};
  return ObjectSchema(models[0].model().outputs(), false);
}

Json Operation(const Route& route) {
  Json operation = {
      {"summary", route.summary},
      {"responses",
       {{"200", {{"description", "Done"}}}, {"default", {{"description", "An error, as JSON"}}}}}};
  for (const std::string& segment : Split(route.path, '/')) {
    if (!segment.starts_with('{')) continue;
    operation["parameters"].push_back({{"name", segment.substr(1, segment.find('}') - 1)},
                                       {"in", "path"},
                                       {"required", true},
                                       {"schema", {{"type", "string"}}}});
  }
  return operation;
}

Json Content(Json schema) { return {{"application/json", {{"schema", std::move(schema)}}}}; }

}  // namespace

std::string OpenApiText(std::span<const Route> routes, std::span<const ServedModel> models,
                        const Environment& environment) {
  Json document = {
      {"openapi", "3.0.3"},
      {"info", {{"title", environment.service_name}, {"version", environment.service_version}}},
      {"paths", Json::object()}};
  if (!environment.path_prefix.empty()) {
    document["servers"] = Json::array({{{"url", environment.path_prefix}}});
  }
  for (const Route& route : routes) {
    Json operation = Operation(route);
    const bool posts = route.method == "POST";
    const bool score = route.path == "/score";
    if (posts) {
      operation["requestBody"] = {
          {"required", true},
          {"content", Content(score ? InputSchema(models) : Json{{"type", "object"}})}};
    }
    if (posts && score) operation["responses"]["200"]["content"] = Content(OutputSchema(models));
    document["paths"][std::string(route.path)][ToLower(route.method)] = std::move(operation);
  }
  return DumpJson(document);
}

std::string SwaggerText(std::span<const ServedModel> models, const Environment& environment) {
  Json score = {
      {"operationId", "RunMLService"},
      {"description", "Score the model"},
      {"parameters", Json::array({{{"name", "serviceInputPayload"},
                                   {"in", "body"},
                                   {"required", true},
                                   {"schema", {{"$ref", "#/definitions/ServiceInput"}}}}})},
      {"responses",
       {{"200",
         {{"description", "The model's outputs"},
          {"schema", {{"$ref", "#/definitions/ServiceOutput"}}}}},
        {"default",
         {{"description", "The request failed"},
          {"schema", {{"$ref", "#/definitions/ErrorResponse"}}}}}}}};
  Json health = {{"operationId", "ServiceHealthCheck"},
                 {"description", "Whether the service is alive"},
                 {"produces", Json::array({"text/plain"})},
                 {"responses", {{"200", {{"description", "It is"}}}}}};
  Json document = {
      {"swagger", "2.0"},
      {"info", {{"title", environment.service_name}, {"version", environment.service_version}}},
      {"basePath", environment.path_prefix.empty() ? "/" : environment.path_prefix},
      {"consumes", Json::array({"application/json"})},
      {"produces", Json::array({"application/json"})},
      {"paths", {{"/", {{"get", std::move(health)}}}, {"/score", {{"post", std::move(score)}}}}},
      {"definitions",
       {{"ServiceInput", InputSchema(models)},
        {"ServiceOutput", OutputSchema(models)},
        {"ErrorResponse",
         {{"type", "object"}, {"properties", {{"message", {{"type", "string"}}}}}}}}}};
  return DumpJson(document);
}

}  // namespace slipway::server
