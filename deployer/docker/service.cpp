// SPDX-License-Identifier: Apache-2.0
#include "deployer/docker/service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/docker/container.h"
#include "deployer/process/socket.h"

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kPrivate = 0600;
constexpr std::size_t kUniqueBytes = 3;
constexpr milliseconds kRelayGrace{15'000};

/// A port below those that the kernel gives to outgoing connections, free on this machine now.
int ChoosePort(bool check_here) {
  constexpr int kFirst = 20'000, kLast = 32'000, kTries = 100;
  std::random_device random;
  std::uniform_int_distribution<int> any(kFirst, kLast);
  for (int i = 0; i < kTries; ++i) {
    const int port = any(random);
    if (!check_here || ListenOn("127.0.0.1", port)) return port;
  }
  return any(random);
}

Error OtherEngine(const DockerRecord& record, const std::string& wanted) {
  return {.code = Code::kFailedPrecondition,
          .message = fmt::format("service {} runs on the Docker Engine at {} and cannot move to {}",
                                 record.key.service, record.engine, wanted),
          .id = "Docker.EngineFixed",
          .fix = "delete the service first, or choose another name"};
}

Json Credentials(const ImageRegistry& registry) {
  if (registry.username.empty()) return nullptr;
  Json credentials = {{"username", registry.username}, {"password", registry.password}};
  if (!registry.address.empty()) credentials["serveraddress"] = registry.address;
  return credentials;
}

}  // namespace

DockerService::DockerService(Config config, DockerRecord record)
    : config_(std::move(config)), record_(std::move(record)) {}

Result<void> DockerService::Save() {
  return WriteFileAtomic(config_.paths.record, DockerRecordText(record_), {.mode = kPrivate});
}

bool DockerService::removed() {
  const std::lock_guard lock(mutex_);
  return record_.removed;
}

Result<DockerEngine*> DockerService::Engine() {
  if (record_.engine.empty()) record_.engine = config_.default_engine;
  if (engine_ == nullptr || engine_host_ != record_.engine) {
    engine_ = std::make_unique<DockerEngine>(record_.engine, TRY(ParseEngineHost(record_.engine)));
    engine_host_ = record_.engine;
  }
  return engine_.get();
}

std::vector<Upstream> DockerService::UpstreamsNow() const {
  if (record_.front) return record_.front->upstreams;
  if (record_.current) return {{.url = record_.current->upstream}};
  if (record_.candidate) return {{.url = record_.candidate->upstream}};
  return {{.url = "http://127.0.0.1:1"}};
}

Result<void> DockerService::EnsureRelay(const std::vector<Upstream>& upstreams) {
  if (record_.relay.id.pid != 0 && IsRunning(record_.relay.id)) {
    TRY(SwitchRelay(config_.probes, record_.relay, upstreams));
    relay_in_step_ = true;
    return {};
  }
  const StartedRelay started = TRY(StartRelay({.host = record_.host,
                                               .port = record_.port,
                                               .upstreams = upstreams,
                                               .log = config_.paths.relay_log,
                                               .mark = config_.paths.record.string() + "#"}));
  record_.relay = started.record;
  record_.port = started.port;
  relay_in_step_ = true;
  return Save();
}

Result<std::string> DockerService::LoadImage(DockerEngine& engine, const DeploySpec& spec) {
  const auto before = TRY(engine.FindImage(spec.image_reference));
  const std::filesystem::path archive = TRY(spec.archive());
  const std::string loaded = TRY(engine.Load(archive));
  const EngineImageName name = NameInEngine(spec);
  TRY(engine.Tag(loaded, name.repository, name.tag));
  // The archive's own name may be one that the engine's owner uses.
  if (loaded == spec.image_reference) {
    const std::size_t colon = loaded.rfind(':');
    if (before) {
      TRY(engine.Tag(before->id, loaded.substr(0, colon), loaded.substr(colon + 1)));
    } else {
      TRY(engine.RemoveImage(loaded));
    }
  }
  return name.reference();
}

Result<void> DockerService::BringImage(DockerEngine& engine, const DeploySpec& spec) {
  const EngineImageName name = NameInEngine(spec);
  auto image = TRY(engine.FindImage(name.reference()));
  if (!image) {
    std::string there = spec.image_location;
    if (spec.archive) {
      there = TRY(LoadImage(engine, spec));
    } else if (!there.empty()) {
      TRY(engine.Pull(there, Credentials(spec.deployment.image_registry)));
    } else {
      return CauseError("ImageMissing", fmt::format("image {} is not in the Docker Engine at {}",
                                                    spec.image_reference, record_.engine));
    }
    if (there != name.reference()) TRY(engine.Tag(there, name.repository, name.tag));
    image = TRY(engine.FindImage(name.reference()));
  }
  const std::string machine = TRY(engine.Architecture());
  if (!image || image->architecture.empty() || image->architecture == machine) return {};
  return CauseError("WrongArchitecture",
                    fmt::format("image {} is for {}, the Docker Engine's machine is {}",
                                spec.image_reference, image->architecture, machine));
}

Result<void> DockerService::StartCandidate(DockerEngine& engine, const DeploySpec& spec) {
  constexpr int kTries = 5;
  const EngineAddress& address = engine.address();
  const bool remote = address.unix_socket.empty();
  for (int i = 1;; ++i) {
    const int port = ChoosePort(!remote);
    const Json body = ContainerBody(spec, {.state = config_.state, .port = port, .remote = remote});
    record_.candidate =
        DockerRevision{.container = ContainerName(spec, config_.state, RandomHex(kUniqueBytes)),
                       .image = NameInEngine(spec).reference(),
                       .spec = SpecDigest(spec),
                       .upstream = fmt::format("http://{}:{}", address.host, port),
                       .revision = spec.revision};
    TRY(Save());
    auto started = engine.Create(record_.candidate->container, body);
    if (started) started = engine.Start(record_.candidate->container);
    if (started) break;
    TRY(DropCandidate(engine));
    if (i == kTries || started.error().id != "Service.PortInUse") return started;
  }
  candidate_started_ = Steady::now();
  waiting_for_.clear();
  return {};
}

Result<void> DockerService::DropCandidate(DockerEngine& engine) {
  if (!record_.candidate) return {};
  TRY(engine.Remove(record_.candidate->container));
  record_.candidate.reset();
  return Save();
}

/// What answered until now is stopped once its last request is answered.
Result<void> DockerService::ApplyFront(const DeploySpec& spec) {
  relay_in_step_ = false;
  record_.front = DockerFront{.upstreams = spec.upstreams, .revision = spec.revision};
  if (record_.current) {
    record_.draining.push_back(*record_.current);
    record_.current.reset();
    drain_started_ = Steady::now();
  }
  TRY(Save());
  return EnsureRelay(UpstreamsNow());
}

Result<void> DockerService::Apply(const DeploySpec& spec) {
  const std::lock_guard lock(mutex_);
  const DockerSettings& settings = spec.deployment.docker;
  const std::string host = settings.host.empty() ? config_.default_engine : settings.host;
  if ((record_.current || record_.candidate || record_.front) && record_.engine != host) {
    return OtherEngine(record_, host);
  }
  record_.engine = host;
  DockerEngine& engine = *TRY(Engine());
  const std::string listen = settings.address.empty() ? spec.host : settings.address;
  const int port = spec.port != 0 ? spec.port : TRY(Narrow<int>(spec.deployment.port));
  if (record_.relay.id.pid != 0 &&
      (listen != record_.host || (port != 0 && port != record_.port))) {
    TRY(Terminate(record_.relay.id, kRelayGrace));
    record_.relay = {};
  }
  record_.host = listen;
  if (port != 0) record_.port = port;
  record_.suspended = false;
  record_.refused.reset();
  TRY(DropCandidate(engine));
  if (!spec.upstreams.empty()) return ApplyFront(spec);
  TRY(EnsureRelay(UpstreamsNow()));
  if (record_.current && record_.current->spec == SpecDigest(spec)) {
    const auto there = TRY(engine.Inspect(record_.current->container));
    if (there && there->status != "running") TRY(engine.Start(record_.current->container));
    if (there) {
      record_.current->revision = spec.revision;
      return Save();
    }
  }
  TRY(BringImage(engine, spec));
  TRY(StartCandidate(engine, spec));
  if (!record_.current) TRY(EnsureRelay(UpstreamsNow()));
  return Save();
}

Result<void> DockerService::Suspend() {
  const std::lock_guard lock(mutex_);
  if (record_.suspended || record_.removed) return {};
  record_.suspended = true;
  TRY(Save());
  if (record_.relay.id.pid != 0) TRY(Terminate(record_.relay.id, kRelayGrace));
  record_.relay = {};
  DockerEngine& engine = *TRY(Engine());
  for (const auto* revision : {&record_.current, &record_.candidate}) {
    if (*revision) TRY(engine.Stop((*revision)->container, config_.times.stop));
  }
  TRY(StopDrained(engine));
  return Save();
}

Result<void> DockerService::Resume() {
  const std::lock_guard lock(mutex_);
  if (record_.removed) return {};
  const bool was_suspended = record_.suspended;
  record_.suspended = false;
  TRY(EnsureRelay(UpstreamsNow()));
  if (!was_suspended) return {};
  DockerEngine& engine = *TRY(Engine());
  for (const auto* revision : {&record_.current, &record_.candidate}) {
    if (*revision) TRY(engine.Start((*revision)->container));
  }
  current_started_ = candidate_started_ = Steady::now();
  seen_ready_ = false;
  return Save();
}

Result<void> DockerService::Remove() {
  const std::lock_guard lock(mutex_);
  record_.removed = true;
  TRY(Save());
  if (record_.relay.id.pid != 0) TRY(Terminate(record_.relay.id, kRelayGrace));
  record_.relay = {};
  DockerEngine& engine = *TRY(Engine());
  std::vector<DockerRevision> all = record_.draining;
  if (record_.current) all.push_back(*record_.current);
  if (record_.candidate) all.push_back(*record_.candidate);
  for (const DockerRevision& revision : all) {
    TRY(engine.Stop(revision.container, config_.times.stop));
    TRY(engine.Remove(revision.container));
  }
  for (const DockerRevision& revision : all) {
    if (auto gone = engine.RemoveImage(revision.image); !gone) {
      log::Warn("image not removed", {{"image", revision.image}, {"why", gone.error().message}});
    }
  }
  TRY(RemoveTree(config_.paths.log));
  TRY(RemoveTree(config_.paths.relay_log));
  return RemoveTree(config_.paths.record);
}

}  // namespace slipway::deployer
