// SPDX-License-Identifier: Apache-2.0
#pragma once

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
/// deletion, logs, RBAC, and faults. It refuses what the published strict schemas refuse, where
/// they are at hand. Thread-safe; what `Change` is given runs alone.
class FakeKubernetes {
 public:
  using Json = nlohmann::json;

  FakeKubernetes();
  ~FakeKubernetes();
  FakeKubernetes(const FakeKubernetes&) = delete;
  FakeKubernetes& operator=(const FakeKubernetes&) = delete;

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
    std::vector<std::string> requests = {};   ///< `PATCH /apis/…?fieldManager=…`
    std::int64_t resource_version = 100;
  };
  /// Looks at the state, or changes it.
  void Change(const std::function<void(State&)>& change);
  std::string url() const;
  /// A kubeconfig of it, in `folder`; `token` for another than the right one.
  std::filesystem::path WriteKubeconfig(const std::filesystem::path& folder,
                                        const std::string& token = "secret-token") const;
  /// Whether the published schemas were found.
  bool has_schemas() const { return !schema_files_.empty(); }

  /// What `roll_out` is for a cluster that is well: the Deployment is complete at once.
  static void BecomeHealthy(State& state, Json& deployment);

 private:
  struct Place;
  http::Response Answer(const http::Request& request);
  http::Response Get(const Place& place);
  http::Response List(const Place& place);
  http::Response Apply(const Place& place, const http::Request& request);
  http::Response Delete(const Place& place);
  http::Response Logs(const Place& place);
  std::string CheckSchema(const Json& object);

  std::map<std::string, std::filesystem::path> schema_files_;  // by kind
  std::mutex mutex_;                                           // guards what follows
  std::map<std::string, Json> schemas_;                        // those that were needed
  State state_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::testing
