// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "registry/names.h"
#include "workspace/etag.h"
#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {
namespace {

constexpr std::string_view kOwnPartsMember = "own_parts";

Result<void> CheckFields(const api::Image& image) {
  const auto check = [&image]() -> Result<void> {
    TRY(registry::CheckText("description", image.description));
    TRY(registry::CheckTextMap("tag", image.kv_tags));
    return registry::CheckTextMap("property", image.properties);
  };
  Result<void> checked = check();
  if (checked) return {};
  Error error = std::move(checked).error();
  error.id = "Image.Field";
  return error;
}

Result<void> Change(const api::UpdateImage& wanted, api::Image& image) {
  if (wanted.has_description) image.description = wanted.description;
  if (wanted.has_tags) image.kv_tags = wanted.tags;
  for (const std::string& tag : wanted.remove_tags) image.kv_tags.erase(tag);
  for (const auto& [tag, value] : wanted.add_tags) image.kv_tags[tag] = value;
  for (const auto& [name, value] : wanted.add_properties) {
    const auto [at, added] = image.properties.emplace(name, value);
    if (!added && at->second != value) {
      return Error{.code = Code::kFailedPrecondition,
                   .message = "property \"" + name + "\" of image \"" + image.id + "\" is \"" +
                              at->second + "\" and cannot become \"" + value + "\"",
                   .id = "Image.PropertyFixed",
                   .fix = "properties can be added, never changed; use a tag for what may change"};
    }
  }
  return CheckFields(image);
}

}  // namespace

Result<ImageOrigin> Store::GetImageOrigin(std::string_view workspace, const VersionedName& name) {
  const api::Image image = TRY(GetImage(workspace, name));
  const std::array<SqlValue, 3> key{std::string(workspace), image.name, image.version};
  std::string text;
  TRY(database_.Query("SELECT details FROM images WHERE workspace = ? AND name = ? AND version = ?",
                      key, [&text](const Row& row) { text = row.Text(0); }));
  const Json details = TRY(ParseJson(text));
  ImageOrigin origin;
  const auto found = details.find(kOriginMember);
  if (found == details.end()) return origin;
  TRY(api::FromJson(found->at("request"), origin.request));
  const auto parts = found->find(kOwnPartsMember);
  if (parts == found->end()) return origin;
  for (const auto& [part, digest] : parts->items()) {
    if (digest.is_string()) origin.own_parts[part] = digest.get<std::string>();
  }
  return origin;
}

Result<void> Store::KeepOwnParts(std::string_view workspace, const VersionedName& name,
                                 const api::TextMap& parts) {
  const std::string patch = DumpJson({{kOriginMember, {{kOwnPartsMember, parts}}}});
  const std::array<SqlValue, 4> values{patch, std::string(workspace), name.name, name.version};
  TRY(
      database_.Execute("UPDATE images SET details = json_patch(details, ?)"
                        " WHERE workspace = ? AND name = ? AND version = ?"
                        " AND json_type(details, '$.origin') = 'object'",
                        values));
  return {};
}

Result<void> Store::KeepVerification(std::string_view workspace, const VersionedName& name,
                                     const api::Verification& verification) {
  const std::string patch = DumpJson({{"verification", api::ToJson(verification)}});
  const std::array<SqlValue, 4> values{patch, std::string(workspace), name.name, name.version};
  const std::int64_t changed = TRY(
      database_.Execute("UPDATE images SET details = json_patch(details, ?), change = change + 1"
                        " WHERE workspace = ? AND name = ? AND version = ?",
                        values));
  if (changed > 0) return {};
  TRY(GetImage(workspace, name));
  return {};
}

Result<api::Image> Store::UpdateImage(std::string_view workspace, const VersionedName& name,
                                      const api::UpdateImage& wanted, std::string_view if_match) {
  api::Image image;
  const Result<void> changed = Transaction([&]() -> Result<void> {
    const api::Image before = TRY(GetImage(workspace, name));
    TRY(CheckIfMatch(if_match, before.etag, "image \"" + before.id + "\""));
    image = before;
    TRY(Change(wanted, image));
    if (image.description == before.description && image.kv_tags == before.kv_tags &&
        image.properties == before.properties) {
      return {};
    }
    const std::array<SqlValue, 6> values{image.description,
                                         TextMapToColumn(image.kv_tags),
                                         TextMapToColumn(image.properties),
                                         std::string(workspace),
                                         image.name,
                                         image.version};
    TRY(database_.Execute(
        "UPDATE images SET description = ?, tags = ?, properties = ?, change = change + 1"
        " WHERE workspace = ? AND name = ? AND version = ?",
        values));
    image = TRY(GetImage(workspace, {image.name, image.version}));
    return {};
  });
  if (!changed) return changed.error();
  return image;
}

}  // namespace slipway::workspace
