// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/http/client.h"
#include "base/result.h"
#include "base/unit.h"
#include "deployer/deployment.h"

namespace slipway::deployer {

/// A server that requests are handed on to.
struct Upstream {
  std::string url = {};  ///< `http://127.0.0.1:41234`
  std::int64_t weight = 1;
  bool operator==(const Upstream&) const = default;
};

/// What is to run. Everything a target needs, nothing of where it came from.
struct DeploySpec {
  std::string workspace = {}, service = {};
  std::int64_t revision = 1;
  std::string image_reference = {};  ///< `name:version`
  std::string image_digest = {};
  std::filesystem::path rootfs = {};          ///< unpacked image; for target `process`
  std::vector<std::string> entrypoint = {};   ///< from the image's config
  std::vector<std::string> environment = {};  ///< `NAME=value`
  std::string working_folder = {};
  std::string host = "127.0.0.1";  ///< where a local target listens
  int port = 0;                    ///< 0: the target chooses, and keeps it for the service
  double cpu_cores = 0;            ///< 0: no bound
  double memory_gb = 0;            ///< 0: no bound
  std::map<std::string, std::string> labels = {};
  Deployment deployment = {};       ///< with its keys, if it has any
  std::string image_location = {};  ///< where a cluster pulls the image: `HOST/NAME@sha256:…`
  /// Writes the image as a docker-archive, or finds it, for engines that load one; it stays for as
  /// long as Apply runs. Empty: there is none.
  std::function<Result<std::filesystem::path>()> archive = {};
  /// Nothing of the image runs: requests are divided between these in proportion to their weights.
  /// For targets that split traffic; kUnimplemented (id `Service.NoSplit`) on others.
  std::vector<Upstream> upstreams = {};
};

enum class Phase : std::uint8_t { kPending, kHealthy, kUnhealthy, kFailed, kStopped };
/// `Pending`, `Healthy`, `Unhealthy`, `Failed`, `Stopped`
std::string_view PhaseName(Phase phase);

/// What a service is now, as its target sees it.
struct Observed {
  Phase phase = Phase::kPending;
  std::string endpoint = {};  ///< `http://127.0.0.1:41234`; empty while there is none
  std::string cause = {};     ///< stable cause code when it is not well: `CrashLoop`
  std::string detail = {};    ///< one line for people
  std::string log_line = {};  ///< the line of its log that matters, when it failed
  std::int64_t restarts = 0;
  std::int64_t revision = 0;  ///< that answers now; the old one while a new one starts
  bool draining = false;      ///< requests are under way at what answered before
};

/// Names a service of a target.
struct ServiceKey {
  std::string workspace, service;
  auto operator<=>(const ServiceKey&) const = default;
};

/// A place where services run. Thread-safe. A driver keeps what it needs to find its services
/// again after the program was killed and started anew.
class Driver {
 public:
  virtual ~Driver() = default;
  /// Starts the service, or replaces its revision; returns once that is under way.
  /// kFailedPrecondition (id `Port.InUse`), kNotFound for a program that is not in the image.
  virtual Result<void> Apply(const DeploySpec& spec) = 0;
  /// kNotFound (id `Service.NotFound`) if the target has no such service.
  virtual Result<Observed> Observe(const ServiceKey& key) = 0;
  /// The last `lines` lines of the service's output.
  virtual Result<std::string> Logs(const ServiceKey& key, std::int64_t lines) = 0;
  /// Stops it and forgets it; nothing there is no error.
  virtual Result<void> Remove(const ServiceKey& key) = 0;
  /// Stops what only lives beside the workspace service (`slipway down`); Resume starts it again.
  virtual Result<void> Suspend() = 0;
  virtual Result<void> Resume() = 0;
  /// Returns after `pause`, or as soon as the service may look different than when it was last
  /// observed.
  virtual void AwaitChange(const ServiceKey& /*key*/, std::chrono::milliseconds pause,
                           Clock& clock) {
    clock.Sleep(pause);
  }
};

/// What drivers stand on.
struct DriverContext {
  std::filesystem::path run_folder;  ///< of the state folder: `run/`
  std::filesystem::path log_folder;  ///< `logs/`
  http::Client& http;
  Clock& clock;
};

struct Target {
  std::string_view name;     ///< `process`
  std::string_view summary;  ///< one line for people
  Result<std::unique_ptr<Driver>> (*open)(const DriverContext& context) = nullptr;
  bool runs_unpacked = false;  ///< needs DeploySpec::rootfs
  /// Empty: it takes DeploySpec::upstreams. Else why requests cannot be divided there.
  std::string_view no_split = {};
};
std::span<const Unit<Target>> targets_table();
/// Whether services of the target run from their image's unpacked tree.
bool RunsUnpacked(std::string_view target);
/// kUnimplemented (id `Service.NoSplit`) saying why the target does not divide requests between
/// revisions.
Result<void> CheckSplits(std::string_view target);

/// One driver for each target, opened when first asked for. Thread-safe.
class Targets {
 public:
  virtual ~Targets() = default;
  static std::unique_ptr<Targets> Make(DriverContext context);
  /// kInvalidArgument (id `Target.Unknown`) listing the targets there are.
  virtual Result<Driver*> Find(std::string_view name) = 0;
};

struct WaitOptions {
  std::chrono::milliseconds timeout{60'000};
  std::function<bool()> cancelled = {};
};
/// Looks until the service answers its readiness probe, has failed for good, or time is up
/// (kDeadlineExceeded, id `Service.NotReady` or that of what it waits for). The error of a failed
/// service carries its cause, detail and the log line that matters.
Result<Observed> WaitReady(Driver& driver, const ServiceKey& key, Clock& clock,
                           const WaitOptions& options = {});

}  // namespace slipway::deployer
