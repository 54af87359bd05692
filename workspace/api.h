// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

/// What goes over the wire between `slipwayd` and its clients: one struct per object, with its
/// JSON form. Members of the JSON have the names of the struct's members. Reading refuses
/// unknown fields and names the nearest known one.
///
/// Base `/api/v1`, bearer token, errors as problem+json, long work 202 + `Operation-Location`.
/// ```
/// GET  /healthz /readyz /metrics /openapi.json
/// GET POST        /workspaces                       POST CreateWorkspace -> 201 Workspace
/// GET DELETE      /workspaces/{w}
/// HEAD GET PUT    /workspaces/{w}/blobs/{digest}    PUT streams; 201 new, 200 was there
/// GET POST        /workspaces/{w}/models            POST RegisterModel -> 201 Model
///                   ?name=&tag=k[=v]&property=k[=v]&latest=true&order=asc|desc&limit=&next=
/// GET PATCH DELETE /workspaces/{w}/models/{name}/versions/{v}     {v} may be `latest`
/// GET             /workspaces/{w}/models/{name}/versions/{v}/content?path=
/// GET PUT         /workspaces/{w}/models/{name}/aliases/{alias}
/// GET POST        /workspaces/{w}/images            POST CreateImage -> 202 Operation
/// POST            /workspaces/{w}/images/plan       CreateImage -> 200 ImagePlan
/// GET DELETE      /workspaces/{w}/images/{name}/versions/{v}
/// GET             /workspaces/{w}/images/{name}/versions/{v}/logs
/// GET             /workspaces/{w}/images/{name}/versions/{v}/archive?format=oci-archive
/// GET POST        /workspaces/{w}/services          POST CreateService -> 202 Operation
/// GET PATCH DELETE /workspaces/{w}/services/{name}  PATCH {image} -> 202; DELETE -> 202
/// GET             /workspaces/{w}/services/{name}/logs?lines=
/// POST            /workspaces/{w}/services/{name}/score
/// GET             /workspaces/{w}/operations
/// GET DELETE      /operations/{id}                  DELETE cancels -> 202
/// GET             /operations/{id}/events           server-sent events until the operation ends
/// ```
/// A list answers `{"items": […], "next": "…"}`; `next` is absent on the last page.
namespace slipway::api {

inline constexpr std::string_view kBase = "/api/v1";

using TextMap = std::map<std::string, std::string>;

struct Workspace {
  std::string name, location, subscription_id, resource_group, description, id, created_time, etag;
  TextMap tags;
};
struct CreateWorkspace {
  std::string name;
  std::string location = "local", subscription_id = "", resource_group = "", description = "";
  TextMap tags = {};
  bool exist_ok = false;
};

struct ModelFile {
  std::string path, digest;
  std::int64_t size = 0;
};
/// `shape` is absent where the model does not declare the rank.
struct SignatureValue {
  std::string name, type;
  std::vector<std::string> shape;
  bool has_shape = false;
};
struct Model {
  std::string name, id, digest, main_file, framework, framework_version, description;
  std::int64_t version = 0, size = 0;
  std::vector<std::string> tags;
  TextMap kv_tags, properties;
  std::vector<ModelFile> files;
  std::vector<SignatureValue> inputs, outputs;
  std::string created_time, updated_time, etag;
};
/// `tags` is read from a list (`["onnx"]`) or a map (`{"onnx": ""}`); sent as a map.
struct RegisterModel {
  std::string name;
  std::vector<ModelFile> files;
  std::string main_file = "", framework = "", framework_version = "", description = "";
  TextMap tags = {}, properties = {};
};
struct UpdateModel {
  bool has_description = false, has_tags = false;
  std::string description = "";
  TextMap tags = {}, add_tags = {}, add_properties = {};
  std::vector<std::string> remove_tags = {};
};

struct Layer {
  std::string name, summary, digest, diff_id;
  std::int64_t size = 0, unpacked_size = 0;
};
/// Where an alias points. To move it, say what it is expected to point at now (0: nowhere).
struct Alias {
  std::string name;
  std::int64_t version = 0;
};
struct SetAlias {
  std::int64_t version = 0, expected = 0;
};

/// `state`: Creating, Succeeded, Failed.
struct Image {
  std::string name, id, state, digest, description, error, operation_id;
  std::int64_t version = 0, size = 0;
  std::vector<std::string> models;  ///< `name:version`
  std::vector<Layer> layers;
  std::vector<std::string> tags;
  TextMap kv_tags, properties;
  std::string created_time, etag;
};
struct CreateImage {
  std::string name;
  std::vector<std::string> models;  ///< `name:version` or `name` for the newest
  std::string description = "";
  TextMap tags = {}, properties = {};
};
struct PlannedLayer {
  std::string name, summary, digest;  ///< digest empty: not built yet
  std::int64_t unpacked_size = 0, size = 0;
  bool cached = false;
};
struct ImagePlan {
  std::string digest;  ///< empty while a layer is not built yet
  std::vector<PlannedLayer> layers;
};

/// `state`: Transitioning, Healthy, Unhealthy, Failed.
struct Service {
  std::string name, state, target, image, image_digest, endpoint, scoring_uri, cause, detail,
      description;
  std::int64_t revision = 0, restarts = 0;
  TextMap kv_tags, properties;
  std::string created_time, updated_time, etag;
};
struct CreateService {
  std::string name;
  std::string image = "", model = "";  ///< exactly one: `name[:version]`
  std::string target = "process", description = "";
  TextMap tags = {}, properties = {};
  int port = 0;
  bool overwrite = false;
};

struct UpdateService {
  std::string image;  ///< `name[:version]` to roll to
};

/// `state`: NotStarted, Running, Succeeded, Failed, Cancelled.
struct Operation {
  std::string id, kind, state, workspace, resource;  ///< resource: path of what it makes
  std::string phase;                                 ///< what it does now
  std::int64_t percent = 0;
  std::string error_code, error, error_cause, fix;  ///< when Failed
  std::vector<std::string> log;
  std::string created_time, ended_time;
};

Json ToJson(const Workspace& value);
Json ToJson(const CreateWorkspace& value);
Json ToJson(const Model& value);
Json ToJson(const RegisterModel& value);
Json ToJson(const UpdateModel& value);
Json ToJson(const Alias& value);
Json ToJson(const SetAlias& value);
Json ToJson(const Image& value);
Json ToJson(const CreateImage& value);
Json ToJson(const ImagePlan& value);
Json ToJson(const Service& value);
Json ToJson(const CreateService& value);
Json ToJson(const UpdateService& value);
Json ToJson(const Operation& value);

/// kInvalidArgument (id `Request.Invalid`) naming the field.
Result<void> FromJson(const Json& json, Workspace& value);
Result<void> FromJson(const Json& json, CreateWorkspace& value);
Result<void> FromJson(const Json& json, Model& value);
Result<void> FromJson(const Json& json, RegisterModel& value);
Result<void> FromJson(const Json& json, UpdateModel& value);
Result<void> FromJson(const Json& json, Alias& value);
Result<void> FromJson(const Json& json, SetAlias& value);
Result<void> FromJson(const Json& json, Image& value);
Result<void> FromJson(const Json& json, CreateImage& value);
Result<void> FromJson(const Json& json, ImagePlan& value);
Result<void> FromJson(const Json& json, Service& value);
Result<void> FromJson(const Json& json, CreateService& value);
Result<void> FromJson(const Json& json, UpdateService& value);
Result<void> FromJson(const Json& json, Operation& value);

/// The rule for names of services: 3 to 32 lower-case letters, digits and dashes, beginning with
/// a letter. kInvalidArgument (id `Service.Name`).
Result<void> CheckServiceName(std::string_view name);

/// Text as JSON as a value.
template <class T>
Result<T> Read(std::string_view text);

}  // namespace slipway::api
