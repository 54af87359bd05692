// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "deployer/kubernetes/client.h"
#include "deployer/kubernetes/watch_event.h"

namespace slipway::deployer {

/// Which objects: those of a kind in a namespace that a selector takes.
struct KubeCollection {
  std::string what;        ///< for people: `pods of namespace lab`
  std::string path;        ///< `/api/v1/namespaces/lab/pods`
  std::string query = {};  ///< `labelSelector=…`
};

/// How a mirror is kept.
struct KubeWatchTimes {
  std::chrono::seconds served{270};  ///< asked of the server for one watch
  /// Without a byte for this long a watch is taken for dead: a bookmark comes every minute.
  std::chrono::milliseconds silence{100'000};
  /// How long what was seen still counts while a watch that ended is begun anew.
  std::chrono::milliseconds grace{2'000};
  std::chrono::milliseconds first_pause{500}, longest_pause{30'000};  ///< after failures
  std::chrono::milliseconds refused_pause{300'000};  ///< longest where it is not allowed
  /// Nobody has asked for this long: no watch is held until somebody does.
  std::chrono::milliseconds unasked{600'000};
};

/// Tells that something changed, to who waits for it. Thread-safe.
class KubeBell {
 public:
  void Ring();
  std::uint64_t rung() const;
  /// Until it has rung since `seen`, or `timeout` has passed.
  void Wait(std::uint64_t seen, std::chrono::milliseconds timeout) const;

 private:
  mutable std::mutex mutex_;  // guards rung_
  mutable std::condition_variable wake_;
  std::uint64_t rung_ = 0;
};

using KubeObjectPtr = std::shared_ptr<const Json>;

/// A collection of a cluster, kept up to date by one list and one watch on a thread of its own. It
/// says nothing while it is not sure: no watch is open, it is not allowed, or the server does not
/// answer; then who wants to know asks the cluster. Thread-safe.
class KubeMirror {
 public:
  /// `bell` must outlive it; it rings for every change.
  KubeMirror(std::shared_ptr<KubeClient> client, KubeCollection collection, KubeBell& bell,
             KubeWatchTimes times = {});
  ~KubeMirror();
  KubeMirror(const KubeMirror&) = delete;
  KubeMirror& operator=(const KubeMirror&) = delete;

  /// Until the first list is there, or has failed, or `timeout` has passed.
  void AwaitStart(std::chrono::milliseconds timeout);
  /// All objects by name; nothing while it is not sure.
  std::optional<std::vector<KubeObjectPtr>> All();
  /// The object, null where there is none; nothing while it is not sure of that object.
  std::optional<KubeObjectPtr> Find(const std::string& name);
  /// Whether it was there when the cluster last told of it, deleted by Slipway or not.
  std::optional<bool> Has(const std::string& name);
  /// How long nothing was heard of the cluster; nothing while it is not sure.
  std::optional<std::chrono::milliseconds> Quiet();

  /// The object was written and has that resource version: no older state of it counts.
  void Expect(const std::string& name, const std::string& resource_version);
  /// The object of that uid was deleted.
  void ExpectGone(const std::string& name, const std::string& uid);
  /// The cluster says otherwise: lists and watches anew.
  void Doubt();

 private:
  using Steady = std::chrono::steady_clock::time_point;
  /// What is waited for before an object counts.
  struct Expected {
    std::string resource_version, gone_uid;
    std::uint64_t number = 0;
  };
  /// How a list or a watch ended.
  enum class End : std::uint8_t { kFailed, kGoesOn, kWell };
  struct Outcome {
    End end = End::kFailed;  ///< kGoesOn tells nothing of whether watching works
    bool relist = false;     ///< what is known is too old to go on from
    bool refused = false;
    bool at_once = false;  ///< it ended as soon as it had begun
    std::optional<std::chrono::milliseconds> retry_after = {};
    std::string why = {}, fix = {};
  };

  void Run(const std::stop_token& stop);
  Outcome ListOnce(const std::stop_token& stop);
  Outcome WatchOnce(const std::stop_token& stop);
  void Replace(KubeListing listing, std::uint64_t expected);
  std::string WatchQuery();
  http::StreamOptions Options(const std::stop_token& stop, bool& opened);
  /// One event; an error ends the watch, and `outcome` says why.
  Result<void> Take(KubeEvent event, Outcome& outcome);
  void TakeError(const Json& status, Outcome& outcome);
  void Park(const std::stop_token& stop);
  /// Notes how it went; how long to pause before the next try.
  std::chrono::milliseconds Judge(const Outcome& outcome);
  void Sleep(const std::stop_token& stop, std::chrono::milliseconds pause);
  /// Between half of it and all: those who lost one server do not come back all at once.
  std::chrono::milliseconds Jitter(std::chrono::milliseconds pause);
  bool Unasked() const;
  void NoteAsked();
  bool IsSure() const;
  /// Whether what is known of the object is as new as what was written.
  bool IsMet(const std::string& name, const KubeObjectPtr& object) const;

  const std::shared_ptr<KubeClient> client_;
  const KubeCollection collection_;
  KubeBell& bell_;
  const KubeWatchTimes times_;
  std::minstd_rand random_{std::random_device{}()};  // of the thread alone

  mutable std::mutex mutex_;  // guards all below but thread_
  std::condition_variable_any wake_;
  std::map<std::string, KubeObjectPtr> objects_;
  std::map<std::string, Expected> expected_;
  std::uint64_t expectations_ = 0;
  std::string resource_version_;
  bool started_ = false, listed_ = false, open_ = false, doubted_ = false, told_ = false;
  int failures_ = 0;
  Steady heard_, lost_, asked_;
  std::stop_source under_way_;
  std::jthread thread_;
};

}  // namespace slipway::deployer
