// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "deployer/deployer.h"
#include "deployer/kubernetes/client.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/kubernetes/observe.h"
#include "deployer/kubernetes/reader.h"

namespace slipway::deployer {

/// What is remembered from one look at a service to the next.
struct KubeMemory {
  std::chrono::steady_clock::time_point checked = {};  ///< the cluster itself was last asked
  std::string log_of = {};                             ///< whose output `log_line` is of
  std::string log_line = {};
  std::chrono::steady_clock::time_point log_read = {};
};

/// One service in one namespace of a cluster. Holds nothing but references, which must outlive it.
/// Not thread-safe.
class KubeService {
 public:
  /// `mirrors` may be null: then the cluster is asked for everything.
  KubeService(KubeClient& client, KubeMirrors* mirrors, Clock& clock, KubePlace place,
              std::string service)
      : client_(client),
        clock_(clock),
        place_(std::move(place)),
        service_(std::move(service)),
        reader_(client_, mirrors, place_) {}
  KubeService(const KubeService&) = delete;
  KubeService& operator=(const KubeService&) = delete;

  /// Applies the objects of the spec and removes those it no longer has. Nothing is sent where one
  /// of them exists and is not ours: kAlreadyExists (id `Service.NameTaken`).
  Result<void> Apply(const DeploySpec& spec);
  /// Whether Apply has sent anything that changes the cluster.
  bool has_applied() const { return has_applied_; }
  /// kNotFound (id `Service.NotFound`) if there is no such Deployment of ours.
  Result<Observed> Observe(KubeMemory& memory);
  /// Whether Observe had to ask the cluster.
  bool has_asked() const { return reader_.asked(); }
  Result<std::string> Logs(std::int64_t lines);
  /// Deletes all of it and waits up to `timeout` until its pods are gone (kDeadlineExceeded).
  Result<void> Remove(std::chrono::milliseconds timeout);

 private:
  Result<KubeObjectPtr> FindDeployment();
  Result<KubeView> Look();
  Result<void> CheckOwner(const std::string& workspace, const KubeObject& object);
  /// Null where there is none, or it is somebody else's.
  Result<std::optional<Json>> FindOurs(const KubeObject& object);
  Result<Json> Write(const KubeObject& object);
  Result<void> AwaitGone(std::chrono::milliseconds timeout);
  /// Keeps the number of replicas as it is when it is no longer Slipway's to say.
  Result<void> HandOverReplicas();
  Result<void> RemoveLeftovers(const std::vector<KubeObject>& wanted);
  /// Adds events and the log line that matters.
  void Explain(KubeView& view, KubeMemory& memory);
  void AddLogLine(KubeView& view, KubeMemory& memory);
  /// Says of a service that is well what its autoscaler lacks.
  Result<void> LookAtAutoscaler(Observed& observed);
  Result<std::string> Endpoint(Observed& observed);
  Result<std::string> KubeEndpoint(const Json& service, Observed& observed);
  Result<std::string> NodeAddress();

  KubeClient& client_;
  Clock& clock_;
  const KubePlace place_;
  const std::string service_;
  KubeReader reader_;
  bool has_applied_ = false;
};

}  // namespace slipway::deployer
