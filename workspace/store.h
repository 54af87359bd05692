// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"
#include "deployer/deployment.h"
#include "registry/db.h"
#include "workspace/api.h"

namespace slipway::workspace {

/// Which part of a list is wanted.
struct PageRequest {
  std::int64_t limit = 100;
  std::string next = {};  ///< opaque, from the page before
};
template <class T>
struct Page {
  std::vector<T> items;
  std::string next;  ///< empty on the last page
};

/// Names an object by `name:version`; version 0 is the newest.
struct VersionedName {
  std::string name;
  std::int64_t version = 0;
};
/// `name`, `name:7` or `name:latest`. kInvalidArgument (id `Request.Invalid`).
Result<VersionedName> ParseVersionedName(std::string_view text);

/// A service with what only the workspace service itself needs to know of it.
struct ServiceRow {
  std::string workspace;
  api::Service service;
  std::int64_t port = 0;  ///< asked for; 0: the target's choice
  std::string operation_id = {};
  deployer::Deployment deployment = {};  ///< with its keys and passwords
  std::int64_t same_as = 0;              ///< revision that this one was rolled back to, 0: none
};
/// Whether requests are divided between revisions.
bool IsSplit(const ServiceRow& row);
/// What a service tells of its deployment: everything but keys and passwords.
void ShowDeployment(ServiceRow& row);

/// A token with the digest of its secret, which is all that is kept of that.
struct TokenRow {
  api::Token token;
  std::string secret_digest;
};

/// What an image was built from, for it to be built again.
struct ImageOrigin {
  api::CreateImage request = {};  ///< models by version; no name where nothing is known
  /// Digests of the parts of Slipway's own making, by name, as the build gave them (OwnParts).
  api::TextMap own_parts = {};
};

/// Something an operation told while it ran.
struct OperationEvent {
  std::int64_t number = 0;  ///< from 1
  std::string kind;         ///< `phase` or `log`
  std::string text;
  std::int64_t percent = 0;
};

/// A response that is kept for a request with an Idempotency-Key. Status 0: still under way.
struct KeptResponse {
  std::string body_digest;
  std::int64_t status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// The tables of the workspace service: workspaces, images, services, operations, environments,
/// promotions, tokens, the audit trail, kept responses.
/// One file of SQL for each of them. Thread-safe.
class Store {
 public:
  /// Brings the schema up to date. The references must outlive the store.
  static Result<std::unique_ptr<Store>> Open(Database& database, Clock& clock);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// See Database::Transaction.
  Result<void> Transaction(const std::function<Result<void>()>& body);
  /// Whether the database answers.
  Result<void> Ping();

  /// kAlreadyExists (id `Workspace.AlreadyExists`).
  Result<api::Workspace> CreateWorkspace(const api::CreateWorkspace& wanted);
  /// kNotFound (id `Workspace.NotFound`).
  Result<api::Workspace> GetWorkspace(std::string_view name);
  Result<Page<api::Workspace>> ListWorkspaces(const PageRequest& page);
  /// kFailedPrecondition (id `Workspace.NotEmpty`) while it has images or services.
  Result<void> DeleteWorkspace(std::string_view name);

  /// Inserts the next version of the name in state Creating; fills version, id, times, etag.
  Result<api::Image> InsertImage(std::string_view workspace, const api::Image& draft,
                                 const ImageOrigin& origin);
  /// Keeps what the build made of Slipway's own; nothing for an image that is not built here.
  Result<void> KeepOwnParts(std::string_view workspace, const VersionedName& name,
                            const api::TextMap& parts);
  /// kNotFound (id `Image.NotFound`); empty for an image that was not built here.
  Result<ImageOrigin> GetImageOrigin(std::string_view workspace, const VersionedName& name);
  /// kNotFound (id `Image.NotFound`).
  Result<void> KeepVerification(std::string_view workspace, const VersionedName& name,
                                const api::Verification& verification);
  /// Changes description, tags and properties; a property that is there keeps its value:
  /// kFailedPrecondition (id `Image.PropertyFixed`). `if_match`: see CheckIfMatch.
  Result<api::Image> UpdateImage(std::string_view workspace, const VersionedName& name,
                                 const api::UpdateImage& wanted, std::string_view if_match);
  /// Version 0: the newest. kNotFound (id `Image.NotFound`).
  Result<api::Image> GetImage(std::string_view workspace, const VersionedName& name);
  /// The same, among those that are built. kFailedPrecondition (id `Image.NotReady`).
  Result<api::Image> GetReadyImage(std::string_view workspace, const VersionedName& name);
  Result<Page<api::Image>> ListImages(std::string_view workspace, std::string_view name,
                                      const PageRequest& page);
  /// Sets state, digest, sizes, layers, details and error from `image`. `sources`: digests of the
  /// blobs it was made of, which stay as long as it does.
  Result<void> FinishImage(std::string_view workspace, const api::Image& image,
                           std::string_view config_digest, const std::vector<std::string>& sources);
  /// The lock that these inputs resolved to; empty where that is longer ago, or never was.
  Result<std::string> FindResolved(std::string_view key, std::chrono::seconds max_age);
  Result<void> KeepResolved(std::string_view key, const std::string& lock);
  /// Marks what an operation was making, and did not finish, as Failed.
  Result<void> FailImagesOf(std::string_view operation_id, const std::string& why);
  /// kFailedPrecondition (id `Image.InUse`) while a service runs it.
  Result<void> DeleteImage(std::string_view workspace, const VersionedName& name);
  /// Every blob that an image consists of.
  Result<std::set<Digest>> ImageBlobs();

  /// kAlreadyExists (id `Service.AlreadyExists`).
  Result<void> InsertService(const ServiceRow& row);
  /// Changes the deployment alone; the etag too.
  Result<void> SaveDeployment(const ServiceRow& row);
  /// Everything but the name and creation time, as `row` says.
  Result<void> UpdateService(const ServiceRow& row);
  /// kNotFound (id `Service.NotFound`).
  Result<ServiceRow> GetService(std::string_view workspace, std::string_view name);
  Result<Page<ServiceRow>> ListServices(std::string_view workspace, const PageRequest& page);
  Result<std::vector<ServiceRow>> AllServices();
  Result<void> DeleteService(std::string_view workspace, std::string_view name);
  /// Keeps what the service runs as its revision, unless there is one of that number; forgets all
  /// but the newest and those that get requests.
  Result<void> RecordRevision(const ServiceRow& row);
  /// Newest first.
  Result<std::vector<api::Revision>> ListRevisions(std::string_view workspace,
                                                   std::string_view service);
  /// `row` as it was in that revision: image and deployment. Who may call it stays as it is now.
  /// kNotFound (id `Revision.NotFound`) naming those there are.
  Result<ServiceRow> GetRevision(const ServiceRow& row, std::int64_t revision);
  /// Names of the services whose image carries the model.
  Result<std::vector<std::string>> ServicesOfModel(std::string_view workspace,
                                                   std::string_view model_id);

  /// Makes or replaces it; says whether it is new. Its deployment keeps its passwords.
  Result<bool> PutEnvironment(std::string_view workspace, const api::Environment& environment);
  /// With the passwords of its deployment. kNotFound (id `Environment.NotFound`).
  Result<api::Environment> GetEnvironment(std::string_view workspace, std::string_view name);
  Result<Page<api::Environment>> ListEnvironments(std::string_view workspace,
                                                  const PageRequest& page);
  Result<void> DeleteEnvironment(std::string_view workspace, std::string_view name);

  Result<void> InsertPromotion(const api::Promotion& promotion);
  /// Everything that changes on the way.
  Result<void> SavePromotion(const api::Promotion& promotion);
  /// kNotFound (id `Promotion.NotFound`).
  Result<api::Promotion> GetPromotion(std::string_view workspace, std::string_view id);
  /// Of one environment, unless that is empty.
  Result<Page<api::Promotion>> ListPromotions(std::string_view workspace,
                                              std::string_view environment,
                                              const PageRequest& page);
  /// Marks the one an operation was about, and did not finish, as Failed.
  Result<void> FailPromotionsOf(std::string_view operation_id, const Error& why);
  /// The newest image that is built and carries that model alone; empty if there is none.
  Result<std::string> ImageOfModel(std::string_view workspace, std::string_view model_id);

  /// kAlreadyExists (id `Token.AlreadyExists`) while one of that name is not revoked.
  Result<void> InsertToken(const TokenRow& row);
  /// kNotFound (id `Token.NotFound`).
  Result<TokenRow> GetToken(std::string_view id);
  /// By id, or by the name of one that is not revoked. kNotFound (id `Token.NotFound`).
  Result<TokenRow> FindToken(std::string_view id_or_name);
  /// Of a workspace, and with `of_all` those that are for all workspaces.
  Result<Page<api::Token>> ListTokens(std::string_view workspace, bool of_all,
                                      const PageRequest& page);
  Result<void> RevokeToken(std::string_view id);

  /// Writes an entry, now.
  Result<void> InsertAudit(const api::AuditEntry& entry);
  /// Of a workspace (empty: of all), by `actor` alone unless that is empty.
  Result<Page<api::AuditEntry>> ListAudit(std::string_view workspace, std::string_view actor,
                                          const PageRequest& page);
  /// Forgets all but the newest `keep` entries.
  Result<void> PruneAudit(std::int64_t keep);

  Result<void> InsertOperation(const api::Operation& operation);
  /// Writes the state that `operation` is in, and the events that came since.
  Result<void> SaveOperation(const api::Operation& operation,
                             std::span<const OperationEvent> new_events);
  /// kNotFound (id `Operation.NotFound`).
  Result<api::Operation> GetOperation(std::string_view id);
  Result<std::vector<OperationEvent>> OperationEvents(std::string_view id, std::int64_t after);
  Result<Page<api::Operation>> ListOperations(std::string_view workspace, const PageRequest& page);
  Result<std::vector<api::Operation>> UnfinishedOperations();
  /// Forgets all but the newest `keep` operations that have ended.
  Result<void> PruneOperations(std::int64_t keep);

  /// Reserves the key for a request, or gives what is kept for it.
  Result<std::optional<KeptResponse>> ReserveKey(const std::string& key, const std::string& target,
                                                 const std::string& body_digest);
  Result<void> KeepResponse(const std::string& key, const std::string& target,
                            const KeptResponse& response);
  Result<void> ReleaseKey(const std::string& key, const std::string& target);
  /// Forgets keys that are older than a day, and those of requests that were cut off.
  Result<void> PruneKeys(bool also_under_way);

 private:
  Store(Database& database, Clock& clock) : database_(database), clock_(clock) {}
  /// Rows with their sequence numbers, for a `WHERE … ORDER BY …` of bound values.
  template <class T>
  using Rows = std::vector<std::pair<std::int64_t, T>>;
  Result<Rows<api::Workspace>> QueryWorkspaces(const char* where, std::span<const SqlValue> values);
  Result<Rows<api::Image>> QueryImages(const char* where, std::span<const SqlValue> values);
  Result<Rows<ServiceRow>> QueryServices(const char* where, std::span<const SqlValue> values);
  Result<Rows<api::Environment>> QueryEnvironments(const char* where,
                                                   std::span<const SqlValue> values);
  Result<Rows<api::Promotion>> QueryPromotions(const char* where, std::span<const SqlValue> values);
  Result<Rows<TokenRow>> QueryTokens(const char* where, std::span<const SqlValue> values);
  Result<Rows<api::Operation>> QueryOperations(const char* where, std::span<const SqlValue> values);
  Result<void> SaveTraffic(const ServiceRow& row);
  Error NoRevision(const ServiceRow& row, std::int64_t revision);
  std::string Now();
  Database& database_;
  Clock& clock_;
};

}  // namespace slipway::workspace
