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
/// GET PATCH DELETE /workspaces/{w}/images/{name}/versions/{v}   PATCH UpdateImage
/// GET             /workspaces/{w}/images/{name}/versions/{v}/logs
/// GET             /workspaces/{w}/images/{name}/versions/{v}/lock
/// GET             /workspaces/{w}/images/{name}/versions/{v}/archive?format=oci-archive
/// GET             /workspaces/{w}/images/{name}/versions/{v}/sbom?format=spdx|cyclonedx
/// POST            /workspaces/{w}/images/{name}/versions/{v}/verify[?exact=true]  -> 202 Operation
/// POST            /workspaces/{w}/images/{name}/versions/{v}/push   PushImage -> 202 Operation
/// POST            /workspaces/{w}/images/pull       PullImage -> 202 Operation
/// GET POST        /workspaces/{w}/services          POST CreateService -> 202 Operation
/// GET PATCH DELETE /workspaces/{w}/services/{name}  PATCH UpdateService, DELETE -> 202
/// GET POST        /workspaces/{w}/services/{name}/keys   POST SetServiceKey -> ServiceKeys
/// GET PUT         /workspaces/{w}/services/{name}/traffic   Traffic, PUT -> 202 Operation
/// GET POST        /workspaces/{w}/services/{name}/revisions  POST RollBack -> 202 Operation
/// GET             /workspaces/{w}/services/{name}/logs?lines=
/// POST            /workspaces/{w}/services/{name}/score
/// GET             /workspaces/{w}/environments
/// GET PUT DELETE  /workspaces/{w}/environments/{name}   PUT Environment -> 200, 201
/// GET POST        /workspaces/{w}/promotions        POST CreatePromotion -> 202 Promotion
/// GET             /workspaces/{w}/promotions/{id}
/// POST            /workspaces/{w}/promotions/{id}/approve   …/reject   DecidePromotion
/// GET POST        /workspaces/{w}/tokens            POST CreateToken -> 201 Token with its text
/// DELETE          /workspaces/{w}/tokens/{id}       revokes it -> 204
/// GET             /workspaces/{w}/audit   /audit    ?actor=
/// GET             /workspaces/{w}/operations
/// GET DELETE      /operations/{id}                  DELETE cancels -> 202
/// GET             /operations/{id}/events           server-sent events until the operation ends
/// ```
/// A list answers `{"items": […], "next": "…"}`; `next` is absent on the last page.
namespace slipway::api {

inline constexpr std::string_view kBase = "/api/v1";

using TextMap = std::map<std::string, std::string>;

/// A JSON object that is passed on as it is.
struct Object {
  std::string json = {};  ///< empty: there is none
  bool operator==(const Object&) const = default;
};

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

/// What a build found in the script, the dependency file or the steps; `line` 0: none.
struct ImageWarning {
  std::string code, message, fix;
  std::int64_t line = 0;
};
/// A part of an image beside what it was rebuilt to: a layer, or `settings`. `state`: same,
/// repacked (the same files in other compressed bytes), other-build (made of other programs of
/// Slipway's than these), differs, missing, extra. `difference` names the first file.
struct PartCheck {
  std::string name, state, digest, rebuilt_digest, difference;
};
/// What came of rebuilding an image from its recorded inputs. `state`: empty (never tried),
/// verified, other-build, differs, not-rebuilt (its blobs are whole; `detail` says why no more).
struct Verification {
  std::string state, time, digest, detail;  ///< `digest`: of the rebuilt manifest
  std::vector<PartCheck> parts;
};
/// `state`: Creating, Succeeded, Failed. `runtime`: native, python. `lock`: digest of the blob that
/// `GET …/lock` answers.
struct Image {
  std::string name, id, state, digest, description, error, operation_id;
  std::int64_t version = 0, size = 0;
  std::vector<std::string> models;  ///< `name:version`
  std::vector<Layer> layers;
  std::vector<std::string> tags;
  TextMap kv_tags, properties;
  std::string created_time, etag;
  std::string runtime, script, python_version, generated_dockerfile, lock;
  std::vector<ImageWarning> warnings;
  Verification verification = {};
};
/// What may change of an image; what is absent stays as it is.
using UpdateImage = UpdateModel;
/// A file of which `path` is empty is not given. Contents were PUT as blobs before.
struct CreateImage {
  std::string name;
  std::vector<std::string> models;  ///< `name:version` or `name` for the newest
  std::string description = "";
  TextMap tags = {}, properties = {};
  ModelFile script = {}, conda = {};
  std::vector<ModelFile> dependencies = {};  ///< paths relative to the script's folder
  ModelFile docker_file = {};                ///< further steps, without FROM
  ModelFile lock = {};                       ///< of an image built before: nothing is resolved
  std::string base = "";                     ///< image reference, archive or folder; empty: Debian
  std::string runtime = "";                  ///< python, native; empty: python with a script
  std::string python_version = "";           ///< for a dependency file that names none
  std::string preflight = "strict";          ///< strict, warn, off
  std::vector<std::string> keep = {};        ///< packages not to be met by Slipway's own modules
  bool gpu = false;
  bool fresh = false;  ///< resolve anew although the same was resolved today
};
/// Where an image goes to, or comes from: `HOST[:PORT]/NAME:TAG`. Without a login the service's own
/// `~/.docker/config.json` is asked.
struct PushImage {
  std::string reference;
  std::string username = "", password = "";
  std::string ca = "";  ///< PEM: authorities to trust beside the machine's
  bool plain_http = false;
};
struct PullImage {
  std::string name, reference;
  std::string username = "", password = "", description = "", ca = "";
  bool plain_http = false;
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

/// A revision of a service, and how many of a hundred requests it gets.
struct TrafficShare {
  std::int64_t revision = 0, percent = 0;
  bool operator==(const TrafficShare&) const = default;
};
/// By revision; the percents add up to 100.
struct Traffic {
  std::vector<TrafficShare> traffic;
};
/// What a service runs or ran. `same_as`: the revision that it was rolled back to, 0: none.
struct Revision {
  std::int64_t revision = 0, percent = 0, same_as = 0;
  std::string image, image_digest, created_time;
};
/// The next revision is to be as an earlier one was.
struct RollBack {
  std::int64_t to = 0;  ///< 0: the one before the revision that answers now
};

/// `state`: Transitioning, Healthy, Unhealthy, Failed. `compute_type`: PROCESS, DOCKER, ACI, AKS.
/// `deployment` as deployer/deployment.h says, without its keys and passwords.
struct Service {
  std::string name, state, target, compute_type, image, image_digest, endpoint, scoring_uri,
      swagger_uri, cause, detail, description;
  bool auth_enabled = false;
  Object deployment;
  std::int64_t revision = 0, restarts = 0;  ///< `revision`: that gets most requests
  std::vector<TrafficShare> traffic;
  TextMap kv_tags, properties;
  std::string created_time, updated_time, etag;
};
struct CreateService {
  std::string name;
  std::string image = "", model = "";  ///< exactly one: `name[:version]`
  std::string target = "";             ///< empty: the one the deployment names, else `process`
  std::string description = "";
  TextMap tags = {}, properties = {};
  int port = 0;
  bool overwrite = false;
  Object deployment = {};
};

/// What is absent stays as it is.
struct UpdateService {
  std::string image = "";  ///< `name[:version]` to roll to
  bool has_description = false, has_tags = false;
  std::string description = "";
  TextMap tags = {}, add_properties = {};
  Object deployment = {};  ///< the settings to change
};

/// What callers of a service send as `Authorization: Bearer`.
struct ServiceKeys {
  std::string primary, secondary;
};
struct SetServiceKey {
  std::string key;         ///< `primary` or `secondary`
  std::string value = "";  ///< empty: a new one is made
};

/// A place that versions of models are promoted to.
struct Environment {
  std::string name, description;
  std::string target;   ///< empty: the one the deployment names, else `process`
  std::string service;  ///< name of the service; empty: `<model>-<environment>`
  std::string alias;    ///< moved to the version in the end; empty: the environment's name
  Object deployment;    ///< as of a service; told without its keys and passwords
  /// What must hold: `samples` (the model has golden samples), `verify` (the image, built again
  /// from its recorded inputs, is the same, but for Slipway's own programs if these are newer now),
  /// `verify-exact` (the same without that), `endpoint` (the samples are reproduced through the
  /// scoring URI; without samples, the service says it is ready). Absent: `endpoint` alone.
  std::vector<std::string> gates;
  bool has_gates = false;              ///< whether the request said any, or that there are none
  std::vector<std::string> approvers;  ///< names of tokens, one of which must agree; empty: none
  bool own_approval = false;           ///< an approver may agree to what it asked for itself
  std::string created_time, updated_time, etag;
};

/// Something that was done or checked on the way. `state`: Passed, Failed. `digest` is of the image
/// that was looked at; with `verify` comes what building it again gave, part by part.
struct Evidence {
  std::string step;
  std::string state = {}, detail = {}, time = {}, digest = {};
  Verification verification = {};
};
/// `state`: WaitingForApproval, Running, Succeeded, Failed, Rejected.
struct Promotion {
  std::string id, workspace, environment, model, model_digest, service, state;
  std::string requested_by, decided_by, note;
  std::string image, image_digest, previous_image;
  std::vector<Evidence> evidence;
  std::string operation_id, error_code, error;
  std::string created_time, decided_time, ended_time;
};
struct CreatePromotion {
  std::string model, environment;  ///< `name:version`; a name
  std::string note = "";
};
struct DecidePromotion {
  std::string note = "";
};

/// A credential for programs. `role`: reader, contributor, deployer, owner. `state`: Active,
/// Expired, Revoked. `token` is what is sent; it is told once, when the token is made.
struct Token {
  std::string id, name, role, workspace;  ///< workspace empty: for all
  std::string state, created_by, created_time, expires_time, revoked_time, token;
};
struct CreateToken {
  std::string name, role;
  bool all_workspaces = false;
  std::int64_t expires_in_seconds = 0;  ///< 0: it does not expire
};

/// A request that changed something, or was not allowed to.
struct AuditEntry {
  std::int64_t number = 0;
  std::string time, actor, token_id, role, peer, method, path, workspace;
  std::int64_t status = 0;
  std::string code;                           ///< of the error, its operation's too
  std::string operation_id, operation_state;  ///< what it started
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
Json ToJson(const PushImage& value);
Json ToJson(const PullImage& value);
Json ToJson(const Verification& value);
Json ToJson(const ImagePlan& value);
Json ToJson(const Traffic& value);
Json ToJson(const Revision& value);
Json ToJson(const RollBack& value);
Json ToJson(const Service& value);
Json ToJson(const CreateService& value);
Json ToJson(const UpdateService& value);
Json ToJson(const ServiceKeys& value);
Json ToJson(const SetServiceKey& value);
Json ToJson(const Environment& value);
Json ToJson(const Promotion& value);
Json ToJson(const CreatePromotion& value);
Json ToJson(const DecidePromotion& value);
Json ToJson(const Token& value);
Json ToJson(const CreateToken& value);
Json ToJson(const AuditEntry& value);
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
Result<void> FromJson(const Json& json, PushImage& value);
Result<void> FromJson(const Json& json, PullImage& value);
Result<void> FromJson(const Json& json, ImagePlan& value);
Result<void> FromJson(const Json& json, Traffic& value);
Result<void> FromJson(const Json& json, Revision& value);
Result<void> FromJson(const Json& json, RollBack& value);
Result<void> FromJson(const Json& json, Service& value);
Result<void> FromJson(const Json& json, CreateService& value);
Result<void> FromJson(const Json& json, UpdateService& value);
Result<void> FromJson(const Json& json, ServiceKeys& value);
Result<void> FromJson(const Json& json, SetServiceKey& value);
Result<void> FromJson(const Json& json, Environment& value);
Result<void> FromJson(const Json& json, Promotion& value);
Result<void> FromJson(const Json& json, CreatePromotion& value);
Result<void> FromJson(const Json& json, DecidePromotion& value);
Result<void> FromJson(const Json& json, Token& value);
Result<void> FromJson(const Json& json, CreateToken& value);
Result<void> FromJson(const Json& json, AuditEntry& value);
Result<void> FromJson(const Json& json, Operation& value);

/// The rule for names of services: 3 to 32 lower-case letters, digits and dashes, beginning with
/// a letter. kInvalidArgument (id `Service.Name`).
Result<void> CheckServiceName(std::string_view name);

/// Text as JSON as a value.
template <class T>
Result<T> Read(std::string_view text);

}  // namespace slipway::api
