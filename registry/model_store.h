// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "base/unit.h"
#include "registry/db.h"
#include "registry/registry.h"

namespace slipway::registry {

/// The registry's part of the schema, generated from migrations/*.sql.
std::span<const EmbeddedFile> migration_files();

/// Names a model, or one of its versions (0: the newest).
struct ModelKey {
  std::string workspace, name;
  std::int64_t version = 0;
};

/// A version with its row key.
struct StoredModel {
  std::int64_t row = 0;
  std::int64_t revision = 0;
  ModelVersion model;
};

/// The SQL of the registry. Trusts what it is given; whoever changes more than one thing holds a
/// transaction. Not an owner: the database must outlive it. Thread-safe.
class ModelStore {
 public:
  explicit ModelStore(Database& database) : database_(database) {}

  /// The number after the highest that the name ever had.
  Result<std::int64_t> NextVersion(const ModelKey& key);
  /// Inserts all of `model`; id and etag follow from the rest.
  Result<void> Insert(const ModelVersion& model);
  /// kNotFound (id `Model.NotFound`).
  Result<StoredModel> Get(const ModelKey& key);
  Result<ModelPage> List(std::string_view workspace, const ModelFilter& filter);
  /// Writes what may change of `changed`: description, tags, properties, updated_time.
  Result<void> Rewrite(const StoredModel& changed);
  Result<void> Delete(std::int64_t row);

  /// Where the alias points; 0: nowhere.
  Result<std::int64_t> Alias(const ModelKey& key, std::string_view alias);
  /// Aliases that point at the version.
  Result<std::vector<std::string>> AliasesOf(const ModelKey& key);
  /// Version 0 removes it.
  Result<void> PutAlias(const ModelKey& key, std::string_view alias);

  Result<std::set<Digest>> Blobs();

 private:
  Result<void> InsertTags(std::int64_t row, const ModelVersion& model);
  Result<void> InsertProperties(std::int64_t row, const ModelVersion& model);

  Database& database_;
};

}  // namespace slipway::registry
