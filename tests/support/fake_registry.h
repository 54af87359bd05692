// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/http/server.h"

namespace slipway::testing {

/// A registry in this process, after the OCI distribution specification: uploads in parts that can
/// be gone on with, manifests that need their blobs, Basic and Bearer authentication with a token
/// service of its own, redirects, and faults. Thread-safe.
class FakeRegistry {
 public:
  FakeRegistry();
  ~FakeRegistry();
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;

  enum class Auth : std::uint8_t { kNone, kBasic, kBearer };
  struct Manifest {
    std::string type, text;
  };
  struct State {
    Auth auth = Auth::kNone;
    std::string username = "robot", password = "p:ss", identity_token = "refresh-me";
    std::map<std::string, std::string> blobs = {};    ///< by digest
    std::map<std::string, Manifest> manifests = {};   ///< `name:tag` and `name@digest`
    std::map<std::string, std::string> uploads = {};  ///< by id
    std::string mountable = {};                       ///< digest that another repository has
    std::string storage = {};                         ///< blobs are redirected to this address
    std::int64_t keep_of_part = -1;  ///< of the next part so many bytes are kept, then 503
    std::int64_t break_after = -1;   ///< of the next blob so many bytes are sent
    bool has_ranges = true;
    std::vector<http::Response> faults = {};
    std::vector<std::string> requests = {};        ///< `HEAD /v2/…`
    std::vector<std::string> authorizations = {};  ///< as they came with requests, empty ones too
    int tokens = 0;                                ///< given out
  };
  void Change(const std::function<void(State&)>& change);
  /// `127.0.0.1:4711`
  std::string host() const;

 private:
  struct Part;
  http::Response Answer(const http::Request& request);
  http::Response Token(const http::Request& request);
  bool IsAllowed(const http::Request& request) const;
  http::Response Challenge(const std::string& scope) const;
  http::Response Upload(const Part& part, const http::Request& request);
  http::Response Blob(const Part& part, const http::Request& request);
  http::Response PutManifest(const Part& part, const http::Request& request);
  http::Response GetManifest(const Part& part, const http::Request& request);

  std::mutex mutex_;  // guards state_
  State state_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::testing
