// SPDX-License-Identifier: Apache-2.0
#pragma once

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
  std::string operation_id;
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

/// The tables of the workspace service: workspaces, images, services, operations, kept responses.
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
  Result<api::Image> InsertImage(std::string_view workspace, const api::Image& draft);
  /// Version 0: the newest. kNotFound (id `Image.NotFound`).
  Result<api::Image> GetImage(std::string_view workspace, const VersionedName& name);
  /// The same, among those that are built. kFailedPrecondition (id `Image.NotReady`).
  Result<api::Image> GetReadyImage(std::string_view workspace, const VersionedName& name);
  Result<Page<api::Image>> ListImages(std::string_view workspace, std::string_view name,
                                      const PageRequest& page);
  /// Sets state, digest, sizes, layers and error from `image`.
  Result<void> FinishImage(std::string_view workspace, const api::Image& image,
                           std::string_view config_digest);
  /// Marks what an operation was making, and did not finish, as Failed.
  Result<void> FailImagesOf(std::string_view operation_id, const std::string& why);
  /// kFailedPrecondition (id `Image.InUse`) while a service runs it.
  Result<void> DeleteImage(std::string_view workspace, const VersionedName& name);
  /// Every blob that an image consists of.
  Result<std::set<Digest>> ImageBlobs();

  /// kAlreadyExists (id `Service.AlreadyExists`).
  Result<void> InsertService(const ServiceRow& row);
  /// Everything but the name and creation time, as `row` says.
  Result<void> UpdateService(const ServiceRow& row);
  /// kNotFound (id `Service.NotFound`).
  Result<ServiceRow> GetService(std::string_view workspace, std::string_view name);
  Result<Page<ServiceRow>> ListServices(std::string_view workspace, const PageRequest& page);
  Result<std::vector<ServiceRow>> AllServices();
  Result<void> DeleteService(std::string_view workspace, std::string_view name);
  /// Names of the services whose image carries the model.
  Result<std::vector<std::string>> ServicesOfModel(std::string_view workspace,
                                                   std::string_view model_id);

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
  Result<Rows<api::Operation>> QueryOperations(const char* where, std::span<const SqlValue> values);
  std::string Now();
  Database& database_;
  Clock& clock_;
};

}  // namespace slipway::workspace
