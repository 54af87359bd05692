// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "deployer/causes.h"
#include "deployer/docker/service.h"
#include "deployer/log_line.h"
#include "deployer/process/log.h"
#include "deployer/process/socket.h"

namespace slipway::deployer {
namespace {

constexpr std::int64_t kLoopRestarts = 5;
constexpr std::int64_t kLinesLookedAt = 500;
constexpr std::int64_t kInitFailed = 3, kNotExecutable = 126, kNoProgram = 127, kSignals = 128;

/// Cause and words for an exit, without the log.
DockerTrouble TroubleOfExit(const ContainerState& state) {
  if (state.out_of_memory) {
    return {.cause = "OOMKilled",
            .detail = "the program used more memory than it may and was killed",
            .log_line = {}};
  }
  const std::int64_t exit = state.exit_code;
  if (exit == kInitFailed) {
    const StartFailure failure = WhyNotStarted({});
    return {.cause = failure.cause, .detail = failure.detail, .log_line = {}};
  }
  if (exit == kNotExecutable || exit == kNoProgram) {
    return {.cause = "ProgramMissing",
            .detail = fmt::format("the image's program cannot be run (exit status {})", exit),
            .log_line = state.error};
  }
  if (exit > kSignals) {
    return {.cause = "Killed",
            .detail = fmt::format("signal {} ended the program", exit - kSignals),
            .log_line = {}};
  }
  return {.cause = "Exited",
          .detail = fmt::format("the program ended with exit status {}", exit),
          .log_line = {}};
}

}  // namespace

DockerTrouble DockerService::TroubleOf(DockerEngine& engine, const std::string& container,
                                       const ContainerState& state) {
  DockerTrouble trouble = TroubleOfExit(state);
  const auto log = engine.Logs(container, kLinesLookedAt);
  if (log && !log->empty()) {
    trouble.log_line = LineThatMatters(*log);
    CorrectStartFailure(*log, trouble.cause, trouble.detail);
  }
  if (trouble.log_line.find("exec format error") != std::string::npos) {
    trouble.cause = "WrongArchitecture";
  }
  if (trouble.log_line.find("Read-only file system") != std::string::npos) {
    trouble.cause = "ReadOnly";
  }
  return trouble;
}

Result<void> DockerService::FailCandidate(DockerEngine& engine, DockerTrouble trouble) {
  const std::string container = record_.candidate->container;
  if (const auto log = engine.Logs(container, kLinesLookedAt)) {
    TRY(WriteFileAtomic(config_.paths.log, *log));
  }
  log::Warn("revision refused", {{"service", record_.key.service},
                                 {"revision", record_.candidate->revision},
                                 {"cause", trouble.cause},
                                 {"detail", trouble.detail}});
  record_.refused = std::move(trouble);
  return DropCandidate(engine);
}

Result<void> DockerService::TakeOver(DockerEngine& engine) {
  TRY(engine.KeepRunning(record_.candidate->container));
  record_.front.reset();
  TRY(EnsureRelay({{.url = record_.candidate->upstream}}));
  if (record_.current) {
    record_.draining.push_back(*record_.current);
    drain_started_ = Steady::now();
  }
  record_.current = std::move(record_.candidate);
  record_.candidate.reset();
  current_started_ = Steady::now();
  seen_ready_ = true;
  return Save();
}

Result<void> DockerService::AdvanceCandidate(DockerEngine& engine) {
  if (!record_.candidate || record_.suspended) return {};
  const DockerRevision candidate = *record_.candidate;
  const auto state = TRY(engine.Inspect(candidate.container));
  if (!state) {
    return FailCandidate(engine, {.cause = "ContainerMissing",
                                  .detail = "container " + candidate.container + " is gone",
                                  .log_line = {}});
  }
  if (state->status == "created" && state->error.empty()) return engine.Start(candidate.container);
  if (state->status != "running") {
    return FailCandidate(engine, TroubleOf(engine, candidate.container, *state));
  }
  const ProbeResult probe = Probe(config_.probes, candidate.upstream);
  waiting_for_ = probe.detail;
  if (probe.state == ProbeResult::State::kReady) return TakeOver(engine);
  if (probe.state == ProbeResult::State::kWrong) {
    return FailCandidate(engine, {.cause = "WrongAnswers", .detail = probe.detail, .log_line = {}});
  }
  if (Steady::now() - candidate_started_ < config_.times.takeover) return {};
  DockerTrouble late = TroubleOf(engine, candidate.container, *state);
  late.cause = "NotReady";
  late.detail = probe.detail;
  return FailCandidate(engine, std::move(late));
}

Result<void> DockerService::StopDrained(DockerEngine& engine) {
  while (!record_.draining.empty()) {
    const DockerRevision old = record_.draining.front();
    const auto left = RelayInFlight(config_.probes, record_.relay, old.upstream);
    const bool late = Steady::now() - drain_started_ > config_.times.drain;
    if (left && *left > 0 && !late) return {};
    TRY(engine.Stop(old.container, config_.times.stop));
    TRY(engine.Remove(old.container));
    const bool needed = (record_.current && record_.current->image == old.image) ||
                        (record_.candidate && record_.candidate->image == old.image);
    if (!needed) TRY(engine.RemoveImage(old.image));
    record_.draining.erase(record_.draining.begin());
    TRY(Save());
  }
  return {};
}

Result<Observed> DockerService::JudgeCurrent(DockerEngine& engine) {
  using State = ProbeResult::State;
  Observed observed{.phase = Phase::kUnhealthy};
  const DockerRevision& current = *record_.current;
  const auto state = TRY(engine.Inspect(current.container));
  if (!state) {
    observed.phase = Phase::kFailed;
    observed.cause = "ContainerMissing";
    observed.detail = "container " + current.container + " is gone";
    return observed;
  }
  observed.restarts = state->restarts;
  ProbeResult probe;
  if (state->status == "running") probe = Probe(config_.probes, current.upstream);
  seen_ready_ = seen_ready_ || probe.state == State::kReady;
  observed.detail = probe.detail;
  if (probe.state == State::kReady) {
    observed.phase = Phase::kHealthy;
    return observed;
  }
  if (probe.state == State::kWrong) {
    observed.phase = Phase::kFailed;
    observed.cause = "WrongAnswers";
    return observed;
  }
  const bool loops = state->restarts >= kLoopRestarts;
  if (state->status == "running" && !loops) {
    const bool young = Steady::now() - current_started_ < config_.times.startup;
    observed.phase = young && !seen_ready_ ? Phase::kPending : Phase::kUnhealthy;
    observed.cause = "NotReady";
    return observed;
  }
  DockerTrouble trouble = TroubleOf(engine, current.container, *state);
  observed.cause = trouble.cause;
  observed.detail = trouble.detail;
  observed.log_line = trouble.log_line;
  if (state->status == "paused" || (state->status == "exited" && !loops)) {
    observed.cause = "ContainerStopped";
    observed.detail = "container " + current.container + " is " + state->status;
  } else if (loops && (trouble.cause == "Exited" || trouble.cause == "Killed")) {
    observed.cause = "CrashLoop";
  }
  if (loops || IsStartFailure(trouble.cause)) observed.phase = Phase::kFailed;
  return observed;
}

Result<Observed> DockerService::Observe() {
  const std::lock_guard lock(mutex_);
  Observed observed;
  if (record_.suspended) {
    observed.phase = Phase::kStopped;
  } else {
    DockerEngine& engine = *TRY(Engine());
    TRY(AdvanceCandidate(engine));
    if (record_.current) observed = TRY(JudgeCurrent(engine));
    if (record_.front) {
      observed.phase = IsRunning(record_.relay.id) ? Phase::kHealthy : Phase::kUnhealthy;
      if (observed.phase == Phase::kUnhealthy) observed.cause = "RelayFailed";
    }
    if (record_.candidate) {
      observed.phase = Phase::kPending;
      observed.detail = fmt::format("revision {} is starting{}{}", record_.candidate->revision,
                                    waiting_for_.empty() ? "" : ": ", waiting_for_);
    } else if (record_.refused) {
      observed.phase = Phase::kFailed;
      observed.cause = record_.refused->cause;
      observed.detail = record_.refused->detail;
      observed.log_line = record_.refused->log_line;
    }
  }
  observed.endpoint = record_.port == 0 ? "" : EndpointOf(record_.host, record_.port);
  observed.revision = record_.current ? record_.current->revision : 0;
  if (record_.front) observed.revision = record_.front->revision;
  observed.draining = !record_.draining.empty();
  if (!observed.draining && record_.relay.id.pid != 0) {
    const auto left = RelayDraining(config_.probes, record_.relay);
    observed.draining = left && *left > 0;
  }
  return observed;
}

Result<std::string> DockerService::Logs(std::int64_t lines) {
  const std::lock_guard lock(mutex_);
  if (record_.refused) return TailLog(config_.paths.log, lines);
  const auto& shown = record_.candidate ? record_.candidate : record_.current;
  if (!shown) return std::string();
  DockerEngine& engine = *TRY(Engine());
  return engine.Logs(shown->container, lines);
}

void DockerService::Tend() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || record_.suspended || record_.removed) return;
  const bool answers = record_.current || record_.candidate || record_.front;
  if (!answers && record_.draining.empty()) return;
  const auto tend = [this]() -> Result<void> {
    if (record_.relay.id.pid != 0 && !IsRunning(record_.relay.id)) {
      log::Warn("relay ended", {{"service", record_.key.service}});
      relay_in_step_ = false;
    }
    if (!relay_in_step_) TRY(EnsureRelay(UpstreamsNow()));
    if (!record_.candidate && record_.draining.empty()) return {};
    DockerEngine& engine = *TRY(Engine());
    TRY(AdvanceCandidate(engine));
    return StopDrained(engine);
  };
  if (auto tended = tend(); !tended) {
    log::Debug("docker service",
               {{"service", record_.key.service}, {"why", tended.error().message}});
  }
}

}  // namespace slipway::deployer
