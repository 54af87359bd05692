// SPDX-License-Identifier: Apache-2.0
#include "workspace/api.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/limits.h"

namespace slipway::api {
namespace {

enum class Need : std::uint8_t {
  kOptional,
  kRequired,
  kTags,  ///< a map, or a list of its keys
};

template <class Owner, class Member>
struct Field {
  const char* name;
  Member Owner::*member;
  Need need = Need::kOptional;
};
template <class Owner, class Member>
Field(const char*, Member Owner::*) -> Field<Owner, Member>;
template <class Owner, class Member>
Field(const char*, Member Owner::*, Need) -> Field<Owner, Member>;

template <class... F>
constexpr std::tuple<F...> Fields(F... fields) {
  return {fields...};
}

constexpr auto FieldsOf(const Workspace*) {
  using T = Workspace;
  return Fields(Field{"name", &T::name}, Field{"location", &T::location},
                Field{"subscription_id", &T::subscription_id},
                Field{"resource_group", &T::resource_group}, Field{"description", &T::description},
                Field{"id", &T::id}, Field{"created_time", &T::created_time},
                Field{"etag", &T::etag}, Field{"tags", &T::tags});
}

constexpr auto FieldsOf(const CreateWorkspace*) {
  using T = CreateWorkspace;
  return Fields(Field{"name", &T::name, Need::kRequired}, Field{"location", &T::location},
                Field{"subscription_id", &T::subscription_id},
                Field{"resource_group", &T::resource_group}, Field{"description", &T::description},
                Field{"tags", &T::tags, Need::kTags}, Field{"exist_ok", &T::exist_ok});
}

constexpr auto FieldsOf(const ModelFile*) {
  using T = ModelFile;
  return Fields(Field{"path", &T::path, Need::kRequired},
                Field{"digest", &T::digest, Need::kRequired}, Field{"size", &T::size});
}

constexpr auto FieldsOf(const SignatureValue*) {
  using T = SignatureValue;
  return Fields(Field{"name", &T::name}, Field{"type", &T::type}, Field{"shape", &T::shape});
}

constexpr auto FieldsOf(const Model*) {
  using T = Model;
  return Fields(
      Field{"name", &T::name}, Field{"version", &T::version}, Field{"id", &T::id},
      Field{"digest", &T::digest}, Field{"size", &T::size}, Field{"main_file", &T::main_file},
      Field{"framework", &T::framework}, Field{"framework_version", &T::framework_version},
      Field{"description", &T::description}, Field{"tags", &T::tags}, Field{"kv_tags", &T::kv_tags},
      Field{"properties", &T::properties}, Field{"files", &T::files}, Field{"inputs", &T::inputs},
      Field{"outputs", &T::outputs}, Field{"created_time", &T::created_time},
      Field{"updated_time", &T::updated_time}, Field{"etag", &T::etag});
}

constexpr auto FieldsOf(const RegisterModel*) {
  using T = RegisterModel;
  return Fields(
      Field{"name", &T::name, Need::kRequired}, Field{"files", &T::files, Need::kRequired},
      Field{"main_file", &T::main_file}, Field{"framework", &T::framework},
      Field{"framework_version", &T::framework_version}, Field{"description", &T::description},
      Field{"tags", &T::tags, Need::kTags}, Field{"properties", &T::properties});
}

constexpr auto FieldsOf(const UpdateModel*) {
  using T = UpdateModel;
  return Fields(Field{"description", &T::description}, Field{"tags", &T::tags, Need::kTags},
                Field{"add_tags", &T::add_tags, Need::kTags},
                Field{"add_properties", &T::add_properties}, Field{"remove_tags", &T::remove_tags});
}

constexpr auto FieldsOf(const Alias*) {
  return Fields(Field{"name", &Alias::name}, Field{"version", &Alias::version});
}

constexpr auto FieldsOf(const SetAlias*) {
  return Fields(Field{"version", &SetAlias::version, Need::kRequired},
                Field{"expected", &SetAlias::expected});
}

constexpr auto FieldsOf(const Layer*) {
  using T = Layer;
  return Fields(Field{"name", &T::name}, Field{"summary", &T::summary}, Field{"digest", &T::digest},
                Field{"diff_id", &T::diff_id}, Field{"size", &T::size},
                Field{"unpacked_size", &T::unpacked_size});
}

constexpr auto FieldsOf(const ImageWarning*) {
  using T = ImageWarning;
  return Fields(Field{"code", &T::code}, Field{"line", &T::line}, Field{"message", &T::message},
                Field{"fix", &T::fix});
}

constexpr auto FieldsOf(const PartCheck*) {
  using T = PartCheck;
  return Fields(Field{"name", &T::name}, Field{"state", &T::state}, Field{"digest", &T::digest},
                Field{"rebuilt_digest", &T::rebuilt_digest}, Field{"difference", &T::difference});
}

constexpr auto FieldsOf(const Verification*) {
  using T = Verification;
  return Fields(Field{"state", &T::state}, Field{"time", &T::time}, Field{"digest", &T::digest},
                Field{"detail", &T::detail}, Field{"parts", &T::parts});
}

constexpr auto FieldsOf(const Image*) {
  using T = Image;
  return Fields(Field{"name", &T::name}, Field{"version", &T::version}, Field{"id", &T::id},
                Field{"state", &T::state}, Field{"digest", &T::digest}, Field{"size", &T::size},
                Field{"description", &T::description}, Field{"error", &T::error},
                Field{"operation_id", &T::operation_id}, Field{"models", &T::models},
                Field{"layers", &T::layers}, Field{"tags", &T::tags}, Field{"kv_tags", &T::kv_tags},
                Field{"properties", &T::properties}, Field{"created_time", &T::created_time},
                Field{"etag", &T::etag}, Field{"runtime", &T::runtime}, Field{"script", &T::script},
                Field{"python_version", &T::python_version},
                Field{"generated_dockerfile", &T::generated_dockerfile}, Field{"lock", &T::lock},
                Field{"warnings", &T::warnings}, Field{"verification", &T::verification});
}

constexpr auto FieldsOf(const CreateImage*) {
  using T = CreateImage;
  return Fields(Field{"name", &T::name, Need::kRequired},
                Field{"models", &T::models, Need::kRequired}, Field{"description", &T::description},
                Field{"tags", &T::tags, Need::kTags}, Field{"properties", &T::properties},
                Field{"script", &T::script}, Field{"conda", &T::conda},
                Field{"dependencies", &T::dependencies}, Field{"docker_file", &T::docker_file},
                Field{"lock", &T::lock}, Field{"base", &T::base}, Field{"runtime", &T::runtime},
                Field{"python_version", &T::python_version}, Field{"preflight", &T::preflight},
                Field{"keep", &T::keep}, Field{"gpu", &T::gpu}, Field{"fresh", &T::fresh});
}

constexpr auto FieldsOf(const PlannedLayer*) {
  using T = PlannedLayer;
  return Fields(Field{"name", &T::name}, Field{"summary", &T::summary}, Field{"digest", &T::digest},
                Field{"unpacked_size", &T::unpacked_size}, Field{"size", &T::size},
                Field{"cached", &T::cached});
}

constexpr auto FieldsOf(const ImagePlan*) {
  return Fields(Field{"digest", &ImagePlan::digest}, Field{"layers", &ImagePlan::layers});
}

constexpr auto FieldsOf(const TrafficShare*) {
  using T = TrafficShare;
  return Fields(Field{"revision", &T::revision, Need::kRequired},
                Field{"percent", &T::percent, Need::kRequired});
}

constexpr auto FieldsOf(const Traffic*) {
  return Fields(Field{"traffic", &Traffic::traffic, Need::kRequired});
}

constexpr auto FieldsOf(const Revision*) {
  using T = Revision;
  return Fields(Field{"revision", &T::revision}, Field{"percent", &T::percent},
                Field{"same_as", &T::same_as}, Field{"image", &T::image},
                Field{"image_digest", &T::image_digest}, Field{"created_time", &T::created_time});
}

constexpr auto FieldsOf(const RollBack*) { return Fields(Field{"to", &RollBack::to}); }

constexpr auto FieldsOf(const Service*) {
  using T = Service;
  return Fields(Field{"name", &T::name}, Field{"state", &T::state}, Field{"target", &T::target},
                Field{"compute_type", &T::compute_type}, Field{"image", &T::image},
                Field{"image_digest", &T::image_digest}, Field{"endpoint", &T::endpoint},
                Field{"scoring_uri", &T::scoring_uri}, Field{"swagger_uri", &T::swagger_uri},
                Field{"auth_enabled", &T::auth_enabled}, Field{"deployment", &T::deployment},
                Field{"cause", &T::cause}, Field{"detail", &T::detail},
                Field{"description", &T::description}, Field{"revision", &T::revision},
                Field{"restarts", &T::restarts}, Field{"traffic", &T::traffic},
                Field{"kv_tags", &T::kv_tags}, Field{"properties", &T::properties},
                Field{"created_time", &T::created_time}, Field{"updated_time", &T::updated_time},
                Field{"etag", &T::etag});
}

constexpr auto FieldsOf(const CreateService*) {
  using T = CreateService;
  return Fields(Field{"name", &T::name, Need::kRequired}, Field{"image", &T::image},
                Field{"model", &T::model}, Field{"target", &T::target},
                Field{"description", &T::description}, Field{"tags", &T::tags, Need::kTags},
                Field{"properties", &T::properties}, Field{"port", &T::port},
                Field{"overwrite", &T::overwrite}, Field{"deployment", &T::deployment});
}

constexpr auto FieldsOf(const UpdateService*) {
  using T = UpdateService;
  return Fields(Field{"image", &T::image}, Field{"description", &T::description},
                Field{"tags", &T::tags, Need::kTags}, Field{"add_properties", &T::add_properties},
                Field{"deployment", &T::deployment});
}

constexpr auto FieldsOf(const ServiceKeys*) {
  using T = ServiceKeys;
  return Fields(Field{"primary", &T::primary}, Field{"secondary", &T::secondary});
}

constexpr auto FieldsOf(const PushImage*) {
  using T = PushImage;
  return Fields(Field{"reference", &T::reference, Need::kRequired}, Field{"username", &T::username},
                Field{"password", &T::password}, Field{"ca", &T::ca},
                Field{"plain_http", &T::plain_http});
}

constexpr auto FieldsOf(const PullImage*) {
  using T = PullImage;
  return Fields(Field{"name", &T::name, Need::kRequired},
                Field{"reference", &T::reference, Need::kRequired}, Field{"username", &T::username},
                Field{"password", &T::password}, Field{"description", &T::description},
                Field{"ca", &T::ca}, Field{"plain_http", &T::plain_http}, Field{"tags", &T::tags},
                Field{"properties", &T::properties});
}

constexpr auto FieldsOf(const SetServiceKey*) {
  using T = SetServiceKey;
  return Fields(Field{"key", &T::key, Need::kRequired}, Field{"value", &T::value});
}

constexpr auto FieldsOf(const Environment*) {
  using T = Environment;
  return Fields(Field{"name", &T::name}, Field{"description", &T::description},
                Field{"target", &T::target}, Field{"service", &T::service},
                Field{"alias", &T::alias}, Field{"deployment", &T::deployment},
                Field{"gates", &T::gates}, Field{"approvers", &T::approvers},
                Field{"own_approval", &T::own_approval}, Field{"created_time", &T::created_time},
                Field{"updated_time", &T::updated_time}, Field{"etag", &T::etag});
}

constexpr auto FieldsOf(const Evidence*) {
  using T = Evidence;
  return Fields(Field{"step", &T::step}, Field{"state", &T::state}, Field{"detail", &T::detail},
                Field{"time", &T::time}, Field{"digest", &T::digest},
                Field{"verification", &T::verification});
}

constexpr auto FieldsOf(const Promotion*) {
  using T = Promotion;
  return Fields(Field{"id", &T::id}, Field{"workspace", &T::workspace},
                Field{"environment", &T::environment}, Field{"model", &T::model},
                Field{"model_digest", &T::model_digest}, Field{"service", &T::service},
                Field{"state", &T::state}, Field{"requested_by", &T::requested_by},
                Field{"decided_by", &T::decided_by}, Field{"note", &T::note},
                Field{"image", &T::image}, Field{"image_digest", &T::image_digest},
                Field{"previous_image", &T::previous_image}, Field{"evidence", &T::evidence},
                Field{"operation_id", &T::operation_id}, Field{"error_code", &T::error_code},
                Field{"error", &T::error}, Field{"created_time", &T::created_time},
                Field{"decided_time", &T::decided_time}, Field{"ended_time", &T::ended_time});
}

constexpr auto FieldsOf(const CreatePromotion*) {
  using T = CreatePromotion;
  return Fields(Field{"model", &T::model, Need::kRequired},
                Field{"environment", &T::environment, Need::kRequired}, Field{"note", &T::note});
}

constexpr auto FieldsOf(const DecidePromotion*) {
  return Fields(Field{"note", &DecidePromotion::note});
}

constexpr auto FieldsOf(const Token*) {
  using T = Token;
  return Fields(Field{"id", &T::id}, Field{"name", &T::name}, Field{"role", &T::role},
                Field{"workspace", &T::workspace}, Field{"state", &T::state},
                Field{"created_by", &T::created_by}, Field{"created_time", &T::created_time},
                Field{"expires_time", &T::expires_time}, Field{"revoked_time", &T::revoked_time},
                Field{"token", &T::token});
}

constexpr auto FieldsOf(const CreateToken*) {
  using T = CreateToken;
  return Fields(Field{"name", &T::name, Need::kRequired}, Field{"role", &T::role, Need::kRequired},
                Field{"all_workspaces", &T::all_workspaces},
                Field{"expires_in_seconds", &T::expires_in_seconds});
}

constexpr auto FieldsOf(const AuditEntry*) {
  using T = AuditEntry;
  return Fields(Field{"number", &T::number}, Field{"time", &T::time}, Field{"actor", &T::actor},
                Field{"token_id", &T::token_id}, Field{"role", &T::role}, Field{"peer", &T::peer},
                Field{"method", &T::method}, Field{"path", &T::path},
                Field{"workspace", &T::workspace}, Field{"status", &T::status},
                Field{"code", &T::code}, Field{"operation_id", &T::operation_id},
                Field{"operation_state", &T::operation_state});
}

constexpr auto FieldsOf(const Operation*) {
  using T = Operation;
  return Fields(Field{"id", &T::id}, Field{"kind", &T::kind}, Field{"state", &T::state},
                Field{"workspace", &T::workspace}, Field{"resource", &T::resource},
                Field{"phase", &T::phase}, Field{"percent", &T::percent},
                Field{"error_code", &T::error_code}, Field{"error", &T::error},
                Field{"error_cause", &T::error_cause}, Field{"fix", &T::fix}, Field{"log", &T::log},
                Field{"created_time", &T::created_time}, Field{"ended_time", &T::ended_time});
}

/// Whether a member is sent although its type alone would not say so.
template <class T>
bool IsSent(const T&, std::string_view) {
  return true;
}
bool IsSent(const SignatureValue& value, std::string_view name) {
  return name != "shape" || value.has_shape;
}
bool IsSent(const CreateService& value, std::string_view name) {
  return name != "deployment" || !value.deployment.json.empty();
}
bool IsSent(const UpdateService& value, std::string_view name) {
  if (name == "description") return value.has_description;
  if (name == "tags") return value.has_tags;
  return name != "deployment" || !value.deployment.json.empty();
}
bool IsSent(const Environment& value, std::string_view name) {
  return name != "deployment" || !value.deployment.json.empty();
}
bool IsSent(const Evidence& value, std::string_view name) {
  if (name == "digest") return !value.digest.empty();
  return name != "verification" || !value.verification.state.empty();
}
bool IsSent(const Image& value, std::string_view name) {
  return name != "verification" || !value.verification.state.empty();
}
bool IsSent(const Token& value, std::string_view name) {
  return name != "token" || !value.token.empty();
}
bool IsSent(const CreateImage& value, std::string_view name) {
  if (name == "script") return !value.script.path.empty();
  if (name == "conda") return !value.conda.path.empty();
  if (name == "docker_file") return !value.docker_file.path.empty();
  return name != "lock" || !value.lock.path.empty();
}
bool IsSent(const UpdateModel& value, std::string_view name) {
  if (name == "description") return value.has_description;
  if (name == "tags") return value.has_tags;
  return true;
}

template <class T>
void NotePresence(const Json&, T&) {}
void NotePresence(const Json& json, SignatureValue& value) {
  value.has_shape = json.contains("shape") && !json["shape"].is_null();
}
bool IsGiven(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && !found->is_null();
}
void NotePresence(const Json& json, UpdateModel& value) {
  value.has_description = IsGiven(json, "description");
  value.has_tags = IsGiven(json, "tags");
}
void NotePresence(const Json& json, Environment& value) {
  value.has_gates = IsGiven(json, "gates");
}
void NotePresence(const Json& json, UpdateService& value) {
  value.has_description = IsGiven(json, "description");
  value.has_tags = IsGiven(json, "tags");
}

template <class T>
inline constexpr bool kIsObjectList = false;
template <class T>
inline constexpr bool kIsObjectList<std::vector<T>> = requires(const T* object) {
  FieldsOf(object);
};

Json WriteObject(const Object& object) {
  if (object.json.empty()) return Json();
  Result<Json> json = ParseJson(object.json);
  return json ? *std::move(json) : Json();
}

template <class T>
Json Write(const T& value) {
  if constexpr (std::is_same_v<T, Object>) {
    return WriteObject(value);
  } else if constexpr (requires { FieldsOf(&value); }) {
    Json out = Json::object();
    std::apply(
        [&](auto... field) {
          ((IsSent(value, field.name) ? void(out[field.name] = Write(value.*field.member))
                                      : void()),
           ...);
        },
        FieldsOf(&value));
    return out;
  } else if constexpr (kIsObjectList<T>) {
    Json out = Json::array();
    for (const auto& item : value) out.push_back(Write(item));
    return out;
  } else {
    return Json(value);
  }
}

Error Wrong(const std::string& path, std::string_view wanted, const Json& got) {
  return Error{.code = Code::kInvalidArgument,
               .message = "field \"" + path + "\" must be " + std::string(wanted) + ", not " +
                          got.type_name(),
               .id = "Request.Invalid"};
}

Result<void> ReadValue(const Json& json, const std::string& path, Need, std::string& value) {
  if (!json.is_string()) return Wrong(path, "a string", json);
  value = json.get_ref<const std::string&>();
  if (static_cast<std::int64_t>(value.size()) > limits::kTextChars) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "field \"" + path + "\" has " + std::to_string(value.size()) +
                            " bytes, more than " + std::to_string(limits::kTextChars),
                 .id = "Request.Invalid"};
  }
  return {};
}

Result<void> ReadValue(const Json& json, const std::string& path, Need, Object& value) {
  if (!json.is_object()) return Wrong(path, "an object", json);
  value.json = DumpJson(json);
  return {};
}

Result<void> ReadValue(const Json& json, const std::string& path, Need, bool& value) {
  if (!json.is_boolean()) return Wrong(path, "true or false", json);
  value = json.get<bool>();
  return {};
}

template <class T>
requires(std::is_integral_v<T> &&
         !std::is_same_v<T, bool>) Result<void> ReadValue(const Json& json, const std::string& path,
                                                          Need, T& value) {
  if (!json.is_number_integer()) return Wrong(path, "an integer", json);
  const bool fits = json.is_number_unsigned() ? std::in_range<T>(json.get<std::uint64_t>())
                                              : std::in_range<T>(json.get<std::int64_t>());
  if (!fits) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "field \"" + path + "\" is out of range: " + DumpJson(json),
                 .id = "Request.Invalid"};
  }
  value = json.get<T>();
  return {};
}

Result<void> ReadValue(const Json& json, const std::string& path, Need need, TextMap& value) {
  value.clear();
  if (need == Need::kTags && json.is_array()) {
    for (const Json& key : json) {
      if (!key.is_string()) return Wrong(path, "a list of strings or an object", json);
      value[key.get<std::string>()] = "";
    }
    return {};
  }
  if (!json.is_object()) return Wrong(path, "an object of strings", json);
  for (const auto& [key, text] : json.items()) {
    TRY(ReadValue(text, path + "." + key, Need::kOptional, value[key]));
  }
  return {};
}

template <class T>
requires(requires(const T* object) {
  FieldsOf(object);
}) Result<void> ReadValue(const Json& json, const std::string& path, Need need, T& value);

template <class T>
Result<void> ReadValue(const Json& json, const std::string& path, Need, std::vector<T>& value) {
  if (!json.is_array()) return Wrong(path, "a list", json);
  value.clear();
  for (const Json& item : json) {
    const std::string at = path + "[" + std::to_string(value.size()) + "]";
    TRY(ReadValue(item, at, Need::kOptional, value.emplace_back()));
  }
  return {};
}

template <class T, class F>
Result<void> ReadField(const Json& json, const std::string& prefix, const F& field, T& value) {
  const auto found = json.find(field.name);
  if (found == json.end() || found->is_null()) {
    if (field.need != Need::kRequired) return {};
    return Error{.code = Code::kInvalidArgument,
                 .message = "field \"" + prefix + field.name + "\" is missing",
                 .id = "Request.Invalid"};
  }
  return ReadValue(*found, prefix + field.name, field.need, value.*field.member);
}

template <class T>
requires(requires(const T* object) {
  FieldsOf(object);
}) Result<void> ReadValue(const Json& json, const std::string& path, Need, T& value) {
  if (!json.is_object()) {
    return path.empty() ? Error{.code = Code::kInvalidArgument,
                                .message = std::string("the body must be a JSON object, not ") +
                                           json.type_name(),
                                .id = "Request.Invalid"}
                        : Wrong(path, "an object", json);
  }
  const std::string prefix = path.empty() ? "" : path + ".";
  Result<void> result;
  std::apply(
      [&](auto... field) {
        result = OnlyKnownFields(json, {field.name...});
        ((result ? void(result = ReadField(json, prefix, field, value)) : void()), ...);
      },
      FieldsOf(&value));
  if (!result) {
    Error error = std::move(result).error();
    error.id = "Request.Invalid";
    return error;
  }
  NotePresence(json, value);
  return {};
}

}  // namespace

Json ToJson(const Workspace& value) { return Write(value); }
Json ToJson(const CreateWorkspace& value) { return Write(value); }
Json ToJson(const Model& value) { return Write(value); }
Json ToJson(const RegisterModel& value) { return Write(value); }
Json ToJson(const UpdateModel& value) { return Write(value); }
Json ToJson(const Alias& value) { return Write(value); }
Json ToJson(const SetAlias& value) { return Write(value); }
Json ToJson(const Image& value) { return Write(value); }
Json ToJson(const CreateImage& value) { return Write(value); }
Json ToJson(const Verification& value) { return Write(value); }
Json ToJson(const ImagePlan& value) { return Write(value); }
Json ToJson(const Traffic& value) { return Write(value); }
Json ToJson(const Revision& value) { return Write(value); }
Json ToJson(const RollBack& value) { return Write(value); }
Json ToJson(const Service& value) { return Write(value); }
Json ToJson(const CreateService& value) { return Write(value); }
Json ToJson(const UpdateService& value) { return Write(value); }
Json ToJson(const ServiceKeys& value) { return Write(value); }
Json ToJson(const PushImage& value) { return Write(value); }
Json ToJson(const PullImage& value) { return Write(value); }
Json ToJson(const SetServiceKey& value) { return Write(value); }
Json ToJson(const Environment& value) { return Write(value); }
Json ToJson(const Promotion& value) { return Write(value); }
Json ToJson(const CreatePromotion& value) { return Write(value); }
Json ToJson(const DecidePromotion& value) { return Write(value); }
Json ToJson(const Token& value) { return Write(value); }
Json ToJson(const CreateToken& value) { return Write(value); }
Json ToJson(const AuditEntry& value) { return Write(value); }
Json ToJson(const Operation& value) { return Write(value); }

Result<void> FromJson(const Json& json, Workspace& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, CreateWorkspace& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Model& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, RegisterModel& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, UpdateModel& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Alias& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, SetAlias& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Image& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, CreateImage& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, ImagePlan& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Traffic& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Revision& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, RollBack& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Service& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, CreateService& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, UpdateService& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, ServiceKeys& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, PushImage& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, PullImage& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, SetServiceKey& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Environment& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Promotion& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, CreatePromotion& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, DecidePromotion& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Token& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, CreateToken& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, AuditEntry& value) {
  return ReadValue(json, "", Need::kOptional, value);
}
Result<void> FromJson(const Json& json, Operation& value) {
  return ReadValue(json, "", Need::kOptional, value);
}

Result<void> CheckServiceName(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (name.size() >= 3 && name.size() <= 32 && name[0] >= 'a' && name[0] <= 'z' &&
      std::all_of(name.begin(), name.end(), fits)) {
    return {};
  }
  return Error{.code = Code::kInvalidArgument,
               .message = "service name \"" + std::string(name) +
                          "\" must have 3 to 32 lower-case letters, digits and dashes, and begin "
                          "with a letter",
               .id = "Service.Name"};
}

template <class T>
Result<T> Read(std::string_view text) {
  Result<Json> json = ParseJson(text);
  if (!json) {
    Error error = std::move(json).error();
    error.id = "Request.Invalid";
    return error;
  }
  T value;
  TRY(FromJson(*json, value));
  return value;
}

template Result<Workspace> Read<Workspace>(std::string_view text);
template Result<CreateWorkspace> Read<CreateWorkspace>(std::string_view text);
template Result<Model> Read<Model>(std::string_view text);
template Result<RegisterModel> Read<RegisterModel>(std::string_view text);
template Result<UpdateModel> Read<UpdateModel>(std::string_view text);
template Result<Alias> Read<Alias>(std::string_view text);
template Result<SetAlias> Read<SetAlias>(std::string_view text);
template Result<Image> Read<Image>(std::string_view text);
template Result<CreateImage> Read<CreateImage>(std::string_view text);
template Result<ImagePlan> Read<ImagePlan>(std::string_view text);
template Result<Traffic> Read<Traffic>(std::string_view text);
template Result<RollBack> Read<RollBack>(std::string_view text);
template Result<Service> Read<Service>(std::string_view text);
template Result<CreateService> Read<CreateService>(std::string_view text);
template Result<UpdateService> Read<UpdateService>(std::string_view text);
template Result<ServiceKeys> Read<ServiceKeys>(std::string_view text);
template Result<PushImage> Read<PushImage>(std::string_view text);
template Result<PullImage> Read<PullImage>(std::string_view text);
template Result<SetServiceKey> Read<SetServiceKey>(std::string_view text);
template Result<Environment> Read<Environment>(std::string_view text);
template Result<Promotion> Read<Promotion>(std::string_view text);
template Result<CreatePromotion> Read<CreatePromotion>(std::string_view text);
template Result<DecidePromotion> Read<DecidePromotion>(std::string_view text);
template Result<Token> Read<Token>(std::string_view text);
template Result<CreateToken> Read<CreateToken>(std::string_view text);
template Result<AuditEntry> Read<AuditEntry>(std::string_view text);
template Result<Operation> Read<Operation>(std::string_view text);

}  // namespace slipway::api
