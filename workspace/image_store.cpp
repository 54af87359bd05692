// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <nlohmann/json.hpp>

#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {
namespace {

constexpr std::string_view kColumns =
    "SELECT seq, name, version, state, digest, size, description, error, operation_id, tags,"
    " properties, created_time, change, workspace, details FROM images ";

Error NoImage(std::string_view workspace, const VersionedName& name) {
  const std::string what = name.version == 0
                               ? "image \"" + name.name + "\""
                               : "image \"" + name.name + ":" + std::to_string(name.version) + "\"";
  return Error{
      .code = Code::kNotFound,
      .message = "there is no " + what + " in workspace \"" + std::string(workspace) + "\"",
      .id = "Image.NotFound",
      .fix = "slipway image list"};
}

/// What an image tells beyond the columns.
Json DetailsOf(const api::Image& image) {
  const Json json = api::ToJson(image);
  Json details = Json::object();
  for (const char* name :
       {"runtime", "script", "python_version", "generated_dockerfile", "lock", "warnings"}) {
    details[name] = json[name];
  }
  return details;
}

std::string DraftDetails(const api::Image& draft, const ImageOrigin& origin) {
  Json details = DetailsOf(draft);
  if (!origin.request.name.empty()) {
    details[std::string(kOriginMember)] = {{"request", api::ToJson(origin.request)}};
  }
  return DumpJson(details);
}

void TakeDetails(const std::string& text, api::Image& image) {
  Result<Json> details = ParseJson(text);
  if (!details || !details->is_object()) return;
  details->erase(std::string(kOriginMember));
  api::Image read;
  if (!api::FromJson(*details, read)) return;
  image.runtime = read.runtime;
  image.script = read.script;
  image.python_version = read.python_version;
  image.generated_dockerfile = read.generated_dockerfile;
  image.lock = read.lock;
  image.warnings = read.warnings;
  image.verification = read.verification;
}

}  // namespace

Result<Store::Rows<api::Image>> Store::QueryImages(const char* where,
                                                   std::span<const SqlValue> values) {
  Rows<api::Image> rows;
  TRY(database_.Query(std::string(kColumns) + where, values, [&rows](const Row& row) {
    api::Image image;
    image.name = row.Text(1);
    image.version = row.Int(2);
    image.id = image.name + ":" + std::to_string(image.version);
    image.state = row.Text(3);
    image.digest = row.Text(4);
    image.size = row.Int(5);
    image.description = row.Text(6);
    image.error = row.Text(7);
    image.operation_id = row.Text(8);
    image.kv_tags = TextMapFromColumn(row.Text(9));
    image.tags = KeysOf(image.kv_tags);
    image.properties = TextMapFromColumn(row.Text(10));
    image.created_time = row.Text(11);
    TakeDetails(row.Text(14), image);
    image.etag = MakeEtag(row.Text(13) + "/" + image.id, image.created_time, row.Int(12));
    rows.emplace_back(row.Int(0), std::move(image));
  }));
  for (auto& [seq, image] : rows) {
    const std::array<SqlValue, 1> key{seq};
    TRY(database_.Query("SELECT model FROM image_models WHERE image = ? ORDER BY position", key,
                        [&image](const Row& row) { image.models.push_back(row.Text(0)); }));
    TRY(database_.Query(
        "SELECT name, summary, digest, diff_id, size, unpacked_size FROM image_layers"
        " WHERE image = ? ORDER BY position",
        key, [&image](const Row& row) {
          image.layers.push_back({.name = row.Text(0),
                                  .summary = row.Text(1),
                                  .digest = row.Text(2),
                                  .diff_id = row.Text(3),
                                  .size = row.Int(4),
                                  .unpacked_size = row.Int(5)});
        }));
  }
  return rows;
}

Result<api::Image> Store::InsertImage(std::string_view workspace, const api::Image& draft,
                                      const ImageOrigin& origin) {
  api::Image image;
  const auto insert = [&]() -> Result<void> {
    const std::array<SqlValue, 2> name{std::string(workspace), draft.name};
    TRY(database_.Execute(
        "INSERT INTO image_names (workspace, name, last_version) VALUES (?, ?, 1)"
        " ON CONFLICT (workspace, name) DO UPDATE SET last_version = last_version + 1",
        name));
    const std::array<SqlValue, 10> values{std::string(workspace),
                                          draft.name,
                                          draft.description,
                                          draft.operation_id,
                                          TextMapToColumn(draft.kv_tags),
                                          TextMapToColumn(draft.properties),
                                          Now(),
                                          DraftDetails(draft, origin),
                                          std::string(workspace),
                                          draft.name};
    TRY(database_.Execute(
        "INSERT INTO images (workspace, name, version, state, description, operation_id, tags,"
        " properties, created_time, details) SELECT ?, ?, last_version, 'Creating', ?, ?, ?, ?, ?,"
        " ?"
        " FROM image_names WHERE workspace = ? AND name = ?",
        values));
    Rows<api::Image> rows =
        TRY(QueryImages("WHERE workspace = ? AND name = ? ORDER BY version DESC LIMIT 1", name));
    SLIPWAY_CHECK(!rows.empty());
    std::int64_t position = 0;
    for (const std::string& model : draft.models) {
      const std::array<SqlValue, 3> entry{rows.front().first, position++, model};
      TRY(database_.Execute("INSERT INTO image_models (image, position, model) VALUES (?, ?, ?)",
                            entry));
    }
    image = std::move(rows.front().second);
    image.models = draft.models;
    return {};
  };
  TRY(Transaction(insert));
  return image;
}

Result<api::Image> Store::GetImage(std::string_view workspace, const VersionedName& name) {
  const std::array<SqlValue, 4> values{std::string(workspace), name.name, name.version,
                                       name.version};
  Rows<api::Image> rows = TRY(QueryImages(
      "WHERE workspace = ? AND name = ? AND (? = 0 OR version = ?) ORDER BY version DESC LIMIT 1",
      values));
  if (rows.empty()) return NoImage(workspace, name);
  return std::move(rows.front().second);
}

Result<api::Image> Store::GetReadyImage(std::string_view workspace, const VersionedName& name) {
  const std::array<SqlValue, 4> values{std::string(workspace), name.name, name.version,
                                       name.version};
  Rows<api::Image> rows =
      TRY(QueryImages("WHERE workspace = ? AND name = ? AND (? = 0 OR version = ?)"
                      " ORDER BY state = 'Succeeded' DESC, version DESC LIMIT 1",
                      values));
  if (rows.empty()) return NoImage(workspace, name);
  api::Image& image = rows.front().second;
  if (image.state == "Succeeded") return std::move(image);
  const std::string why = image.error.empty() ? "" : ": " + image.error;
  return Error{.code = Code::kFailedPrecondition,
               .message = "image \"" + image.id + "\" is in state " + image.state + why,
               .id = "Image.NotReady",
               .fix = "wait for its operation, or build it again"};
}

Result<Page<api::Image>> Store::ListImages(std::string_view workspace, std::string_view name,
                                           const PageRequest& page) {
  const std::int64_t next = TRY(DecodeNext(page.next));
  const std::array<SqlValue, 5> values{std::string(workspace), std::string(name), std::string(name),
                                       next, page.limit + 1};
  return CutPage(TRY(QueryImages("WHERE workspace = ? AND (? = '' OR name = ?) AND seq < ?"
                                 " ORDER BY seq DESC LIMIT ?",
                                 values)),
                 page);
}

Result<void> Store::FinishImage(std::string_view workspace, const api::Image& image,
                                std::string_view config_digest,
                                const std::vector<std::string>& sources) {
  return Transaction([&]() -> Result<void> {
    const std::array<SqlValue, 9> values{image.state,
                                         image.digest,
                                         std::string(config_digest),
                                         image.size,
                                         image.error,
                                         DumpJson(DetailsOf(image)),
                                         std::string(workspace),
                                         image.name,
                                         image.version};
    TRY(database_.Execute(
        "UPDATE images SET state = ?, digest = ?, config_digest = ?, size = ?, error = ?,"
        " details = json_patch(details, ?), change = change + 1"
        " WHERE workspace = ? AND name = ? AND version = ?",
        values));
    std::int64_t position = 0;
    for (const api::Layer& layer : image.layers) {
      const std::array<SqlValue, 10> entry{
          position++, layer.name,          layer.summary,          layer.digest, layer.diff_id,
          layer.size, layer.unpacked_size, std::string(workspace), image.name,   image.version};
      TRY(database_.Execute(
          "INSERT INTO image_layers (image, position, name, summary, digest, diff_id, size,"
          " unpacked_size) SELECT seq, ?, ?, ?, ?, ?, ?, ? FROM images"
          " WHERE workspace = ? AND name = ? AND version = ?",
          entry));
    }
    for (const std::string& digest : sources) {
      const std::array<SqlValue, 4> entry{digest, std::string(workspace), image.name,
                                          image.version};
      TRY(
          database_.Execute("INSERT OR IGNORE INTO image_sources (image, digest) SELECT seq, ? FROM"
                            " images WHERE workspace = ? AND name = ? AND version = ?",
                            entry));
    }
    return {};
  });
}

Result<std::string> Store::FindResolved(std::string_view key, std::chrono::seconds max_age) {
  const std::array<SqlValue, 2> values{std::string(key), FormatTime(clock_.Now() - max_age)};
  std::string lock;
  TRY(database_.Query("SELECT lock FROM resolved WHERE key = ? AND created_time > ?", values,
                      [&lock](const Row& row) { lock = row.Text(0); }));
  return lock;
}

Result<void> Store::KeepResolved(std::string_view key, const std::string& lock) {
  const std::array<SqlValue, 3> values{std::string(key), lock, Now()};
  TRY(database_.Execute(
      "INSERT OR REPLACE INTO resolved (key, lock, created_time) VALUES (?, ?, ?)", values));
  TRY(
      database_.Execute("DELETE FROM resolved WHERE key NOT IN (SELECT key FROM resolved ORDER BY"
                        " created_time DESC LIMIT 1000)",
                        {}));
  return {};
}

Result<void> Store::FailImagesOf(std::string_view operation_id, const std::string& why) {
  const std::array<SqlValue, 2> values{why, std::string(operation_id)};
  TRY(
      database_.Execute("UPDATE images SET state = 'Failed', error = ?, change = change + 1"
                        " WHERE operation_id = ? AND state = 'Creating'",
                        values));
  return {};
}

Result<void> Store::DeleteImage(std::string_view workspace, const VersionedName& name) {
  return Transaction([&]() -> Result<void> {
    const std::array<SqlValue, 3> key{std::string(workspace), name.name, name.version};
    std::string user;
    TRY(database_.Query(
        "SELECT name FROM (SELECT workspace, name, image_name, image_version FROM services UNION"
        " SELECT workspace, service, image_name, image_version FROM service_revisions"
        " WHERE percent > 0) WHERE workspace = ? AND image_name = ? AND image_version = ?",
        key, [&user](const Row& row) { user = row.Text(0); }));
    if (!user.empty()) {
      return Error{.code = Code::kFailedPrecondition,
                   .message = "image \"" + name.name + ":" + std::to_string(name.version) +
                              "\" is used by service \"" + user + "\"",
                   .id = "Image.InUse",
                   .fix = "delete the service first: slipway service delete " + user};
    }
    const std::int64_t deleted = TRY(database_.Execute(
        "DELETE FROM images WHERE workspace = ? AND name = ? AND version = ?", key));
    if (deleted == 0) return NoImage(workspace, name);
    return {};
  });
}

Result<std::set<Digest>> Store::ImageBlobs() {
  std::set<Digest> digests;
  TRY(database_.Query(
      "SELECT digest FROM images WHERE digest <> '' UNION SELECT config_digest FROM images"
      " WHERE config_digest <> '' UNION SELECT digest FROM image_layers"
      " UNION SELECT digest FROM image_sources",
      {}, [&digests](const Row& row) {
        Result<Digest> digest = Digest::Parse(row.Text(0));
        if (digest) digests.insert(*std::move(digest));
      }));
  return digests;
}

}  // namespace slipway::workspace
