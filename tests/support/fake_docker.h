// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/http/server.h"
#include "base/json.h"
#include "tests/support/swagger.h"

namespace slipway::testing {

/// A Docker Engine in this program, on a unix socket: images by name, containers whose programs are
/// HTTP servers on the ports they publish. What a container does is in its environment: `FAKE=ok`,
/// `exit:N`, `oom`, `wrong`, `never`; it answers `SAY`, after `?ms=N`. Every request is held
/// against the published schema, where that is at hand. Thread-safe.
class FakeDocker {
 public:
  explicit FakeDocker(std::filesystem::path socket);
  ~FakeDocker();

  std::string host() const { return "unix://" + socket_.string(); }
  /// The next `times` requests of that kind (`POST /images/load`) get this answer.
  struct Fault {
    int status = 500;
    std::string body = {};
    int times = 1'000'000;
    std::chrono::milliseconds delay{0};
  };
  void Break(const std::string& operation, Fault fault);
  void SetVersion(std::string newest, std::string oldest);
  void SetArchitecture(std::string architecture);

  /// What was wrong with requests so far.
  std::vector<std::string> violations() const;
  std::vector<std::string> containers() const;
  std::vector<std::string> images() const;
  Json body_of(const std::string& container) const;
  std::int64_t count(const std::string& operation) const;
  /// The container's program ends, as if the engine had started it again that often.
  void Crash(const std::string& container, int exit_code, std::int64_t restarts);
  /// Somebody else removes it.
  void Lose(const std::string& container);

 private:
  struct Container;
  http::Response Handle(http::Request& request);
  http::Response Answer(const std::string& operation, const http::Request& request);
  http::Response Create(const http::Request& request);
  http::Response Start(Container& container);
  http::Response Inspect(const std::string& name, const Container& container) const;
  http::Response Containers(const std::string& operation, const http::Request& request);
  http::Response Images(const std::string& operation, const http::Request& request);

  const std::filesystem::path socket_;
  std::optional<Swagger> schema_;
  mutable std::mutex mutex_;  // guards what follows
  std::string newest_ = "1.41", oldest_ = "1.12", architecture_ = "amd64";
  std::map<std::string, Fault> faults_;
  std::map<std::string, std::int64_t> counts_;
  std::map<std::string, std::string> images_;  ///< reference to architecture
  std::map<std::string, std::unique_ptr<Container>> containers_;
  std::vector<std::string> violations_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace slipway::testing
