// SPDX-License-Identifier: Apache-2.0
#include "registry/model_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "registry/model_row.h"
#include "registry/names.h"
#include "registry/page.h"
#include "registry/signature.h"

namespace slipway::registry {
namespace {

using Values = std::vector<SqlValue>;
using Pairs = std::vector<std::pair<std::string, std::optional<std::string>>>;

void AppendPairs(std::string_view table, const Pairs& pairs, std::string& sql, Values& values) {
  for (const auto& [name, value] : pairs) {
    sql += fmt::format(" AND EXISTS (SELECT 1 FROM {} x WHERE x.model = m.id AND x.name = ?{})",
                       table, value ? " AND x.value = ?" : "");
    values.emplace_back(name);
    if (value) values.emplace_back(*value);
  }
}

Error NotFound(const ModelKey& key) {
  const std::string id = key.version == 0 ? key.name : fmt::format("{}:{}", key.name, key.version);
  return {
      .code = Code::kNotFound,
      .message = fmt::format("model {} is not in workspace {}", Shown(id), Shown(key.workspace)),
      .id = "Model.NotFound",
      .fix = "slipway model list shows what there is"};
}

}  // namespace

Result<std::int64_t> ModelStore::NextVersion(const ModelKey& key) {
  std::int64_t version = 0;
  TRY(database_.Query(
      "INSERT INTO model_names (workspace, name, last_version) VALUES (?, ?, 1) "
      "ON CONFLICT DO UPDATE SET last_version = last_version + 1 "
      "RETURNING last_version",
      Values{key.workspace, key.name}, [&](const Row& row) { version = row.Int(0); }));
  return version;
}

Result<void> ModelStore::Insert(const ModelVersion& model) {
  std::int64_t row = 0;
  const std::string signature = TRY(SignatureText(model.signature));
  const Values values = {model.workspace,   model.name,         model.version,
                         model.digest,      model.size,         model.main_file,
                         signature,         model.framework,    model.framework_version,
                         model.description, model.created_time, model.updated_time};
  TRY(database_.Query(
      "INSERT INTO models (workspace, name, version, digest, size, main_file, signature, "
      "framework, framework_version, description, created_time, updated_time, revision) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) RETURNING id",
      values, [&](const Row& inserted) { row = inserted.Int(0); }));
  for (const ModelFile& file : model.files) {
    TRY(database_.Execute("INSERT INTO model_files (model, path, digest, size) VALUES (?, ?, ?, ?)",
                          Values{row, file.path, file.digest, file.size}));
  }
  TRY(InsertTags(row, model));
  return InsertProperties(row, model);
}

Result<void> ModelStore::InsertTags(std::int64_t row, const ModelVersion& model) {
  std::int64_t position = 0;
  for (const std::string& tag : model.tags) {
    TRY(database_.Execute(
        "INSERT INTO model_tags (model, position, name, value) VALUES (?, ?, ?, ?)",
        Values{row, position++, tag, model.kv_tags.at(tag)}));
  }
  return {};
}

Result<void> ModelStore::InsertProperties(std::int64_t row, const ModelVersion& model) {
  for (const auto& [name, value] : model.properties) {
    TRY(database_.Execute("INSERT INTO model_properties (model, name, value) VALUES (?, ?, ?)",
                          Values{row, name, value}));
  }
  return {};
}

Result<StoredModel> ModelStore::Get(const ModelKey& key) {
  std::string sql =
      fmt::format("SELECT {} FROM models m WHERE m.workspace = ? AND m.name = ?", kModelColumns);
  Values values = {key.workspace, key.name};
  if (key.version != 0) {
    sql += " AND m.version = ?";
    values.emplace_back(key.version);
  }
  sql += " ORDER BY m.version DESC LIMIT 1";
  Result<StoredModel> found = NotFound(key);
  TRY(database_.Query(sql, values, [&](const Row& row) { found = ReadModelRow(row); }));
  return found;
}

Result<ModelPage> ModelStore::List(std::string_view workspace, const ModelFilter& filter) {
  std::string sql = fmt::format("SELECT {} FROM models m WHERE m.workspace = ?", kModelColumns);
  Values values = {std::string(workspace)};
  if (!filter.name.empty()) {
    sql += " AND m.name = ?";
    values.emplace_back(filter.name);
  }
  if (filter.latest) {
    sql +=
        " AND NOT EXISTS (SELECT 1 FROM models n WHERE n.workspace = m.workspace "
        "AND n.name = m.name AND n.version > m.version)";
  }
  AppendPairs("model_tags", filter.tags, sql, values);
  AppendPairs("model_properties", filter.properties, sql, values);
  if (!filter.next.empty()) {
    sql += filter.ascending ? " AND m.id > ?" : " AND m.id < ?";
    values.emplace_back(TRY(ReadPageToken(workspace, filter)));
  }
  const std::int64_t limit = std::min(filter.limit, limits::kPageItems);
  sql += fmt::format(" ORDER BY m.id {} LIMIT ?", filter.ascending ? "ASC" : "DESC");
  values.emplace_back(limit + 1);

  ModelPage page;
  Result<void> read;
  std::int64_t last = 0;
  std::size_t files = 0;
  bool full = false;
  TRY(database_.Query(sql, values, [&](const Row& row) {
    full = full || std::cmp_equal(page.models.size(), limit) ||
           std::cmp_greater(files, limits::kModelFiles);
    if (full || !read) return;
    auto stored = ReadModelRow(row);
    if (!stored) {
      read = stored.error();
      return;
    }
    last = stored->row;
    files += stored->model.files.size();
    page.models.push_back(std::move(stored->model));
  }));
  TRY(read);
  if (full) page.next = PageToken(workspace, filter, last);
  return page;
}

Result<void> ModelStore::Rewrite(const StoredModel& changed) {
  const ModelVersion& model = changed.model;
  TRY(database_.Execute(
      "UPDATE models SET description = ?, updated_time = ?, revision = revision + 1 WHERE id = ?",
      Values{model.description, model.updated_time, changed.row}));
  TRY(database_.Execute("DELETE FROM model_tags WHERE model = ?", Values{changed.row}));
  TRY(InsertTags(changed.row, model));
  TRY(database_.Execute("DELETE FROM model_properties WHERE model = ?", Values{changed.row}));
  return InsertProperties(changed.row, model);
}

Result<void> ModelStore::Delete(std::int64_t row) {
  TRY(database_.Execute("DELETE FROM models WHERE id = ?", Values{row}));
  return {};
}

Result<std::int64_t> ModelStore::Alias(const ModelKey& key, std::string_view alias) {
  std::int64_t version = 0;
  TRY(database_.Query(
      "SELECT version FROM model_aliases WHERE workspace = ? AND name = ? AND alias = ?",
      Values{key.workspace, key.name, std::string(alias)},
      [&](const Row& row) { version = row.Int(0); }));
  return version;
}

Result<std::vector<std::string>> ModelStore::AliasesOf(const ModelKey& key) {
  std::vector<std::string> aliases;
  TRY(
      database_.Query("SELECT alias FROM model_aliases "
                      "WHERE workspace = ? AND name = ? AND version = ? ORDER BY alias",
                      Values{key.workspace, key.name, key.version},
                      [&](const Row& row) { aliases.push_back(row.Text(0)); }));
  return aliases;
}

Result<void> ModelStore::PutAlias(const ModelKey& key, std::string_view alias) {
  if (key.version == 0) {
    TRY(database_.Execute(
        "DELETE FROM model_aliases WHERE workspace = ? AND name = ? AND alias = ?",
        Values{key.workspace, key.name, std::string(alias)}));
    return {};
  }
  TRY(
      database_.Execute("INSERT INTO model_aliases (workspace, name, alias, version) "
                        "VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version",
                        Values{key.workspace, key.name, std::string(alias), key.version}));
  return {};
}

Result<std::set<Digest>> ModelStore::Blobs() {
  std::set<Digest> blobs;
  Result<void> read;
  TRY(database_.Query("SELECT DISTINCT digest FROM model_files", {}, [&](const Row& row) {
    auto digest = Digest::Parse(row.Text(0));
    if (digest) {
      blobs.insert(*std::move(digest));
    } else {
      read = Error{.code = Code::kDataLoss,
                   .message = fmt::format("stored digest {} is none", Shown(row.Text(0))),
                   .id = "State.Damaged"};
    }
  }));
  TRY(read);
  return blobs;
}

}  // namespace slipway::registry
