// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "deployer/kubernetes/client.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/kubernetes/mirror.h"

namespace slipway::deployer {

/// The mirrors of one namespace, as one user sees it; each begins when it is first asked for.
/// Thread-safe.
class KubeMirrors {
 public:
  explicit KubeMirrors(std::shared_ptr<KubeClient> client, KubeWatchTimes times = {})
      : client_(std::move(client)), times_(times) {}
  KubeMirror& Of(const KubeCollection& collection);
  /// The one of that path, if it has begun.
  KubeMirror* Begun(const std::string& path);
  /// Rings for a change in any of them.
  const KubeBell& bell() const { return bell_; }

 private:
  const std::shared_ptr<KubeClient> client_;
  const KubeWatchTimes times_;
  KubeBell bell_;
  std::mutex mutex_;  // guards mirrors_
  std::map<std::string, std::unique_ptr<KubeMirror>> mirrors_;
};

/// Reads objects of one namespace: from the mirrors, and of the cluster itself where they are not
/// sure. Errors are KubeClient's. Not thread-safe; what it refers to must outlive it.
class KubeReader {
 public:
  /// `mirrors` may be null.
  KubeReader(KubeClient& client, KubeMirrors* mirrors, const KubePlace& place)
      : client_(client), mirrors_(mirrors), place_(place) {}

  /// Null where there is none. `kind` is for people: `Deployment`.
  Result<KubeObjectPtr> Find(std::string_view kind, std::string_view api_version,
                             std::string_view plural, const std::string& name);
  /// The same of the cluster itself.
  Result<KubeObjectPtr> Ask(std::string_view kind, std::string_view api_version,
                            std::string_view plural, const std::string& name);
  /// Pods of the service, an array.
  Result<Json> Pods(const std::string& service);
  /// The same of the cluster itself.
  Result<Json> AskPods(const std::string& service);
  enum class Which : std::uint8_t { kWarnings, kAll };
  /// Events of a pod, an array; all of them are only asked for, never mirrored.
  Result<Json> Events(const std::string& pod, Which which);
  /// Whether the cluster itself was asked for anything.
  bool asked() const { return asked_; }
  /// From now on it is the cluster that is asked, and a mirror that says otherwise is doubted.
  void Distrust() { distrusts_ = true; }
  /// How long the mirror that says how the service's rollout goes has heard nothing.
  std::chrono::milliseconds Quiet();

  /// Waits until the mirror has no object of that name, or `timeout` has passed; for `pause` only
  /// where the mirror is not sure.
  void AwaitAbsence(std::string_view api_version, std::string_view plural, const std::string& name,
                    std::chrono::milliseconds timeout, std::chrono::milliseconds pause,
                    Clock& clock);

  /// Mirrors are not to show an older state than that which was written, or what was deleted.
  void NoteWritten(const KubeObject& object, const Json& stored);
  void NoteDeleted(const KubeObject& object, const Json& last);

 private:
  KubeCollection Collection(std::string_view api_version, std::string_view plural) const;
  KubeMirror* MirrorOf(const KubeCollection& collection);
  KubeMirror* BegunFor(const KubeObject& object);

  KubeClient& client_;
  KubeMirrors* const mirrors_;
  const KubePlace& place_;
  bool asked_ = false, distrusts_ = false;
};

}  // namespace slipway::deployer
