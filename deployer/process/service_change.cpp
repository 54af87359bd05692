// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/text.h"
#include "deployer/process/command.h"
#include "deployer/process/log.h"
#include "deployer/process/pidfd.h"
#include "deployer/process/service.h"
#include "deployer/process/socket.h"

namespace slipway::deployer {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kTokenBytes = 8;
constexpr double kBytesPerGb = 1024.0 * 1024.0 * 1024.0;

Result<void> LimitMemory(const ProcessId& id, double memory_gb) {
  if (memory_gb <= 0) return {};
  const auto bytes = static_cast<rlim_t>(memory_gb * kBytesPerGb);
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  if (prlimit(id.pid, RLIMIT_AS, &limit, nullptr) == 0) return {};
  return SystemError(fmt::format("cannot bound the memory of process {}", id.pid), errno);
}

}  // namespace

Result<void> ProcessService::Save() { return WriteFileAtomic(paths_.record, RecordText(record_)); }

std::string ProcessService::MarkOf(const InstanceRecord& instance) const {
  return paths_.record.string() + "#" + instance.token;
}

Result<void> ProcessService::OpenListener() {
  if (listener_) return {};
  Listener listener = TRY(ListenOn(record_.host, record_.port));
  listener_ = std::move(listener.fd);
  record_.port = listener.port;
  return {};
}

/// `instance` must be part of the record: it is saved before the process starts, so that one
/// which starts as this program dies is found by its mark.
Result<void> ProcessService::Launch(InstanceRecord& instance, int listen_fd) {
  const Listener health = TRY(ListenOn("127.0.0.1", 0));
  instance.id = {};
  instance.token = RandomHex(kTokenBytes);
  instance.listen_fd = listen_fd;
  instance.health_port = health.port;
  TRY(Save());
  const ProcessSpec process = TRY(CommandFor(instance.spec, {.listen_fd = listen_fd,
                                                             .health_fd = health.fd.get(),
                                                             .mark = MarkOf(instance),
                                                             .log = paths_.log}));
  instance.id = TRY(Spawn(process));
  TRY(LimitMemory(instance.id, instance.spec.memory_gb));
  return {};
}

void ProcessService::Drain(const ProcessId& id) {
  if (id.pid == 0 || !IsRunning(id)) return;
  if (const UniqueFd process = OpenPidFd(id)) SendSignal(process, SIGTERM);
  draining_.push_back({.id = id, .kill_at = Steady::now() + times_.grace});
}

void ProcessService::DropCandidate() {
  if (record_.candidate) Drain(record_.candidate->id);
  record_.candidate.reset();
  candidate_listener_ = UniqueFd();
}

Result<void> ProcessService::StartFirst(const DeploySpec& spec) {
  record_.host = spec.host;
  if (spec.port != 0 && spec.port != record_.port) listener_ = UniqueFd();
  if (spec.port != 0) record_.port = spec.port;
  policy_.Reset();
  trouble_.reset();
  start_at_.reset();
  seen_ready_ = false;
  TRY(OpenListener());
  record_.current = InstanceRecord{};
  record_.current->spec = spec;
  TRY(Launch(*record_.current, listener_.get()));
  current_started_ = Steady::now();
  return Save();
}

Result<void> ProcessService::StartCandidate(const DeploySpec& spec) {
  int listen_fd = listener_.get();
  candidate_port_ = record_.port;
  if (spec.host != record_.host || (spec.port != 0 && spec.port != record_.port)) {
    Listener other = TRY(ListenOn(spec.host, spec.port));
    candidate_listener_ = std::move(other.fd);
    candidate_port_ = other.port;
    listen_fd = candidate_listener_.get();
  }
  record_.candidate = InstanceRecord{};
  record_.candidate->spec = spec;
  auto launched = Launch(*record_.candidate, listen_fd);
  if (launched) {
    candidate_started_ = Steady::now();
    return Save();
  }
  DropCandidate();
  TRY(Save());
  return launched;
}

Result<void> ProcessService::Apply(const DeploySpec& spec) {
  const std::lock_guard lock(mutex_);
  refused_.reset();
  DropCandidate();
  const bool running = Running(record_.current);
  if (running && SameSpec(record_.current->spec, spec)) return Save();
  record_.suspended = false;
  const bool socket_lost = running && !listener_;
  Result<void> applied;
  if (running && !socket_lost) {
    applied = StartCandidate(spec);
  } else {
    if (record_.current) TRY(Terminate(record_.current->id, times_.grace));
    // A candidate that an earlier program left holds the port as long as it lives.
    while (!listener_ && !draining_.empty()) {
      TRY(Terminate(draining_.back().id, times_.grace));
      draining_.pop_back();
    }
    applied = StartFirst(spec);
    if (!applied) trouble_ = TroubleOf(applied.error());
  }
  Wake();
  return applied;
}

void ProcessService::TakeOver() {
  if (record_.current) Drain(record_.current->id);
  record_.current = std::move(record_.candidate);
  record_.candidate.reset();
  if (candidate_listener_) listener_ = std::move(candidate_listener_);
  candidate_listener_ = UniqueFd();
  record_.host = record_.current->spec.host;
  record_.port = candidate_port_;
  current_started_ = candidate_started_;
  seen_ready_ = true;
  policy_.Reset();
  trouble_.reset();
  start_at_.reset();
  if (auto saved = Save(); !saved) log::Warn("record", {{"why", saved.error().message}});
  log::Info("revision took over",
            {{"service", record_.key.service}, {"revision", record_.current->spec.revision}});
}

void ProcessService::FailCandidate(std::string cause, std::string detail) {
  refused_ = Trouble{.cause = std::move(cause),
                     .detail = fmt::format("revision {} did not take over: {}",
                                           record_.candidate->spec.revision, detail),
                     .log_line = LastLogLine(paths_.log)};
  if (Running(record_.current)) {
    refused_->detail += fmt::format("; revision {} stays", record_.current->spec.revision);
  }
  DropCandidate();
  if (auto saved = Save(); !saved) log::Warn("record", {{"why", saved.error().message}});
}

Result<void> ProcessService::StopAll() {
  DropCandidate();
  if (record_.current) Drain(record_.current->id);
  start_at_.reset();
  Result<void> stopped;
  for (const Draining& draining : draining_) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(draining.kill_at - Steady::now());
    if (WaitForExit(draining.id, std::max(left, std::chrono::milliseconds(0)))) continue;
    if (auto ended = Terminate(draining.id, std::chrono::milliseconds(0)); !ended) stopped = ended;
  }
  draining_.clear();
  if (record_.current) record_.current->id = {};
  listener_ = UniqueFd();
  return stopped;
}

Result<void> ProcessService::Suspend() {
  const std::lock_guard lock(mutex_);
  record_.suspended = true;
  TRY(Save());
  TRY(StopAll());
  Wake();
  return Save();
}

Result<void> ProcessService::Resume() {
  const std::lock_guard lock(mutex_);
  if (!record_.suspended) return {};
  record_.suspended = false;
  policy_.Reset();
  trouble_.reset();
  if (record_.current) start_at_ = Steady::now();
  Wake();
  return Save();
}

Result<void> ProcessService::Remove() {
  const std::lock_guard lock(mutex_);
  record_.removed = record_.suspended = true;
  TRY(Save());
  TRY(StopAll());
  record_.current.reset();
  TRY(RemoveTree(paths_.record));
  TRY(RemoveTree(paths_.log));
  std::filesystem::path rotated = paths_.log;
  return RemoveTree(rotated += ".1");
}

}  // namespace slipway::deployer
