// SPDX-License-Identifier: Apache-2.0
// Target `kubernetes`: a Deployment with its Service and what belongs to them, over the REST API of
// a cluster's API server. Kubernetes 1.26 to 1.35.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "deployer/causes.h"
#include "deployer/deployer.h"
#include "deployer/kubernetes/client.h"
#include "deployer/kubernetes/config.h"
#include "deployer/kubernetes/record.h"
#include "deployer/kubernetes/service.h"
#include "deployer/record.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLookAgainAfter{400};
constexpr std::chrono::milliseconds kRemoveTimeout{120'000};

/// Which cluster, as whom.
using ClusterKey = std::pair<std::string, std::string>;  // kubeconfig, context

class KubernetesDriver final : public Driver {
 public:
  KubernetesDriver(const DriverContext& context, std::string installation)
      : records_(fs::absolute(context.run_folder) / "kubernetes"),
        state_(fs::absolute(context.run_folder).parent_path()),
        installation_(std::move(installation)),
        clock_(context.clock) {}

  Result<void> Apply(const DeploySpec& spec) override {
    const KubernetesSettings& wanted = spec.deployment.kubernetes;
    const ServiceKey key{.workspace = spec.workspace, .service = spec.service};
    const auto client = TRY(Connect({wanted.kubeconfig, wanted.context}, true));
    KubeRecord record{.key = key,
                      .kubeconfig = wanted.kubeconfig,
                      .context = wanted.context,
                      .name_space = wanted.name_space.empty() ? client->access().default_namespace
                                                              : wanted.name_space,
                      .apis = TRY(client->Apis())};
    const auto before = TRY(Find(key));
    TRY(CheckSamePlace(before, record));
    if (record.apis.policy.empty()) {
      log::Warn("the cluster has no API for disruption budgets", {{"service", spec.service}});
    }
    TRY(WriteFileAtomic(FileOf(key), KubeRecordText(record), {.mode = 0600}));
    Forget(key);
    KubeService service = ServiceOf(*client, record);
    auto applied = service.Apply(spec);
    if (!applied && !before) Undo(service, key);
    return applied;
  }

  Result<Observed> Observe(const ServiceKey& key) override {
    if (auto kept = Kept(key)) return *std::move(kept);
    const auto [client, record] = TRY(Open(key));
    auto observed = ServiceOf(*client, record).Observe();
    if (!observed) {
      if (observed.error().id == "Service.Unauthorized") Disconnect(record);
      return observed;
    }
    const std::lock_guard lock(mutex_);
    kept_[key] = {clock_.Steady(), *observed};
    return observed;
  }

  Result<std::string> Logs(const ServiceKey& key, std::int64_t lines) override {
    const auto [client, record] = TRY(Open(key));
    return ServiceOf(*client, record).Logs(lines);
  }

  Result<void> Remove(const ServiceKey& key) override {
    if (!TRY(Find(key))) return {};
    const auto [client, record] = TRY(Open(key));
    TRY(ServiceOf(*client, record).Remove(kRemoveTimeout));
    Forget(key);
    return RemoveTree(FileOf(key));
  }

  Result<void> Suspend() override { return {}; }
  Result<void> Resume() override { return {}; }

 private:
  struct Opened {
    std::shared_ptr<KubeClient> client;
    KubeRecord record;
  };

  fs::path FileOf(const ServiceKey& key) const { return records_ / (RecordStem(key) + ".json"); }

  Result<std::optional<KubeRecord>> Find(const ServiceKey& key) {
    auto text = ReadFile(FileOf(key), limits::kJsonBytes);
    if (text) return std::optional(TRY(ParseKubeRecord(*text)));
    if (text.error().code == Code::kNotFound) return std::optional<KubeRecord>();
    return text.error();
  }

  Result<Opened> Open(const ServiceKey& key) {
    auto record = TRY(Find(key));
    if (!record) {
      return Error{.code = Code::kNotFound,
                   .message = "target kubernetes has no service " + key.service,
                   .id = "Service.NotFound"};
    }
    auto client = TRY(Connect({record->kubeconfig, record->context}, false));
    return Opened{.client = std::move(client), .record = *std::move(record)};
  }

  KubeService ServiceOf(KubeClient& client, const KubeRecord& record) {
    return {
        client, clock_,
        KubePlace{
            .name_space = record.name_space, .installation = installation_, .apis = record.apis},
        record.key.service};
  }

  /// The client of that cluster; `anew` reads the kubeconfig again.
  Result<std::shared_ptr<KubeClient>> Connect(const ClusterKey& cluster, bool anew) {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(cluster);
    if (!anew && found != clients_.end()) return found->second;
    const fs::path kubeconfig = cluster.first;
    if (!kubeconfig.empty() && !kubeconfig.is_absolute()) {
      return CauseError("ClusterConfig", "kubeconfig " + cluster.first + " is no absolute path");
    }
    KubeAccess access =
        TRY(FindKubeAccess({.kubeconfig = kubeconfig,
                            .context = cluster.second,
                            .uploads = state_,
                            .environment = [](const char* name) { return ::getenv(name); }}));
    auto client = std::make_shared<KubeClient>(std::move(access), clock_);
    clients_[cluster] = client;
    return client;
  }

  void Disconnect(const KubeRecord& record) {
    const std::lock_guard lock(mutex_);
    clients_.erase({record.kubeconfig, record.context});
  }

  static Result<void> CheckSamePlace(const std::optional<KubeRecord>& before,
                                     const KubeRecord& wanted) {
    if (!before || (before->name_space == wanted.name_space &&
                    before->kubeconfig == wanted.kubeconfig && before->context == wanted.context)) {
      return {};
    }
    return Error{.code = Code::kFailedPrecondition,
                 .message = "service " + wanted.key.service + " is in namespace " +
                            before->name_space + " and cannot move to another cluster or namespace",
                 .id = "Service.PlaceFixed",
                 .fix = "delete it first, or choose another name"};
  }

  /// Takes back what a first Apply has made before it failed.
  void Undo(KubeService& service, const ServiceKey& key) {
    if (!service.has_applied() || service.Remove(kRemoveTimeout)) {
      if (auto removed = RemoveTree(FileOf(key)); removed) return;
    }
    log::Warn("a service that failed was not removed", {{"service", key.service}});
  }

  /// What was seen a moment ago: who waits asks more often than a cluster should be.
  std::optional<Observed> Kept(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(key);
    if (found == kept_.end() || clock_.Steady() - found->second.first >= kLookAgainAfter) {
      return std::nullopt;
    }
    return found->second.second;
  }

  void Forget(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    kept_.erase(key);
  }

  const fs::path records_, state_;
  const std::string installation_;
  Clock& clock_;
  std::mutex mutex_;  // guards clients_ and kept_
  std::map<ClusterKey, std::shared_ptr<KubeClient>> clients_;
  std::map<ServiceKey, std::pair<std::chrono::steady_clock::time_point, Observed>> kept_;
};

Result<std::unique_ptr<Driver>> Open(DriverContext context) {
  const fs::path folder = fs::absolute(context.run_folder) / "kubernetes";
  TRY(MakeFolders(folder));
  std::string installation = TRY(KubeInstallation(folder));
  return std::unique_ptr<Driver>(
      std::make_unique<KubernetesDriver>(context, std::move(installation)));
}

}  // namespace

Target targets_kubernetes() {
  return {.name = "kubernetes",
          .summary = "A Deployment of a Kubernetes cluster",
          .open = Open,
          .no_split =
              "a Service spreads connections over pods, so that shares would hold only "
              "roughly and as coarsely as there are replicas"};
}

}  // namespace slipway::deployer
