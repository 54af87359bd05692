// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "deployer/deployer.h"
#include "deployer/kubernetes/client.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/kubernetes/observe.h"

namespace slipway::deployer {

/// One service in one namespace of a cluster. Holds nothing but references, which must outlive it.
class KubeService {
 public:
  KubeService(KubeClient& client, Clock& clock, KubePlace place, std::string service)
      : client_(client), clock_(clock), place_(std::move(place)), service_(std::move(service)) {}

  /// Applies the objects of the spec and removes those it no longer has. Nothing is sent where one
  /// of them exists and is not ours: kAlreadyExists (id `Service.NameTaken`).
  Result<void> Apply(const DeploySpec& spec);
  /// Whether Apply has sent anything that changes the cluster.
  bool has_applied() const { return has_applied_; }
  /// kNotFound (id `Service.NotFound`) if there is no such Deployment of ours.
  Result<Observed> Observe();
  Result<std::string> Logs(std::int64_t lines);
  /// Deletes all of it and waits up to `timeout` until its pods are gone (kDeadlineExceeded).
  Result<void> Remove(std::chrono::milliseconds timeout);

 private:
  Result<Json> FindDeployment();
  Result<Json> Pods();
  Result<void> CheckOwner(const std::string& workspace, const KubeObject& object);
  Result<bool> IsOurs(const KubeObject& object);
  Result<void> AwaitGone(std::chrono::milliseconds timeout);
  /// Keeps the number of replicas as it is when it is no longer Slipway's to say.
  Result<void> HandOverReplicas();
  Result<void> RemoveLeftovers(const std::vector<KubeObject>& wanted);
  /// Adds events and the log line that matters.
  void Explain(KubeView& view);
  Result<std::string> Endpoint(Observed& observed);
  Result<std::string> KubeEndpoint(const Json& service, Observed& observed);
  Result<std::string> NodeAddress();

  KubeClient& client_;
  Clock& clock_;
  const KubePlace place_;
  const std::string service_;
  bool has_applied_ = false;
};

}  // namespace slipway::deployer
