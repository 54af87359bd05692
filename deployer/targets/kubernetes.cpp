// SPDX-License-Identifier: Apache-2.0
// Target `kubernetes`: a Deployment with its Service and what belongs to them, over the REST API of
// a cluster's API server. Kubernetes 1.26 to 1.35.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "deployer/causes.h"
#include "deployer/deployer.h"
#include "deployer/kubernetes/client.h"
#include "deployer/kubernetes/config.h"
#include "deployer/kubernetes/reader.h"
#include "deployer/kubernetes/record.h"
#include "deployer/kubernetes/service.h"
#include "deployer/record.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

/// A cluster is asked no more often than this: while nothing is known to have changed, and at all.
constexpr std::chrono::milliseconds kLookAgainAfter{400}, kLookAgainFirst{100};
/// Changes come in bursts, which are looked at once.
constexpr std::chrono::milliseconds kBurst{10};
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
    KubeApis apis = TRY(client->Apis());
    const KubeRecord record{.key = key,
                            .kubeconfig = wanted.kubeconfig,
                            .context = wanted.context,
                            .name_space = wanted.name_space.empty()
                                              ? client->access().default_namespace
                                              : wanted.name_space,
                            .apis = std::move(apis)};
    const auto before = TRY(Find(key));
    TRY(CheckSamePlace(before, record));
    if (record.apis.policy.empty()) {
      log::Warn("the cluster has no API for disruption budgets", {{"service", spec.service}});
    }
    TRY(WriteFileAtomic(FileOf(key), KubeRecordText(record), {.mode = 0600}));
    Forget(key);
    const Opened opened = OpenedAs(client, record);
    KubeService service = ServiceOf(opened);
    auto applied = service.Apply(spec);
    if (!applied && !before) Undo(service, key);
    Forget(key);
    return applied;
  }

  Result<Observed> Observe(const ServiceKey& key) override {
    LookedAt last = Last(key);
    if (IsFresh(last)) return last.observed;
    const Opened opened = TRY(Open(key));
    last.mirrors = opened.mirrors;
    last.rung = opened.mirrors->bell().rung();
    KubeService service = ServiceOf(opened);
    auto observed = service.Observe(last.memory);
    if (!observed) {
      if (observed.error().id == "Service.Unauthorized") Reconnect(opened.record);
      return observed;
    }
    last.at = clock_.Steady();
    last.asked = service.has_asked();
    last.observed = *observed;
    const std::lock_guard lock(mutex_);
    looks_[key] = std::move(last);
    return observed;
  }

  void AwaitChange(const ServiceKey& key, std::chrono::milliseconds pause, Clock& clock) override {
    const LookedAt last = Last(key);
    if (!last.mirrors) return clock.Sleep(pause);
    last.mirrors->bell().Wait(last.rung, pause);
    clock.Sleep(std::min(kBurst, pause));
  }

  Result<std::string> Logs(const ServiceKey& key, std::int64_t lines) override {
    const Opened opened = TRY(Open(key));
    return ServiceOf(opened).Logs(lines);
  }

  Result<void> Remove(const ServiceKey& key) override {
    if (!TRY(Find(key))) return {};
    const Opened opened = TRY(Open(key));
    TRY(ServiceOf(opened).Remove(kRemoveTimeout));
    Forget(key);
    return RemoveTree(FileOf(key));
  }

  Result<void> Suspend() override { return {}; }
  Result<void> Resume() override { return {}; }

 private:
  using Client = std::shared_ptr<KubeClient>;
  using Mirrors = std::shared_ptr<KubeMirrors>;
  /// One cluster as one user sees it; mirrors by namespace.
  struct Cluster {
    Client client;
    std::map<std::string, Mirrors> mirrors = {};
  };
  struct Opened {
    Client client;
    Mirrors mirrors;
    KubeRecord record;
  };
  /// How a service was when it was last looked at.
  struct LookedAt {
    std::chrono::steady_clock::time_point at = {};
    bool asked = false;  ///< the cluster itself
    Observed observed = {};
    KubeMemory memory = {};
    Mirrors mirrors = {};
    std::uint64_t rung = 0;  ///< their bell, before that look
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
    return OpenedAs(std::move(client), *std::move(record));
  }

  /// With the mirrors of that client, or new ones where another has taken its place.
  Opened OpenedAs(Client client, KubeRecord record) {
    const std::lock_guard lock(mutex_);
    Cluster& cluster = clusters_[{record.kubeconfig, record.context}];
    if (cluster.client != client) {
      return {client, std::make_shared<KubeMirrors>(client), std::move(record)};
    }
    Mirrors& mirrors = cluster.mirrors[record.name_space];
    if (!mirrors) mirrors = std::make_shared<KubeMirrors>(client);
    return {std::move(client), mirrors, std::move(record)};
  }

  KubeService ServiceOf(const Opened& opened) {
    return {*opened.client, opened.mirrors.get(), clock_,
            KubePlace{.name_space = opened.record.name_space,
                      .installation = installation_,
                      .apis = opened.record.apis},
            opened.record.key.service};
  }

  /// The client of that cluster; `anew` reads the kubeconfig again, and keeps the client where it
  /// says the same as before.
  Result<Client> Connect(const ClusterKey& key, bool anew) {
    Cluster before;  // ends outside of the lock, for its mirrors wait for their threads
    const std::lock_guard lock(mutex_);
    const auto found = clusters_.find(key);
    if (!anew && found != clusters_.end() && found->second.client) return found->second.client;
    const fs::path kubeconfig = key.first;
    if (!kubeconfig.empty() && !kubeconfig.is_absolute()) {
      return CauseError("ClusterConfig", "kubeconfig " + key.first + " is no absolute path");
    }
    KubeAccess access =
        TRY(FindKubeAccess({.kubeconfig = kubeconfig,
                            .context = key.second,
                            .uploads = state_,
                            .environment = [](const char* name) { return ::getenv(name); }}));
    Cluster& cluster = clusters_[key];
    if (cluster.client && cluster.client->access() == access) return cluster.client;
    before =
        std::exchange(cluster, {.client = std::make_shared<KubeClient>(std::move(access), clock_)});
    return cluster.client;
  }

  /// The cluster no longer takes the credentials: there may be others by now.
  void Reconnect(const KubeRecord& record) {
    if (auto anew = Connect({record.kubeconfig, record.context}, true); !anew) {
      log::Warn("the kubeconfig cannot be read again", {{"why", anew.error().message}});
    }
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

  /// Whether the cluster was asked a moment ago: who waits asks more often than a cluster should
  /// be. What mirrors say costs nothing.
  bool IsFresh(const LookedAt& last) {
    if (!last.asked) return false;
    const bool has_changed = last.mirrors->bell().rung() != last.rung;
    return clock_.Steady() - last.at < (has_changed ? kLookAgainFirst : kLookAgainAfter);
  }

  LookedAt Last(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = looks_.find(key);
    return found == looks_.end() ? LookedAt() : found->second;
  }

  void Forget(const ServiceKey& key) {
    const std::lock_guard lock(mutex_);
    looks_.erase(key);
  }

  const fs::path records_, state_;
  const std::string installation_;
  Clock& clock_;
  std::mutex mutex_;  // guards clusters_ and looks_
  std::map<ClusterKey, Cluster> clusters_;
  std::map<ServiceKey, LookedAt> looks_;
};

Result<std::unique_ptr<Driver>> Open(const DriverContext& context) {
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
