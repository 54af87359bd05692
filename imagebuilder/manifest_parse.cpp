// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"
#include "base/limits.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/manifest.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::string_view kCreatedBy = "slipway layer ";

/// A member, or a null that lives as long as the program where there is none.
const Json& Member(const Json& object, const char* name) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

Result<Json> ParseObject(std::string_view text, std::string_view what) {
  if (static_cast<std::int64_t>(text.size()) > kManifestBytes) {
    return Damaged(fmt::format("the {} has more than {} bytes", what, kManifestBytes));
  }
  auto json = ParseJson(text);
  if (!json) return Damaged(fmt::format("the {} is not JSON: {}", what, json.error().message));
  if (!json->is_object()) return Damaged(fmt::format("the {} is no JSON object", what));
  return json;
}

Result<std::vector<std::string>> Strings(const Json& list, std::string_view what) {
  if (list.is_null()) return std::vector<std::string>();
  if (!list.is_array()) return Damaged(fmt::format("{} is no list", what));
  std::vector<std::string> strings;
  for (const Json& item : list) {
    if (!item.is_string()) return Damaged(fmt::format("{} holds something but text", what));
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

Result<Descriptor> ReadDescriptor(const Json& json, std::string_view what,
                                  std::string_view media_type) {
  const Json& type = Member(json, "mediaType");
  if (!type.is_string()) return Damaged(fmt::format("{} has no mediaType", what));
  if (type.get<std::string>() != media_type) {
    return Damaged(
        fmt::format("{} has mediaType {}, expected {}", what, type.get<std::string>(), media_type));
  }
  const Json& digest = Member(json, "digest");
  if (!digest.is_string() || !Digest::Parse(digest.get<std::string>())) {
    return Damaged(fmt::format("{} has no SHA-256 digest", what));
  }
  const Json& size = Member(json, "size");
  if (!size.is_number_unsigned() || size.get<std::uint64_t>() > limits::kBlobBytes) {
    return Damaged(fmt::format("{} has no valid size", what));
  }
  return Descriptor{.media_type = std::string(media_type),
                    .digest = digest.get<std::string>(),
                    .size = size.get<std::int64_t>()};
}

std::int64_t UnpackedSize(const Json& layer) {
  const Json& text = Member(Member(layer, "annotations"), "io.slipway.layer.unpacked-size");
  if (!text.is_string()) return 0;
  const auto& digits = text.get_ref<const std::string&>();
  std::int64_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  return error == std::errc() && end == digits.data() + digits.size() && size > 0 ? size : 0;
}

Result<int> ReadPort(const Json& ports) {
  if (ports.is_null()) return 0;
  if (!ports.is_object()) return Damaged("the config's ExposedPorts is no object");
  for (const auto& item : ports.items()) {
    const std::string& text = item.key();
    int port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const std::string_view rest(end, text.data() + text.size());
    const bool tcp = rest.empty() || rest == "/tcp";
    if (error == std::errc() && port > 0 && port < 65536 && tcp) return port;
  }
  return 0;
}

void AddHistory(const Json& history, std::vector<LayerHistory>& layers) {
  std::size_t at = 0;
  if (!history.is_array()) return;
  for (const Json& step : history) {
    const Json& empty = Member(step, "empty_layer");
    if (empty.is_boolean() && empty.get<bool>()) continue;
    if (at == layers.size()) return;
    LayerHistory& layer = layers[at++];
    const Json& by = Member(step, "created_by");
    const Json& comment = Member(step, "comment");
    if (by.is_string()) layer.name = by.get<std::string>();
    if (layer.name.starts_with(kCreatedBy)) layer.name.erase(0, kCreatedBy.size());
    if (comment.is_string()) layer.summary = comment.get<std::string>();
  }
}

}  // namespace

Result<ParsedManifest> ParseManifest(std::string_view text) {
  const Json json = TRY(ParseObject(text, "manifest"));
  if (Member(json, "schemaVersion") != 2) return Damaged("the manifest's schemaVersion is not 2");
  const Json& type = Member(json, "mediaType");
  if (!type.is_null() && type != kManifestType) {
    return Damaged(fmt::format("the manifest has mediaType {}", DumpJson(type)));
  }
  ParsedManifest manifest;
  manifest.config = TRY(ReadDescriptor(Member(json, "config"), "the config", kConfigType));
  const Json& layers = Member(json, "layers");
  if (!layers.is_array() || layers.empty()) return Damaged("the manifest has no layers");
  if (static_cast<std::int64_t>(layers.size()) > limits::kImageLayers) {
    return Damaged(fmt::format("the manifest has {} layers, {} are allowed", layers.size(),
                               limits::kImageLayers));
  }
  for (const Json& layer : layers) {
    const std::string what = fmt::format("layer {}", manifest.layers.size());
    Descriptor blob = TRY(ReadDescriptor(layer, what, kLayerType));
    manifest.layers.push_back({.blob = std::move(blob), .unpacked_size = UnpackedSize(layer)});
  }
  return manifest;
}

Result<ParsedConfig> ParseConfig(std::string_view text) {
  const Json json = TRY(ParseObject(text, "config"));
  if (Member(json, "os") != "linux") return Damaged("the config's os is not linux");
  if (!Member(json, "architecture").is_string()) return Damaged("the config has no architecture");
  const Json& rootfs = Member(json, "rootfs");
  if (Member(rootfs, "type") != "layers") return Damaged("the config's rootfs is not of layers");
  ParsedConfig config;
  auto diff_ids = TRY(Strings(Member(rootfs, "diff_ids"), "the config's list of diff_ids"));
  for (std::string& diff_id : diff_ids) {
    if (!Digest::Parse(diff_id)) return Damaged(fmt::format("{} is no diff_id", diff_id));
    config.layers.push_back({.diff_id = std::move(diff_id), .name = "layer", .summary = {}});
  }
  AddHistory(Member(json, "history"), config.layers);
  const Json& run = Member(json, "config");
  config.run.entrypoint = TRY(Strings(Member(run, "Entrypoint"), "the config's Entrypoint"));
  auto arguments = TRY(Strings(Member(run, "Cmd"), "the config's Cmd"));
  for (std::string& word : arguments) config.run.entrypoint.push_back(std::move(word));
  config.run.environment = TRY(Strings(Member(run, "Env"), "the config's Env"));
  const Json& folder = Member(run, "WorkingDir");
  if (folder.is_string()) config.run.working_folder = folder.get<std::string>();
  config.run.port = TRY(ReadPort(Member(run, "ExposedPorts")));
  return config;
}

}  // namespace slipway::imagebuilder
