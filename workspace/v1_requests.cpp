// SPDX-License-Identifier: Apache-2.0
#include "workspace/v1_requests.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"

namespace slipway::workspace {
namespace {

Error Invalid(std::string message, std::string fix = {}) {
  return Error{.code = Code::kInvalidArgument,
               .message = std::move(message),
               .id = "Request.Invalid",
               .fix = std::move(fix)};
}

/// The body's object without members that are null.
Result<Json> ReadObject(std::string_view body) {
  Json json = TRY(ParseJson(body));
  if (!json.is_object()) return Invalid("the body must be an object");
  for (auto member = json.begin(); member != json.end();) {
    member = member->is_null() ? json.erase(member) : std::next(member);
  }
  return json;
}

Result<api::TextMap> GetTexts(const Json& json, const char* name) {
  api::TextMap texts;
  const auto found = json.find(name);
  if (found == json.end()) return texts;
  if (!found->is_object()) return Invalid(std::string("member '") + name + "' must be an object");
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string() && !value.is_null()) {
      return Invalid(std::string("member '") + name + "." + key + "' must be a text");
    }
    texts[key] = value.is_null() ? "" : value.get<std::string>();
  }
  return texts;
}

Result<std::vector<std::string>> GetList(const Json& json, const char* name) {
  std::vector<std::string> list;
  const auto found = json.find(name);
  if (found == json.end()) return list;
  bool fits = found->is_array();
  for (const Json& item : fits ? *found : Json::array()) {
    fits = fits && item.is_string();
    if (fits) list.push_back(item.get<std::string>());
  }
  if (fits) return list;
  return Invalid(std::string("member '") + name + "' must be a list of texts");
}

/// `kvTags`, and `tags` as tags without a value.
Result<api::TextMap> GetTags(const Json& json) {
  api::TextMap tags = TRY(GetTexts(json, "kvTags"));
  for (const std::string& tag : TRY(GetList(json, "tags"))) tags.try_emplace(tag, "");
  return tags;
}

/// A file that is somewhere in v1, and a blob here.
struct BlobUrl {
  std::string digest, path;
};

Error NoBlob(const std::string& url, std::string_view workspace) {
  const std::string blobs =
      std::string(api::kBase) + "/workspaces/" + std::string(workspace) + "/blobs/sha256:…";
  return Error{.code = Code::kInvalidArgument,
               .message = "url \"" + url + "\" is no blob of this workspace",
               .id = "Blob.Url",
               .fix = "PUT the file to " + blobs + " first, and name that"};
}

Result<BlobUrl> ReadUrl(const std::string& url, std::string_view workspace) {
  BlobUrl found;
  std::string_view rest = url;
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    constexpr std::string_view kPath = "path=";
    const std::string_view asked = rest.substr(query + 1);
    if (!asked.starts_with(kPath)) return NoBlob(url, workspace);
    found.path = TRY(DecodePercent(asked.substr(kPath.size())));
    rest = rest.substr(0, query);
  }
  const std::size_t scheme = rest.find("://");
  if (scheme != std::string_view::npos) {
    const std::string_view name = rest.substr(0, scheme);
    if (name != "http" && name != "https") return NoBlob(url, workspace);
    rest.remove_prefix(std::min(rest.find('/', scheme + 3), rest.size()));
  }
  if (rest.starts_with('/')) {
    const std::vector<std::string> parts = Split(rest, '/');
    // "", api, v1, workspaces, W, blobs, DIGEST
    const bool fits = parts.size() == 7 && rest.starts_with(std::string(api::kBase) + "/") &&
                      parts[3] == "workspaces" && parts[5] == "blobs";
    if (!fits || TRY(DecodePercent(parts[4])) != workspace) return NoBlob(url, workspace);
    found.digest = TRY(DecodePercent(parts[6]));
  } else {
    found.digest = rest;
  }
  if (!Digest::Parse(found.digest)) return NoBlob(url, workspace);
  return found;
}

/// An entry of an image request's `assets`.
struct Asset {
  std::string id;
  BlobUrl url;
  bool unpack = false;
};

Result<std::vector<Asset>> ReadAssets(const Json& json, std::string_view workspace) {
  std::vector<Asset> assets;
  const auto found = json.find("assets");
  if (found == json.end()) return assets;
  if (!found->is_array()) return Invalid("member 'assets' must be a list");
  for (const Json& item : *found) {
    TRY(OnlyKnownFields(item, {"id", "url", "mimeType", "unpack"}));
    const std::string url = TRY(GetString(item, "url"));
    Asset asset;
    asset.id = TRY(GetString(item, "id"));
    asset.url = TRY(ReadUrl(url, workspace));
    asset.unpack = TRY(GetBoolOr(item, "unpack", false));
    if (asset.url.path.empty()) asset.url.path = asset.id;
    const bool twice = std::ranges::find(assets, asset.id, &Asset::id) != assets.end();
    if (asset.id.empty() || twice)
      return Invalid("asset \"" + asset.id + "\" has no id of its own");
    assets.push_back(std::move(asset));
  }
  return assets;
}

/// A file that is named by an asset's id or by its URL.
Result<api::ModelFile> ReadFileOf(const std::string& name, const std::string& usual_path,
                                  const std::vector<Asset>& assets, std::string_view workspace) {
  const auto asset = std::ranges::find(assets, name, &Asset::id);
  if (asset != assets.end()) {
    return api::ModelFile{.path = asset->url.path, .digest = asset->url.digest};
  }
  BlobUrl url = TRY(ReadUrl(name, workspace));
  if (url.path.empty()) url.path = usual_path;
  return api::ModelFile{.path = url.path, .digest = url.digest};
}

Error NotThere(std::string message, std::string fix) {
  return Error{.code = Code::kUnimplemented,
               .message = std::move(message),
               .id = "Image.Runtime",
               .fix = std::move(fix)};
}

/// That a member, if it is there, says what there is.
Result<void> CheckSays(const Json& json, const char* name, std::string_view what) {
  const std::string said = TRY(GetStringOr(json, name, std::string(what)));
  if (ToLower(said) == ToLower(what)) return {};
  return NotThere(std::string(name) + " \"" + said + "\" is not there", "use " + std::string(what));
}

Result<void> ReadRuntime(const Json& json, const std::vector<Asset>& assets,
                         std::string_view workspace, api::CreateImage& image,
                         std::set<std::string>& used) {
  const auto runtime = json.find("targetRuntime");
  if (runtime == json.end()) return {};
  TRY(OnlyKnownFields(*runtime, {"runtimeType", "osType", "targetArchitecture", "properties"}));
  TRY(CheckSays(*runtime, "runtimeType", "Python"));
  TRY(CheckSays(*runtime, "osType", "Linux"));
  TRY(CheckSays(*runtime, "targetArchitecture", "Amd64"));
  const auto properties = runtime->find("properties");
  if (properties == runtime->end() || properties->is_null()) return {};
  TRY(OnlyKnownFields(*properties, {"condaEnvFile"}));
  const std::string conda = TRY(GetStringOr(*properties, "condaEnvFile", ""));
  if (conda.empty()) return {};
  image.conda = TRY(ReadFileOf(conda, "conda.yml", assets, workspace));
  used.insert(conda);
  return {};
}

Json LabelsJson(const V1Labels& labels) {
  return {{"description", labels.description},
          {"tags", labels.tags},
          {"kvTags", labels.kv_tags},
          {"properties", labels.properties}};
}

Error BadPatch(std::string message) {
  return Error{.code = Code::kInvalidArgument,
               .message = std::move(message),
               .id = "Request.Patch",
               .fix = "send a list of {\"op\", \"path\", \"value\"}, as RFC 6902 says"};
}

Result<Json> ApplyPatch(std::string_view body, const Json& now) {
  const Json patch = TRY(ParseJson(body));
  if (!patch.is_array()) return BadPatch("the body must be a list of operations");
  try {
    Json after = now.patch(patch);
    if (after.is_object()) return after;
  } catch (const Json::exception& error) {
    return BadPatch(error.what());
  }
  return BadPatch("the patch leaves no object");
}

bool Removes(std::string_view body, std::string_view path) {
  const auto patch = ParseJson(body);
  if (!patch || !patch->is_array()) return false;
  return std::ranges::any_of(*patch, [path](const Json& item) {
    return item.is_object() && item.value("op", Json()) == "remove" &&
           item.value("path", Json()).is_string() &&
           item["path"].get_ref<const std::string&>().starts_with(path);
  });
}

/// What labels are to become: of the two forms of tags, the one that the patch changed.
Result<api::UpdateModel> LabelsAfter(std::string_view body, const Json& after,
                                     const V1Labels& now) {
  api::UpdateModel update;
  update.description = TRY(GetStringOr(after, "description", ""));
  update.has_description = update.description != now.description;
  const api::TextMap kv_tags = TRY(GetTexts(after, "kvTags"));
  const std::vector<std::string> tags = TRY(GetList(after, "tags"));
  update.tags = kv_tags;
  if (kv_tags == now.kv_tags) {
    for (const std::string& tag : tags) update.tags.try_emplace(tag, "");
    std::erase_if(update.tags, [&tags](const auto& tag) {
      return std::ranges::find(tags, tag.first) == tags.end();
    });
  }
  update.has_tags = update.tags != now.kv_tags;
  if (Removes(body, "/properties")) return BadPatch("properties can be added, never removed");
  for (const auto& [name, value] : TRY(GetTexts(after, "properties"))) {
    const auto before = now.properties.find(name);
    if (before == now.properties.end() || before->second != value) {
      update.add_properties[name] = value;
    }
  }
  return update;
}

}  // namespace

Result<V1ModelRequest> ReadV1Model(std::string_view body, std::string_view workspace) {
  const Json json = TRY(ReadObject(body));
  TRY(OnlyKnownFields(json, {"name", "description", "url", "mimeType", "unpack", "tags", "kvTags",
                             "properties", "framework", "frameworkVersion"}));
  V1ModelRequest request;
  request.model.name = TRY(GetString(json, "name"));
  request.model.description = TRY(GetStringOr(json, "description", ""));
  request.model.framework = TRY(GetStringOr(json, "framework", ""));
  request.model.framework_version = TRY(GetStringOr(json, "frameworkVersion", ""));
  request.model.tags = TRY(GetTags(json));
  request.model.properties = TRY(GetTexts(json, "properties"));
  const std::string text = TRY(GetString(json, "url"));
  const BlobUrl url = TRY(ReadUrl(text, workspace));
  if (TRY(GetBoolOr(json, "unpack", false))) {
    request.archive = url.digest;
    return request;
  }
  std::string path = url.path.empty() ? request.model.name : url.path;
  if (path.find('.') == std::string::npos) path += ".onnx";
  request.model.files.push_back({.path = path, .digest = url.digest});
  return request;
}

Result<V1ImageRequest> ReadV1Image(std::string_view body, std::string_view workspace) {
  const Json json = TRY(ReadObject(body));
  TRY(OnlyKnownFields(json, {"name", "description", "imageType", "imageFlavor", "modelIds", "tags",
                             "kvTags", "properties", "driverProgram", "assets", "targetRuntime",
                             "dockerFileUri", "baseImage", "autoDelete"}));
  TRY(CheckSays(json, "imageType", "Docker"));
  TRY(CheckSays(json, "imageFlavor", "WebApiContainer"));
  if (TRY(GetBoolOr(json, "autoDelete", false))) {
    return NotThere("autoDelete is not there: images stay until they are deleted",
                    "leave it out, and DELETE the image");
  }
  V1ImageRequest request;
  api::CreateImage& image = request.image;
  image.name = TRY(GetString(json, "name"));
  image.models = TRY(GetList(json, "modelIds"));
  image.description = TRY(GetStringOr(json, "description", ""));
  image.tags = TRY(GetTags(json));
  image.properties = TRY(GetTexts(json, "properties"));
  image.base = TRY(GetStringOr(json, "baseImage", ""));
  const std::vector<Asset> assets = TRY(ReadAssets(json, workspace));
  const std::string driver = TRY(GetStringOr(json, "driverProgram", ""));
  const std::string steps = TRY(GetStringOr(json, "dockerFileUri", ""));
  std::set<std::string> used = {driver, steps};
  if (!driver.empty()) {
    image.script = TRY(ReadFileOf(driver, "score.py", assets, workspace));
    if (!image.script.path.ends_with(".py")) image.script.path += ".py";
  }
  if (!steps.empty()) image.docker_file = TRY(ReadFileOf(steps, "Dockerfile", assets, workspace));
  TRY(ReadRuntime(json, assets, workspace, image, used));
  for (const Asset& asset : assets) {
    if (used.contains(asset.id)) continue;
    if (asset.unpack) {
      request.archives.push_back(asset.url.digest);
    } else {
      image.dependencies.push_back({.path = asset.url.path, .digest = asset.url.digest});
    }
  }
  return request;
}

Result<api::CreateService> ReadV1Service(std::string_view body) {
  Json json = TRY(ReadObject(body));
  const std::string mode = TRY(GetStringOr(json, "creationMode", "Image"));
  const std::string type = TRY(GetStringOr(json, "deploymentType", "HttpRealtimeEndpoint"));
  const bool inlined = json.contains("imageRequest") || json.contains("environmentImageRequest");
  if (ToLower(mode) != "image" || ToLower(type) != "httprealtimeendpoint" || inlined) {
    const std::string what = inlined                    ? "an image made on the way"
                             : ToLower(mode) != "image" ? "creationMode \"" + mode + "\""
                                                        : "deploymentType \"" + type + "\"";
    return Error{.code = Code::kUnimplemented,
                 .message = what + " is not there",
                 .id = "Service.CreationMode",
                 .fix = "POST the image to …/images, then the service with its imageId"};
  }
  api::CreateService service;
  service.name = TRY(GetString(json, "name"));
  service.image = TRY(GetStringOr(json, "imageId", ""));
  const auto dependencies = json.find("dependencies");
  if (service.image.empty() && dependencies != json.end() && dependencies->is_object()) {
    service.image = TRY(GetStringOr(*dependencies, "image", ""));
  }
  if (service.image.empty()) return Invalid("member 'imageId' is missing");
  service.description = TRY(GetStringOr(json, "description", ""));
  service.tags = TRY(GetTags(json));
  service.properties = TRY(GetTexts(json, "properties"));
  for (const char* name : {"name", "imageId", "dependencies", "description", "tags", "kvTags",
                           "properties", "creationMode", "deploymentType"}) {
    json.erase(name);
  }
  if (json.value("computeType", Json()) == "ACS") json["computeType"] = "AKS";
  if (!json.empty()) service.deployment.json = DumpJson(json);
  return service;
}

Result<api::SetServiceKey> ReadV1Key(std::string_view body) {
  const Json json = TRY(ReadObject(body));
  TRY(OnlyKnownFields(json, {"keyType", "keyValue"}));
  api::SetServiceKey key;
  key.key = ToLower(TRY(GetString(json, "keyType")));
  key.value = TRY(GetStringOr(json, "keyValue", ""));
  return key;
}

Result<api::UpdateModel> ReadV1Patch(std::string_view body, const V1Labels& now) {
  const Json after = TRY(ApplyPatch(body, LabelsJson(now)));
  TRY(OnlyKnownFields(after, {"description", "tags", "kvTags", "properties"}));
  return LabelsAfter(body, after, now);
}

Result<api::UpdateService> ReadV1ServicePatch(std::string_view body, const V1Labels& now,
                                              const std::string& image) {
  Json before = LabelsJson(now);
  before["imageId"] = image;
  Json after = TRY(ApplyPatch(body, before));
  const api::UpdateModel labels = TRY(LabelsAfter(body, after, now));
  api::UpdateService update{.has_description = labels.has_description,
                            .has_tags = labels.has_tags,
                            .description = labels.description,
                            .tags = labels.tags,
                            .add_properties = labels.add_properties};
  const std::string image_after = TRY(GetStringOr(after, "imageId", image));
  if (image_after != image) update.image = image_after;
  for (const char* name : {"description", "tags", "kvTags", "properties", "imageId"}) {
    after.erase(name);
  }
  if (!after.empty()) update.deployment.json = DumpJson(after);
  return update;
}

}  // namespace slipway::workspace
