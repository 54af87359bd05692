// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/blob_store.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"
#include "registry/db.h"

namespace slipway::registry {

/// One file of a model; `path` is relative, with `/`, never leaving its folder.
struct ModelFile {
  std::string path;
  std::string digest;  ///< `sha256:…` of the content, a blob
  std::int64_t size = 0;
  bool operator==(const ModelFile&) const = default;
};

/// An input or output of a model as its file declares it.
struct SignatureValue {
  std::string name;
  std::string type;                ///< `tensor(float)`, `seq(map(int64,tensor(float)))`
  std::vector<std::string> shape;  ///< numbers, symbols or `?`; empty also for a scalar
  bool has_shape = false;
  bool operator==(const SignatureValue&) const = default;
};
struct Signature {
  std::vector<SignatureValue> inputs, outputs;
  std::vector<std::string> libraries = {};  ///< runtime::ModelInfo::libraries
  bool operator==(const Signature&) const = default;
};

/// A version of a model. Content (files, digest, signature) never changes; the rest may.
struct ModelVersion {
  std::string workspace, name;
  std::int64_t version = 0;
  std::string id;      ///< `name:version`
  std::string digest;  ///< of the sorted list of paths and digests: same files, same digest
  std::int64_t size = 0;
  std::string main_file;  ///< path of the .onnx that is served; empty if there is none
  std::vector<ModelFile> files;
  Signature signature;
  std::string framework, framework_version, description;
  std::vector<std::string> tags;               ///< as a list: keys of kv_tags in order, legacy form
  std::map<std::string, std::string> kv_tags;  ///< tags as a map; a bare tag has value ""
  std::map<std::string, std::string> properties;  ///< may be added, never changed
  std::string created_time, updated_time;         ///< RFC 3339
  std::string etag;
};

struct RegisterRequest {
  std::string workspace, name;
  std::vector<ModelFile> files = {};  ///< blobs that are already stored; size 0: as stored
  std::string main_file = {};         ///< empty: the only .onnx among the files, if there is one
  std::string framework = {}, framework_version = {}, description = {};
  std::map<std::string, std::string> tags = {};
  std::map<std::string, std::string> properties = {};
  /// Runs in the transaction that writes the version; its error undoes that and is the answer.
  std::function<Result<void>()> condition = {};
};

struct ModelFilter {
  std::string name = {};
  std::vector<std::pair<std::string, std::optional<std::string>>> tags = {};        ///< ANDed
  std::vector<std::pair<std::string, std::optional<std::string>>> properties = {};  ///< ANDed
  bool latest = false;       ///< only the newest version of each name, before the other filters
  bool ascending = false;    ///< by creation; newest first otherwise
  std::int64_t limit = 100;  ///< at most; more than limits::kPageItems are never given
  std::string next = {};     ///< opaque, from the page before, with the same filter
};
struct ModelPage {
  std::vector<ModelVersion> models;  ///< may be fewer than the limit before the last page
  std::string next;                  ///< empty on the last page
};

/// What to change. Tags are replaced first, then removed, then added.
struct ModelUpdate {
  std::optional<std::string> description = {};
  std::optional<std::map<std::string, std::string>> tags = {};  ///< replaces all
  std::map<std::string, std::string> add_tags = {};
  std::vector<std::string> remove_tags = {};
  std::map<std::string, std::string> add_properties = {};
  std::string if_match = {};  ///< etag; empty: whatever it is
};

/// The versions of models of all workspaces. Thread-safe; every change is one transaction.
/// Besides what its comment says, each call may fail as Database and BlobStore say.
class Registry {
 public:
  /// Brings the schema up to date. The references must outlive the registry. Uses the folder
  /// `run` beside the database file for what it needs for a moment.
  static Result<std::unique_ptr<Registry>> Open(Database& database, BlobStore& blobs, Clock& clock);
  virtual ~Registry() = default;
  /// The next version of the name; a number is never given twice, also after Delete. Reads the
  /// signature from the main file when it is ONNX. kInvalidArgument (ids `Model.Invalid`,
  /// `Model.Name`, `Model.File`, `Model.Field`), or kUnimplemented (id
  /// `Model.UnsupportedOperator`) unless the framework is said to be another than ONNX; then
  /// nothing is kept.
  virtual Result<ModelVersion> Register(const RegisterRequest& request) = 0;
  /// Version 0: the newest. kNotFound (id `Model.NotFound`).
  virtual Result<ModelVersion> Get(std::string_view workspace, std::string_view name,
                                   std::int64_t version) = 0;
  /// kInvalidArgument (id `Request.Invalid`) for a `limit` below 1 or a `next` that is not from
  /// a page of this filter.
  virtual Result<ModelPage> List(std::string_view workspace, const ModelFilter& filter) = 0;
  /// kFailedPrecondition (id `Etag.Mismatch`, `Model.PropertyFixed`), kInvalidArgument (id
  /// `Model.Field`). What changes nothing leaves time and etag as they are.
  virtual Result<ModelVersion> Update(std::string_view workspace, std::string_view name,
                                      std::int64_t version, const ModelUpdate& update) = 0;
  /// kFailedPrecondition (id `Model.InUse`) while an alias points at it.
  virtual Result<void> Delete(std::string_view workspace, std::string_view name,
                              std::int64_t version) = 0;
  /// Points `alias` of the model at `version` (0: removes it), if it points at `expected` now
  /// (0: nowhere). kFailedPrecondition (id `Alias.Moved`) if it does not.
  virtual Result<void> SetAlias(std::string_view workspace, std::string_view name,
                                std::string_view alias, std::int64_t version,
                                std::int64_t expected) = 0;
  /// kNotFound (id `Alias.NotFound`).
  virtual Result<std::int64_t> GetAlias(std::string_view workspace, std::string_view name,
                                        std::string_view alias) = 0;
  /// Blobs that some version needs.
  virtual Result<std::set<Digest>> BlobsInUse() = 0;
};

/// Letters, digits, `-`, `_`, `.`, beginning with a letter or digit, at most 255.
/// kInvalidArgument (id `Name.Invalid`) saying that `what` is not such a name.
Result<void> CheckName(std::string_view what, std::string_view name);

}  // namespace slipway::registry
