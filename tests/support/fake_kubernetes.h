// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/http/server.h"

namespace slipway::testing {

/// An API server of Kubernetes in this process, for what a deployer asks of one: discovery,
/// server-side apply with owners and conflicts, lists in pages that can expire (410), foreground
/// deletion, watches with bookmarks and with everything that befalls them, logs, RBAC, and faults.
/// Whatever changes `State::objects` is an event of the watches. It refuses what the published
/// strict schemas refuse, where they are at hand. Thread-safe; what `Change` is given runs alone.
class FakeKubernetes {
 public:
  using Json = nlohmann::json;

  FakeKubernetes();
  ~FakeKubernetes();
  FakeKubernetes(const FakeKubernetes&) = delete;
  FakeKubernetes& operator=(const FakeKubernetes&) = delete;

  /// What befalls a watch, after so many of its events.
  struct WatchFault {
    enum class Kind : std::uint8_t {
      kDrop,     ///< the connection breaks
      kEnd,      ///< the stream ends as if its time were up
      kSilence,  ///< nothing comes any more, and nothing ends it
      kSay       ///< `text` comes, and the stream ends
    };
    Kind kind = Kind::kDrop;
    int after = 0;
    std::string text = {};    ///< a line of the stream
    std::string plural = {};  ///< only on watches of this; empty: on any
  };

  /// What it answers from. `objects` by path: `/api/v1/namespaces/lab/pods/a`.
  struct State {
    std::set<std::string> namespaces = {"lab"};
    std::set<std::string> apis = {"autoscaling/v2", "policy/v1", "networking.k8s.io/v1"};
    std::string token = "secret-token";
    std::map<std::string, Json> objects = {};
    /// Leaf of an object (`/spec/replicas`) -> who holds it, by the object's path.
    std::map<std::string, std::map<std::string, std::string>> owners = {};
    std::set<std::string> denied = {};  ///< `patch deployments`
    /// What its controllers do with a Deployment that was applied; empty: nothing.
    std::function<void(State&, Json& deployment)> roll_out = {};
    std::map<std::string, std::string> logs = {};  ///< by pod; `pod/previous` for the run before
    std::size_t page_size = 500;
    int expired_pages = 0;                    ///< so many continued lists answer 410
    int deletion_looks = 0;                   ///< so many looks at a deleted object still find it
    std::vector<http::Response> faults = {};  ///< answers given before anything is looked at
    /// The same for some requests only, by `watch pods`, `patch deployments`, `list events`.
    std::map<std::string, std::vector<http::Response>> faults_of = {};
    std::vector<WatchFault> watch_faults = {};     ///< each befalls one watch
    std::chrono::milliseconds event_delay{0};      ///< events come this late
    std::chrono::milliseconds bookmark_pause{0};   ///< 0: no bookmarks
    std::int64_t compacted = 0;                    ///< watches from before this are 410 Gone
    int breaks = 0;                                ///< one more breaks all watches there are
    std::map<std::string, int> watches = {};       ///< begun, by plural
    std::map<std::string, int> open_watches = {};  ///< under way, by plural
    std::vector<std::string> violations = {};      ///< what no client may do
    std::vector<std::string> requests = {};        ///< `PATCH /apis/…?fieldManager=…`
    std::int64_t resource_version = 100;
  };
  /// Looks at the state, or changes it.
  void Change(const std::function<void(State&)>& change);
  std::string url() const;
  /// A kubeconfig of it, in `folder`; `token` for another than the right one.
  std::filesystem::path WriteKubeconfig(const std::filesystem::path& folder,
                                        const std::string& token = "secret-token") const;
  /// `{"type": "ERROR", …}` as a line of a watch.
  static std::string ErrorLine(int code, const std::string& reason, const std::string& message);
  /// Whether the published schemas were found.
  bool has_schemas() const { return !schema_files_.empty(); }

  /// What `roll_out` is for a cluster that is well: the Deployment is complete at once.
  static void BecomeHealthy(State& state, Json& deployment);

 private:
  struct Place;
  class Watching;
  /// An event as watches tell of it.
  struct Event {
    std::string type, collection;
    Json object;
    std::int64_t resource_version = 0;
    std::chrono::steady_clock::time_point due;
  };
  http::Response Answer(const http::Request& request);
  http::Response Get(const Place& place);
  http::Response List(const Place& place);
  http::Response Watch(const Place& place);
  http::Response Apply(const Place& place, const http::Request& request);
  http::Response AnswerAlone(const http::Request& request);
  /// Makes events of what has changed.
  void Note();
  http::Response Delete(const Place& place);
  http::Response Logs(const Place& place);
  std::string CheckSchema(const Json& object);

  std::map<std::string, std::filesystem::path> schema_files_;  // by kind
  std::mutex mutex_;                                           // guards what follows
  std::map<std::string, Json> schemas_;                        // those that were needed
  State state_;
  std::map<std::string, Json> noted_;  // the objects, as the newest events have them
  std::vector<Event> history_;
  bool ends_ = false;
  std::condition_variable changed_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::testing
