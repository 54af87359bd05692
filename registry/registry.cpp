// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "registry/folder_view.h"
#include "registry/model_files.h"
#include "registry/model_store.h"
#include "registry/names.h"
#include "registry/signature.h"

namespace slipway::registry {
namespace {

using TextMap = std::map<std::string, std::string>;

Result<void> CheckModelName(std::string_view workspace, std::string_view name) {
  TRY(CheckName("workspace", workspace));
  auto checked = CheckName("model name", name);
  if (checked) return {};
  Error error = std::move(checked).error();
  error.id = "Model.Name";
  return error;
}

Result<void> CheckFields(const RegisterRequest& request) {
  TRY(CheckModelName(request.workspace, request.name));
  TRY(CheckText("framework", request.framework));
  TRY(CheckText("framework version", request.framework_version));
  TRY(CheckText("description", request.description));
  TRY(CheckTextMap("tag", request.tags));
  return CheckTextMap("property", request.properties);
}

Result<void> CheckFilter(const ModelFilter& filter) {
  const std::size_t terms = filter.tags.size() + filter.properties.size();
  if (filter.limit >= 1 && std::cmp_less_equal(terms, limits::kTags)) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = filter.limit < 1
                              ? fmt::format("limit {} is less than 1", filter.limit)
                              : fmt::format("{} tags and properties in a filter; at most {}", terms,
                                            limits::kTags),
               .id = "Request.Invalid"};
}

std::vector<std::string> KeysOf(const TextMap& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

void ChangeTags(const ModelUpdate& update, ModelVersion& model) {
  if (update.tags) {
    model.kv_tags = *update.tags;
    model.tags = KeysOf(model.kv_tags);
  }
  for (const std::string& tag : update.remove_tags) {
    if (model.kv_tags.erase(tag) != 0) std::erase(model.tags, tag);
  }
  for (const auto& [tag, value] : update.add_tags) {
    if (model.kv_tags.insert_or_assign(tag, value).second) model.tags.push_back(tag);
  }
}

Result<void> AddProperties(const ModelUpdate& update, ModelVersion& model) {
  for (const auto& [name, value] : update.add_properties) {
    const auto [at, added] = model.properties.emplace(name, value);
    if (!added && at->second != value) {
      return Error{.code = Code::kFailedPrecondition,
                   .message = fmt::format("property {} of model {} is {} and cannot become {}",
                                          Shown(name), model.id, Shown(at->second), Shown(value)),
                   .id = "Model.PropertyFixed",
                   .fix = "properties can be added, never changed; use a tag for what may change"};
    }
  }
  return {};
}

Result<void> Change(const ModelUpdate& update, ModelVersion& model) {
  if (update.description) model.description = *update.description;
  ChangeTags(update, model);
  TRY(AddProperties(update, model));
  TRY(CheckText("description", model.description));
  TRY(CheckTextMap("tag", model.kv_tags));
  return CheckTextMap("property", model.properties);
}

bool SameChangeable(const ModelVersion& a, const ModelVersion& b) {
  return a.description == b.description && a.tags == b.tags && a.kv_tags == b.kv_tags &&
         a.properties == b.properties;
}

Error Mismatch(const ModelVersion& model, const ModelUpdate& update) {
  return {.code = Code::kFailedPrecondition,
          .message = fmt::format("model {} has etag {}, not {}", model.id, model.etag,
                                 Shown(update.if_match)),
          .id = "Etag.Mismatch",
          .fix = "read the model again and repeat the change on what it is now"};
}

template <class T>
Result<T> InTransaction(Database& database, const std::function<Result<T>()>& body) {
  std::optional<T> value;
  auto done = database.Transaction([&]() -> Result<void> {
    value = TRY(body());
    return {};
  });
  if (!done) return std::move(done).error();
  return *std::move(value);
}

class StoredRegistry final : public Registry {
 public:
  StoredRegistry(Database& database, BlobStore& blobs, Clock& clock)
      : database_(database), blobs_(blobs), clock_(clock), store_(database) {}

  Result<ModelVersion> Register(const RegisterRequest& request) override;
  Result<ModelVersion> Get(std::string_view workspace, std::string_view name,
                           std::int64_t version) override;
  Result<ModelPage> List(std::string_view workspace, const ModelFilter& filter) override;
  Result<ModelVersion> Update(std::string_view workspace, std::string_view name,
                              std::int64_t version, const ModelUpdate& update) override;
  Result<void> Delete(std::string_view workspace, std::string_view name,
                      std::int64_t version) override;
  Result<void> SetAlias(std::string_view workspace, std::string_view name, std::string_view alias,
                        std::int64_t version, std::int64_t expected) override;
  Result<std::int64_t> GetAlias(std::string_view workspace, std::string_view name,
                                std::string_view alias) override;
  Result<std::set<Digest>> BlobsInUse() override { return store_.Blobs(); }

  std::filesystem::path scratch() const { return database_.file().parent_path() / "run"; }

 private:
  Result<Signature> SignatureOf(const RegisterRequest& request, const Content& content);

  Database& database_;
  BlobStore& blobs_;
  Clock& clock_;
  ModelStore store_;
};

Result<Signature> StoredRegistry::SignatureOf(const RegisterRequest& request,
                                              const Content& content) {
  const bool is_onnx = ToLower(content.main_file).ends_with(".onnx") ||
                       (!request.framework.empty() && IsOnnxFramework(request.framework));
  if (content.main_file.empty() || !is_onnx) return Signature{};
  auto signature = ReadSignature(content, blobs_, scratch());
  if (!signature && signature.error().code == Code::kUnimplemented &&
      !IsOnnxFramework(request.framework)) {
    return Signature{};
  }
  if (!signature && signature.error().code == Code::kUnimplemented &&
      signature.error().fix.empty()) {
    Error error = std::move(signature).error();
    error.fix = "slipway ops lists the operators there are";
    return error;
  }
  return signature;
}

Result<ModelVersion> StoredRegistry::Register(const RegisterRequest& request) {
  TRY(CheckFields(request));
  Content content = TRY(ResolveContent(request, blobs_));
  Signature signature = TRY(SignatureOf(request, content));
  ModelVersion model{.workspace = request.workspace,
                     .name = request.name,
                     .id = {},
                     .digest = content.digest.text(),
                     .size = content.size,
                     .main_file = content.main_file,
                     .files = {},
                     .signature = std::move(signature),
                     .framework = request.framework,
                     .framework_version = request.framework_version,
                     .description = request.description,
                     .tags = KeysOf(request.tags),
                     .kv_tags = request.tags,
                     .properties = request.properties,
                     .created_time = FormatTime(clock_.Now()),
                     .updated_time = {},
                     .etag = {}};
  model.files = std::move(content.files);
  model.updated_time = model.created_time;
  ModelKey key{.workspace = request.workspace, .name = request.name};
  return InTransaction<ModelVersion>(database_, [&]() -> Result<ModelVersion> {
    if (request.condition) TRY(request.condition());
    key.version = TRY(store_.NextVersion(key));
    model.version = key.version;
    TRY(store_.Insert(model));
    return TRY(store_.Get(key)).model;
  });
}

Result<ModelVersion> StoredRegistry::Get(std::string_view workspace, std::string_view name,
                                         std::int64_t version) {
  return TRY(store_.Get({std::string(workspace), std::string(name), version})).model;
}

Result<ModelPage> StoredRegistry::List(std::string_view workspace, const ModelFilter& filter) {
  TRY(CheckFilter(filter));
  return store_.List(workspace, filter);
}

Result<ModelVersion> StoredRegistry::Update(std::string_view workspace, std::string_view name,
                                            std::int64_t version, const ModelUpdate& update) {
  const ModelKey key{std::string(workspace), std::string(name), version};
  return InTransaction<ModelVersion>(database_, [&]() -> Result<ModelVersion> {
    StoredModel changed = TRY(store_.Get(key));
    const ModelVersion before = changed.model;
    if (!update.if_match.empty() && update.if_match != before.etag) return Mismatch(before, update);
    TRY(Change(update, changed.model));
    if (SameChangeable(changed.model, before)) return before;
    changed.model.updated_time = FormatTime(clock_.Now());
    TRY(store_.Rewrite(changed));
    return TRY(store_.Get({key.workspace, key.name, before.version})).model;
  });
}

Result<void> StoredRegistry::Delete(std::string_view workspace, std::string_view name,
                                    std::int64_t version) {
  ModelKey key{std::string(workspace), std::string(name), version};
  return database_.Transaction([&]() -> Result<void> {
    const StoredModel stored = TRY(store_.Get(key));
    key.version = stored.model.version;
    const std::vector<std::string> aliases = TRY(store_.AliasesOf(key));
    if (!aliases.empty()) {
      return Error{
          .code = Code::kFailedPrecondition,
          .message = fmt::format("alias {} points at model {}", aliases.front(), stored.model.id),
          .id = "Model.InUse",
          .fix = "point the alias elsewhere, or remove it, first"};
    }
    return store_.Delete(stored.row);
  });
}

Result<void> StoredRegistry::SetAlias(std::string_view workspace, std::string_view name,
                                      std::string_view alias, std::int64_t version,
                                      std::int64_t expected) {
  TRY(CheckAlias(alias));
  const ModelKey key{std::string(workspace), std::string(name), version};
  return database_.Transaction([&]() -> Result<void> {
    TRY(store_.Get(key));
    const std::int64_t now = TRY(store_.Alias(key, alias));
    if (now != expected) {
      return Error{.code = Code::kFailedPrecondition,
                   .message = fmt::format("alias {} of model {} is at version {}, not {}", alias,
                                          name, now, expected),
                   .id = "Alias.Moved",
                   .fix = "read the alias again and decide from where it points now"};
    }
    return store_.PutAlias(key, alias);
  });
}

Result<std::int64_t> StoredRegistry::GetAlias(std::string_view workspace, std::string_view name,
                                              std::string_view alias) {
  const ModelKey key{std::string(workspace), std::string(name)};
  const std::int64_t version = TRY(store_.Alias(key, alias));
  if (version != 0) return version;
  return Error{.code = Code::kNotFound,
               .message = fmt::format("model {} has no alias {}", Shown(name), Shown(alias)),
               .id = "Alias.NotFound",
               .fix = {}};
}

}  // namespace

Result<std::unique_ptr<Registry>> Registry::Open(Database& database, BlobStore& blobs,
                                                 Clock& clock) {
  TRY(database.Migrate("registry", migration_files()));
  auto registry = std::make_unique<StoredRegistry>(database, blobs, clock);
  RemoveAbandonedViews(registry->scratch());
  return std::unique_ptr<Registry>(std::move(registry));
}

}  // namespace slipway::registry
