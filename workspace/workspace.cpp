// SPDX-License-Identifier: Apache-2.0
#include "workspace/workspace.h"

#include <unistd.h>

#include <cstdlib>

#include "base/log.h"
#include "base/process.h"
#include "workspace/ahead.h"
#include "workspace/garbage.h"
#include "workspace/layer_cache.h"
#include "workspace/services.h"
#include "workspace/state_folder.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kOperationsKept = 10'000;
constexpr std::int64_t kAuditKept = 1'000'000;

}  // namespace

std::vector<std::string> Workspace::surroundings() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

std::filesystem::path DefaultServerProgram() {
  const char* given = std::getenv("SLIPWAY_SERVE");
  if (given != nullptr && *given != '\0') return given;
  return ThisProgram().parent_path() / "slipway-serve";
}

Result<std::unique_ptr<Workspace>> Workspace::Open(Config config, Clock& clock) {
  std::error_code failure;
  config.state = std::filesystem::absolute(config.state, failure).lexically_normal();
  std::unique_ptr<Workspace> workspace(new Workspace(std::move(config), clock));
  TRY(workspace->OpenFolder());
  TRY(workspace->OpenParts());
  TRY(workspace->Recover());
  return workspace;
}

Workspace::~Workspace() {
  if (operations_) StopOperations();
}

Result<void> Workspace::OpenFolder() {
  TRY(MakeStateFolder(config_.state));
  lock_ = TRY(LockStateFolder(config_.state));
  TRY(SweepStateFolder(config_.state));
  RemoveEndpoint(config_.state);
  token_ = TRY(ReadOrMakeToken(config_.state));
  TRY(RemoveTree(temp_folder()));
  return MakeFolders(temp_folder());
}

Result<void> Workspace::OpenParts() {
  database_ = TRY(Database::Open(config_.state / "slipway.db"));
  store_ = TRY(Store::Open(*database_, clock_));
  blobs_ = TRY(BlobStore::Open(config_.state / "blobs"));
  registry_ = TRY(registry::Registry::Open(*database_, *blobs_, clock_));
  layer_cache_ = MakeLayerCache(*database_, *blobs_);
  server_digest_ = std::make_unique<ProgramDigest>(config_.server_program);
  python_tools_ = std::make_unique<imagebuilder::PythonTools>(
      imagebuilder::PythonTools::Options{.folder = run_folder() / "python",
                                         .environment = surroundings(),
                                         .runtime = library_folder() / "libslipway.so.1"},
      *blobs_);
  target_client_ = http::MakeClient({.retries = 0}, clock_);
  scoring_client_ = http::MakeClient({.retries = 0}, clock_);
  targets_ = deployer::Targets::Make({.run_folder = run_folder(),
                                      .log_folder = config_.state / "logs",
                                      .http = *target_client_,
                                      .clock = clock_});
  operations_ = Operations::Make(*store_, clock_, config_.operations);
  return {};
}

Result<void> Workspace::Recover() {
  for (const api::Operation& operation : TRY(operations_->Recover())) {
    log::Warn(
        "operation was interrupted",
        {{"operation", operation.id}, {"kind", operation.kind}, {"resource", operation.resource}});
  }
  TRY(store_->PruneKeys(true));
  TRY(store_->PruneOperations(kOperationsKept));
  TRY(store_->PruneAudit(kAuditKept));
  TRY(ResumeServices(*this));
  if (config_.pack_ahead) {
    PackAheadLater(*this);
  } else {
    CollectGarbageLater(*this);
  }
  return {};
}

Result<void> Workspace::Announce(const std::string& address) {
  return WriteEndpoint(config_.state, address);
}

void Workspace::StopOperations() {
  stopping_ = true;
  operations_->Stop(config_.stop_grace);
}

void Workspace::KeepLayers(std::vector<imagebuilder::Layer> layers) {
  const std::lock_guard lock(kept_mutex_);
  kept_layers_ = std::move(layers);
}

std::vector<imagebuilder::Layer> Workspace::kept_layers() const {
  const std::lock_guard lock(kept_mutex_);
  return kept_layers_;
}

void Workspace::Suspend() {
  SuspendServices(*this);
  RemoveEndpoint(config_.state);
}

}  // namespace slipway::workspace
