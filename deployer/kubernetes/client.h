// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/json.h"
#include "base/result.h"
#include "deployer/kubernetes/config.h"
#include "deployer/kubernetes/exec.h"
#include "deployer/kubernetes/manifest.h"

namespace slipway::deployer {

/// What an API server says went wrong, as a cause: `Forbidden` with the RBAC rule to add,
/// `Unauthorized`, `QuotaExceeded`, `NamespaceMissing`, `FieldConflict` with the fields and who
/// holds them, `ClusterRefused`, `ClusterBusy`, `ClusterFailed`. `doing` is for people: `apply
/// Deployment digits`. Pure.
Error KubeStatusError(std::string_view doing, int status, std::string_view body);

/// Objects of a collection, and where in the cluster's history they stand: a watch may go on from
/// there.
struct KubeListing {
  Json items = {};  ///< an array
  std::string resource_version = {};
};

/// What goes with a request that may take long, and what the server said of when to ask again.
struct KubeAttempt {
  std::stop_token stop = {};
  std::optional<std::chrono::milliseconds> retry_after = {};
};

/// Talks to one API server as one user. Thread-safe. Errors are causes of the table: what the
/// server says (KubeStatusError), `ClusterUnreachable`, `ClusterUntrusted`, `Unauthorized`.
class KubeClient {
 public:
  /// `clock` must outlive the client.
  KubeClient(KubeAccess access, Clock& clock);

  const KubeAccess& access() const { return access_; }

  Result<Json> Get(std::string_view doing, const std::string& path);
  /// Nothing where there is no such object.
  Result<std::optional<Json>> Find(std::string_view doing, const std::string& path);
  /// Items of a collection, page by page; `query` without `?`. A list that expired on the way
  /// (410 Gone) is begun anew. kResourceExhausted for more than `limits::kPageItems` × 10 items.
  Result<Json> List(std::string_view doing, const std::string& path, const std::string& query);
  /// The same for who goes on from there; asked once, and ended at once by `attempt.stop`.
  Result<KubeListing> ListAt(std::string_view doing, const std::string& path,
                             const std::string& query, KubeAttempt& attempt);
  /// Streams what changes in a collection, one JSON object a line, into `sink`; returns when the
  /// stream ends. An answer that is no stream is returned as it is, its body within.
  Result<http::Response> Watch(std::string_view doing, const std::string& path,
                               const std::string& query, const http::Sink& sink,
                               const http::StreamOptions& options);
  /// Server-side apply. Fields that a form of this manager holds are taken over, and the number of
  /// replicas from an autoscaler; those of others are a conflict.
  Result<Json> Apply(const KubeObject& object, std::string_view manager = kKubeManager);
  /// Deletes in the foreground; nothing there is no error.
  Result<void> Delete(const KubeObject& object);
  /// The last lines of a container's output; `previous` of the one before its restart.
  Result<std::string> Logs(const std::string& pod_path, std::string_view container,
                           std::int64_t lines, bool previous);
  /// Which of the APIs the server has.
  Result<KubeApis> Apis();

 private:
  struct Call {
    std::string method, path, body = {}, content_type = {};
  };
  /// How a request goes out: whole, or as a stream.
  using Sending = std::function<Result<http::Response>(http::Client&, const http::Request&)>;
  Result<http::Response> Send(std::string_view doing, const Call& call);
  Result<http::Response> SendBy(std::string_view doing, const Call& call, const Sending& sending);
  Result<http::Response> SendOnce(std::string_view doing, const Call& call, const Sending& sending);
  Result<KubeListing> ListBy(std::string_view doing, const std::string& path,
                             const std::string& query, KubeAttempt& attempt,
                             const Sending& sending);
  Result<Json> SendJson(std::string_view doing, const Call& call);
  Result<http::Response> ApplyOnce(const KubeObject& object, std::string_view manager, bool force);
  Result<std::string> Authorization();
  Result<std::shared_ptr<http::Client>> Connection();
  Result<bool> HasGroup(const std::string& api_version);
  void ForgetCredential();

  const KubeAccess access_;
  Clock& clock_;
  std::mutex mutex_;  // guards credential_ and http_
  std::optional<KubeCredential> credential_;
  std::shared_ptr<http::Client> http_;
};

}  // namespace slipway::deployer
