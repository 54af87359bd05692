// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/service.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "deployer/causes.h"
#include "deployer/process/log.h"
#include "deployer/process/pidfd.h"
#include "deployer/process/socket.h"

namespace slipway::deployer {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kProbePause{20}, kIdlePause{2000}, kLogPause{2000};

}  // namespace

ProcessService::ProcessService(ServiceKey key, ServicePaths paths, http::Client& probes,
                               ServiceTimes times)
    : paths_(std::move(paths)),
      times_(times),
      probes_(probes),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  record_.key = std::move(key);
}

std::unique_ptr<ProcessService> ProcessService::New(ServiceKey key, ServicePaths paths,
                                                    http::Client& probes, ServiceTimes times) {
  std::unique_ptr<ProcessService> service(
      new ProcessService(std::move(key), std::move(paths), probes, times));
  service->thread_ = std::thread([raw = service.get()] { raw->Watch(); });
  return service;
}

std::unique_ptr<ProcessService> ProcessService::Adopt(
    ServiceRecord record, ServicePaths paths, http::Client& probes,
    const std::vector<std::pair<ProcessId, std::string>>& marked, ServiceTimes times) {
  std::unique_ptr<ProcessService> service(
      new ProcessService(record.key, std::move(paths), probes, times));
  service->record_ = std::move(record);
  auto& current = service->record_.current;
  auto& candidate = service->record_.candidate;
  for (const auto& [id, mark] : marked) {
    bool known = false;
    for (auto* instance : {&current, &candidate}) {
      if (!*instance || service->MarkOf(**instance) != mark) continue;
      if (!service->Running(*instance)) (*instance)->id = id;
      known = true;
    }
    if (!known) service->Drain(id);
  }
  const auto now = Steady::now();
  service->current_started_ = service->candidate_started_ = now;
  if (service->Running(current)) {
    auto taken = TakeListener(current->id, current->listen_fd, service->record_.port);
    if (taken) service->listener_ = *std::move(taken);
  } else if (current) {
    current->id = {};
    if (!service->record_.suspended) service->start_at_ = now;
  }
  if (service->Running(candidate)) {
    service->AdoptCandidate();
  } else {
    candidate.reset();
  }
  service->thread_ = std::thread([raw = service.get()] { raw->Watch(); });
  return service;
}

void ProcessService::AdoptCandidate() {
  const InstanceRecord& candidate = *record_.candidate;
  const DeploySpec& spec = candidate.spec;
  candidate_port_ = spec.port != 0 ? spec.port : record_.port;
  if (candidate_port_ == record_.port && spec.host == record_.host) return;
  auto taken = TakeListener(candidate.id, candidate.listen_fd, candidate_port_);
  if (taken) candidate_listener_ = *std::move(taken);
}

ProcessService::~ProcessService() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
}

void ProcessService::Wake() const { eventfd_write(wake_.get(), 1); }

bool ProcessService::Running(const std::optional<InstanceRecord>& instance) const {
  return instance && instance->id.pid != 0 && IsRunning(instance->id);
}

bool ProcessService::Looping() const { return policy_.looping(); }

int ProcessService::PollTimeoutMs(Time now) const {
  milliseconds pause = !record_.candidate ? kIdlePause : kProbePause;
  auto until = [&](Time at) {
    pause = std::min(pause, std::max(milliseconds(1), std::chrono::ceil<milliseconds>(at - now)));
  };
  if (start_at_) until(*start_at_);
  for (const Draining& draining : draining_) until(draining.kill_at);
  return static_cast<int>(pause.count());
}

void ProcessService::Watch() {
  std::unique_lock lock(mutex_);
  while (!quit_) {
    std::optional<ProbeResult> probe;
    if (Running(record_.candidate)) {
      const int port = record_.candidate->health_port;
      const std::string token = record_.candidate->token;
      lock.unlock();
      probe = Probe(probes_, port);
      lock.lock();
      if (quit_) return;
      if (!record_.candidate || record_.candidate->token != token) probe.reset();
    }
    const auto now = Steady::now();
    LookAfterDraining(now);
    LookAfterCurrent(now);
    LookAfterCandidate(now, probe);
    if (now >= next_log_check_) {
      next_log_check_ = now + kLogPause;
      if (auto rotated = RotateLog(paths_.log, times_.log_bytes); !rotated) {
        log::Warn("log not rotated", {{"why", rotated.error().message}});
      }
    }
    std::vector<pollfd> polls{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    std::vector<UniqueFd> processes;
    auto watch = [&](const ProcessId& id) {
      if (id.pid == 0) return;
      UniqueFd fd = OpenPidFd(id);
      if (!fd) return;
      polls.push_back({.fd = fd.get(), .events = POLLIN, .revents = 0});
      processes.push_back(std::move(fd));
    };
    if (record_.current) watch(record_.current->id);
    if (record_.candidate) watch(record_.candidate->id);
    for (const Draining& draining : draining_) watch(draining.id);
    const int timeout_ms = PollTimeoutMs(now);
    lock.unlock();
    poll(polls.data(), polls.size(), timeout_ms);
    eventfd_t ignored = 0;
    eventfd_read(wake_.get(), &ignored);
    lock.lock();
  }
}

void ProcessService::LookAfterDraining(Time now) {
  std::erase_if(draining_, [now](const Draining& draining) {
    if (WaitForExit(draining.id, milliseconds(0))) return true;
    if (now < draining.kill_at) return false;
    if (auto ended = Terminate(draining.id, milliseconds(0)); !ended) {
      log::Warn("process not ended", {{"why", ended.error().message}});
    }
    return true;
  });
}

ProcessService::Trouble ProcessService::TroubleOf(int status) const {
  Trouble trouble{.cause = "Exited", .detail = {}, .log_line = LastLogLine(paths_.log)};
  if (status < 0) {
    trouble.detail = "the program ended while nobody watched it";
  } else if (status == 3) {
    const StartFailure failure = WhyNotStarted(trouble.log_line);
    trouble.cause = failure.cause;
    trouble.detail = failure.detail;
  } else if (status > 128) {
    trouble.cause = "Killed";
    trouble.detail = fmt::format("signal {} ended the program", status - 128);
  } else {
    trouble.detail = fmt::format("the program ended with exit status {}", status);
  }
  return trouble;
}

ProcessService::Trouble ProcessService::TroubleOf(const Error& error) {
  const bool port = error.id == "Port.InUse", program = error.id == "Service.ProgramMissing";
  return {.cause = port      ? "PortInUse"
                   : program ? "ProgramMissing"
                             : "Exited",
          .detail = error.message,
          .log_line = {}};
}

void ProcessService::CurrentEnded(Trouble trouble, std::optional<Time> started) {
  const auto now = Steady::now();
  const auto ran =
      started ? std::chrono::duration_cast<milliseconds>(now - *started) : milliseconds(0);
  const milliseconds pause = policy_.Exited(ran);
  record_.current->id = {};
  start_at_ = now + pause;
  log::Warn("service ended", {{"service", record_.key.service},
                              {"cause", trouble.cause},
                              {"detail", trouble.detail},
                              {"again_in_ms", pause.count()}});
  trouble_ = std::move(trouble);
  seen_ready_ = false;
}

void ProcessService::LookAfterCurrent(Time now) {
  if (!record_.current || record_.suspended) return;
  if (record_.current->id.pid != 0) {
    const auto status = WaitForExit(record_.current->id, milliseconds(0));
    if (!status) return;
    CurrentEnded(TroubleOf(*status), current_started_);
    if (auto saved = Save(); !saved) log::Warn("record", {{"why", saved.error().message}});
    return;
  }
  if (!start_at_ || now < *start_at_) return;
  start_at_.reset();
  auto launched = OpenListener();
  if (launched) launched = Launch(*record_.current, listener_.get());
  if (launched) {
    if (trouble_) ++record_.restarts;
    current_started_ = Steady::now();
    launched = Save();
  }
  if (launched) return;
  CurrentEnded(TroubleOf(launched.error()), std::nullopt);
}

void ProcessService::LookAfterCandidate(Time now, const std::optional<ProbeResult>& probe) {
  if (!record_.candidate) return;
  if (const auto status = WaitForExit(record_.candidate->id, milliseconds(0))) {
    Trouble trouble = TroubleOf(*status);
    FailCandidate(std::move(trouble.cause), std::move(trouble.detail));
  } else if (probe && probe->state == ProbeResult::State::kReady) {
    TakeOver();
  } else if (probe && probe->state == ProbeResult::State::kWrong) {
    FailCandidate("WrongAnswers", probe->detail);
  } else if (now - candidate_started_ > times_.takeover) {
    FailCandidate("NotReady", probe ? probe->detail : "it does not answer");
  }
}

Observed ProcessService::Judge(const ProbeResult& probe) {
  Observed observed;
  using State = ProbeResult::State;
  const bool young = Steady::now() - current_started_ < times_.startup;
  seen_ready_ = seen_ready_ || probe.state == State::kReady;
  observed.detail = probe.detail;
  switch (probe.state) {
    case State::kReady:
      observed.phase = Phase::kHealthy;
      return observed;
    case State::kWrong:
      observed.phase = Phase::kFailed;
      observed.cause = "WrongAnswers";
      return observed;
    case State::kSilent:
    case State::kWaiting:
      observed.phase = young && !seen_ready_ ? Phase::kPending : Phase::kUnhealthy;
      observed.cause = "NotReady";
      return observed;
  }
  return observed;
}

Result<std::string> ProcessService::Logs(std::int64_t lines) { return TailLog(paths_.log, lines); }

bool ProcessService::removed() {
  const std::lock_guard lock(mutex_);
  return record_.removed;
}

Result<Observed> ProcessService::Observe() {
  std::unique_lock lock(mutex_);
  Observed observed;
  if (Running(record_.current) && !record_.suspended) {
    const int port = record_.current->health_port;
    const std::string token = record_.current->token;
    lock.unlock();
    const ProbeResult probe = Probe(probes_, port);
    lock.lock();
    if (record_.current && record_.current->token == token) observed = Judge(probe);
  } else if (trouble_) {
    const bool final = Looping() || IsStartFailure(trouble_->cause) ||
                       trouble_->cause == "PortInUse" || trouble_->cause == "ProgramMissing";
    observed.phase = final ? Phase::kFailed : Phase::kUnhealthy;
    observed.cause = Looping() && !IsStartFailure(trouble_->cause) ? "CrashLoop" : trouble_->cause;
    observed.detail = trouble_->detail;
    observed.log_line = trouble_->log_line;
  }
  if (record_.candidate) {
    observed.phase = Phase::kPending;
    observed.detail = fmt::format("revision {} is starting", record_.candidate->spec.revision);
  } else if (refused_) {
    observed.phase = Phase::kFailed;
    observed.cause = refused_->cause;
    observed.detail = refused_->detail;
    observed.log_line = refused_->log_line;
  }
  if (record_.suspended) {
    observed = {};
    observed.phase = Phase::kStopped;
  }
  observed.endpoint = EndpointOf(record_.host, record_.port);
  observed.restarts = record_.restarts;
  observed.draining = !draining_.empty();
  observed.revision = record_.current ? record_.current->spec.revision : 0;
  return observed;
}

}  // namespace slipway::deployer
