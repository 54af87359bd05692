// SPDX-License-Identifier: Apache-2.0
#include "workspace/store_text.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"

namespace slipway::workspace {

std::string TextMapToColumn(const api::TextMap& map) {
  return map.empty() ? "{}" : DumpJson(Json(map));
}

api::TextMap TextMapFromColumn(const std::string& column) {
  api::TextMap map;
  const Result<Json> json = ParseJson(column);
  if (!json || !json->is_object()) return map;
  for (const auto& [key, value] : json->items()) {
    if (value.is_string()) map[key] = value.get<std::string>();
  }
  return map;
}

std::vector<std::string> KeysOf(const api::TextMap& map) {
  std::vector<std::string> keys;
  for (const auto& entry : map) keys.push_back(entry.first);
  return keys;
}

std::string MakeEtag(std::string_view object, std::string_view created_time, std::int64_t change) {
  std::string text(object);
  text.append("\n").append(created_time).append("\n").append(std::to_string(change));
  return std::string(Digest::OfText(text).hex().substr(0, 16));
}

std::string EncodeNext(std::int64_t seq) {
  const std::string text = "before:" + std::to_string(seq);
  return EncodeBase64(std::as_bytes(std::span(text)));
}

Result<std::int64_t> DecodeNext(const std::string& next) {
  if (next.empty()) return std::numeric_limits<std::int64_t>::max();
  Error wrong{.code = Code::kInvalidArgument,
              .message = "next \"" + next + "\" is not from a page of this list",
              .id = "Request.Invalid"};
  const Result<std::string> text = DecodeBase64(next);
  constexpr std::string_view kPrefix = "before:";
  if (!text || text->compare(0, kPrefix.size(), kPrefix) != 0) return wrong;
  std::int64_t seq = 0;
  const char* end = text->data() + text->size();
  const auto [stop, failure] = std::from_chars(text->data() + kPrefix.size(), end, seq);
  if (failure != std::errc() || stop != end || seq < 0) return wrong;
  return seq;
}

std::string DeploymentToColumn(const deployer::Deployment& deployment) {
  return DumpJson(deployer::ToJson(deployment, deployer::Secrets::kShown));
}

deployer::Deployment DeploymentFromColumn(const std::string& column, std::string_view target) {
  const Result<Json> json = ParseJson(column);
  if (!json) return deployer::DefaultDeployment(target);
  Result<deployer::Deployment> deployment = deployer::ParseDeployment(*json, target);
  return deployment ? *std::move(deployment) : deployer::DefaultDeployment(target);
}

Result<VersionedName> ParseVersionedName(std::string_view text) {
  const std::size_t colon = text.find(':');
  VersionedName name{std::string(text.substr(0, colon)), 0};
  const std::string_view version =
      colon == std::string_view::npos ? "latest" : text.substr(colon + 1);
  Error wrong{.code = Code::kInvalidArgument,
              .message = "\"" + std::string(text) + "\" is not NAME or NAME:VERSION",
              .id = "Request.Invalid"};
  if (name.name.empty()) return wrong;
  if (version == "latest") return name;
  const char* end = version.data() + version.size();
  const auto [stop, failure] = std::from_chars(version.data(), end, name.version);
  if (failure != std::errc() || stop != end || name.version < 1) return wrong;
  return name;
}

}  // namespace slipway::workspace
