// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/http/client.h"
#include "base/json.h"
#include "base/result.h"

namespace slipway::deployer {

/// Where an engine listens.
struct EngineAddress {
  std::filesystem::path unix_socket = {};
  std::string url = {};   ///< `http://docker`, `http://10.0.0.5:2375`
  std::string host = {};  ///< under which its published ports are reached: `127.0.0.1`
};
/// Reads `unix:///PATH`, `tcp://HOST:PORT`, `http://…`, `https://…`; kInvalidArgument (id
/// `Docker.Host`).
Result<EngineAddress> ParseEngineHost(std::string_view host);

struct EngineTimes {
  std::chrono::milliseconds connect{3'000};
  std::chrono::milliseconds call{60'000};
  std::chrono::milliseconds load{1'800'000};
};

struct EngineImage {
  std::string id, architecture, os;
};

/// What the engine says of a container.
struct ContainerState {
  std::string id;
  std::string status;  ///< created, running, paused, restarting, removing, exited, dead
  bool out_of_memory = false;
  std::int64_t exit_code = 0;
  std::string error;  ///< why it could not be started
  std::int64_t restarts = 0;
};

/// A Docker Engine, spoken to over its API, 1.40 or newer. Thread-safe. Errors are causes:
/// `EngineUnreachable`, `EngineDenied`, `EngineSlow`, `EngineTooOld`, `EngineRefused`,
/// `EngineFailed`, and what EngineCause reads out of the engine's words.
class DockerEngine {
 public:
  DockerEngine(std::string name, EngineAddress address, EngineTimes times = {});

  const EngineAddress& address() const { return address_; }
  /// What its images must be for: `amd64`.
  Result<std::string> Architecture();

  Result<std::optional<EngineImage>> FindImage(const std::string& reference);
  /// Loads a docker-archive; gives the reference or id of what was loaded.
  Result<std::string> Load(const std::filesystem::path& archive);
  Result<void> Tag(const std::string& image, const std::string& repository, const std::string& tag);
  /// `credentials`: {"username", "password", "serveraddress"}, or null.
  Result<void> Pull(const std::string& reference, const Json& credentials);
  /// Nothing there and still in use are no errors.
  Result<void> RemoveImage(const std::string& reference);

  Result<void> Create(const std::string& name, const Json& body);
  Result<void> Start(const std::string& name);
  /// From now on it is started again when it ends, unless it was stopped.
  Result<void> KeepRunning(const std::string& name);
  /// Waits up to `grace` for it to end by itself; already stopped or gone is no error.
  Result<void> Stop(const std::string& name, std::chrono::seconds grace);
  /// Also while it runs; nothing there is no error.
  Result<void> Remove(const std::string& name);
  Result<std::optional<ContainerState>> Inspect(const std::string& name);
  Result<std::string> Logs(const std::string& name, std::int64_t lines);

 private:
  struct Version {
    std::string api, architecture;
  };
  struct Call {
    std::string method, path, doing;
    http::Headers headers = {};
    std::string body = {};
    std::shared_ptr<http::Reader> body_reader = {};
    std::int64_t body_size = -1;
  };
  Result<Version> Negotiate();
  /// The answer, whatever its status.
  Result<http::Response> Send(Call call);
  Result<http::Response> SendTo(http::Client& client, Call call);
  /// The answer, if its status is one of success.
  Result<http::Response> Must(Call call);
  Error Unreachable(const Error& error) const;

  const std::string name_;
  const EngineAddress address_;
  const std::unique_ptr<http::Client> http_, slow_http_;
  std::mutex mutex_;  // guards version_
  std::optional<Version> version_;
};

/// The cause in the engine's words: `DiskFull`, `PortInUse`, `WrongArchitecture`, `ImageMissing`,
/// `ImagePullFailed`, `ProgramMissing`, `NetworkMissing`; `fallback` for others. Pure.
std::string_view EngineCause(std::string_view message, std::string_view fallback);

}  // namespace slipway::deployer
