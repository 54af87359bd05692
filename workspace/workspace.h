// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http/client.h"
#include "base/result.h"
#include "deployer/deployer.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/tools.h"
#include "registry/registry.h"
#include "workspace/image_holds.h"
#include "workspace/metrics.h"
#include "workspace/operations.h"
#include "workspace/program_digest.h"
#include "workspace/store.h"

namespace slipway::workspace {

/// What the workspace service is started with.
struct Config {
  std::filesystem::path state;           ///< state folder; made where it is not there
  std::filesystem::path server_program;  ///< slipway-serve, which goes into images
  OperationsOptions operations = {};
  std::int64_t garbage_grace_seconds = 3600;
  bool pack_ahead = true;  ///< make the layers that all images have before the first is asked for
  std::chrono::milliseconds ready_timeout{60'000};  ///< for a service to become ready
  std::chrono::milliseconds stop_grace{5'000};      ///< for operations to finish at the end
};

/// slipway-serve: `$SLIPWAY_SERVE`, else the file beside this program.
std::filesystem::path DefaultServerProgram();

/// Everything that a workspace service consists of, over one state folder: `slipway.db`,
/// `blobs/`, `logs/`, `run/`, `admin.token`. One program at a time may have it open. Thread-safe.
class Workspace {
 public:
  /// Opens or makes the folder, marks what a crash has interrupted, resumes services.
  /// kFailedPrecondition (id `State.InUse`, `State.Newer`), kDataLoss (id `State.Damaged`).
  static Result<std::unique_ptr<Workspace>> Open(Config config, Clock& clock = SystemClock());
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// Writes `run/endpoint.json`, where `slipway up` and `slipway status` look.
  Result<void> Announce(const std::string& address);
  /// Ends operations and everything that waits on them. Requests are still answered.
  void StopOperations();
  /// Stops the services that live beside this program; the next start resumes them.
  void Suspend();

  const Config& config() const { return config_; }
  const std::string& token() const { return token_; }
  Clock& clock() { return clock_; }
  Store& store() { return *store_; }
  BlobStore& blobs() { return *blobs_; }
  registry::Registry& registry() { return *registry_; }
  Operations& operations() { return *operations_; }
  deployer::Targets& targets() { return *targets_; }
  imagebuilder::LayerCache& layer_cache() { return *layer_cache_; }
  /// Of the scoring server that goes into images now.
  ProgramDigest& server_digest() { return *server_digest_; }
  imagebuilder::PythonTools& python_tools() { return *python_tools_; }
  /// The environment of this program, for tools that fetch.
  static std::vector<std::string> surroundings();
  /// Slipway's own Python folders of this build.
  std::filesystem::path python_modules() const { return library_folder() / "slipway/python"; }
  /// Where the shared libraries of this build lie.
  std::filesystem::path library_folder() const {
    return config_.server_program.parent_path().parent_path() / "lib";
  }
  http::Client& scoring_client() { return *scoring_client_; }
  Metrics& metrics() { return metrics_; }
  ImageHolds& image_holds() { return image_holds_; }
  /// How many event streams are open; each takes a thread of the server.
  std::atomic<std::int64_t>& event_streams() { return event_streams_; }
  /// Whether this program is about to end; work without an operation polls it.
  bool stopping() const { return stopping_; }
  /// Layers that stay although no image has them.
  void KeepLayers(std::vector<imagebuilder::Layer> layers);
  std::vector<imagebuilder::Layer> kept_layers() const;
  /// Held shared by whoever counts on blobs or unpacked images that no row names yet, and alone
  /// by who collects garbage.
  std::shared_mutex& keep_mutex() { return keep_mutex_; }
  std::filesystem::path run_folder() const { return config_.state / "run"; }
  /// For files that go with the program: `run/tmp`, emptied at each start.
  std::filesystem::path temp_folder() const { return run_folder() / "tmp"; }

 private:
  Workspace(Config config, Clock& clock) : config_(std::move(config)), clock_(clock) {}
  Result<void> OpenFolder();
  Result<void> OpenParts();
  Result<void> Recover();

  const Config config_;
  Clock& clock_;
  std::string token_;
  UniqueFd lock_;
  Metrics metrics_;
  ImageHolds image_holds_;
  std::atomic<std::int64_t> event_streams_ = 0;
  std::shared_mutex keep_mutex_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex kept_mutex_;  // guards kept_layers_
  std::vector<imagebuilder::Layer> kept_layers_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<imagebuilder::LayerCache> layer_cache_;
  std::unique_ptr<ProgramDigest> server_digest_;
  std::unique_ptr<imagebuilder::PythonTools> python_tools_;
  std::unique_ptr<http::Client> target_client_, scoring_client_;
  std::unique_ptr<deployer::Targets> targets_;
  std::unique_ptr<Operations> operations_;
};

}  // namespace slipway::workspace
