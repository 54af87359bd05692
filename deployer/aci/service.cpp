// SPDX-License-Identifier: Apache-2.0
#include "deployer/aci/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/log_line.h"
#include "deployer/process/log.h"
#include "deployer/process/probe.h"

namespace slipway::deployer {
namespace {

constexpr std::int64_t kLinesLookedAt = 500;
constexpr int kNotFound = 404;

/// `East US` as ARM writes it in names: `eastus`.
std::string PlainLocation(std::string_view location) {
  std::string plain = ToLower(location);
  std::erase(plain, ' ');
  return plain;
}

}  // namespace

AciService::AciService(Config config, AciRecord record)
    : config_(std::move(config)), record_(std::move(record)) {}

bool AciService::removed() {
  const std::lock_guard lock(mutex_);
  return record_.removed;
}

Result<void> AciService::Save() {
  constexpr unsigned kPrivate = 0600;
  return WriteFileAtomic(config_.record, AciRecordText(record_), {.mode = kPrivate});
}

Result<AciPlace> AciService::PlaceOf(const DeploySpec& spec) const {
  const AciAccess& usual = config_.client.access();
  const Deployment& deployment = spec.deployment;
  AciPlace place{
      .subscription = deployment.aci.subscription_id.empty() ? usual.subscription
                                                             : deployment.aci.subscription_id,
      .resource_group = deployment.aci.resource_group.empty() ? usual.resource_group
                                                              : deployment.aci.resource_group,
      .location = PlainLocation(deployment.location.empty() ? usual.location : deployment.location),
      .name = AciGroupName(spec, config_.state)};
  for (const auto& [value, key] : {std::pair(&place.subscription, "aci.subscription_id"),
                                   std::pair(&place.resource_group, "aci.resource_group"),
                                   std::pair(&place.location, "location")}) {
    if (value->empty()) return CauseError("PlaceMissing", fmt::format("{} is not set", key));
  }
  return place;
}

Result<void> AciService::Put(const DeploySpec& spec) {
  AciRevision& candidate = *record_.candidate;
  const http::Response response =
      TRY(config_.client.Must({.method = "PUT",
                               .path = AciPath(candidate.place),
                               .body = DumpJson(AciGroupBody(spec, candidate.place)),
                               .doing = "make container group " + candidate.place.name}));
  candidate.operation = config_.client.OperationOf(response);
  return Save();
}

Result<void> AciService::Apply(const DeploySpec& spec) {
  const std::lock_guard lock(mutex_);
  look_again_ = {};
  if (spec.image_location.empty()) {
    return CauseError("ImageNotPushed",
                      fmt::format("image {} is in no registry that Azure could pull it from",
                                  spec.image_reference));
  }
  AciPlace place = TRY(PlaceOf(spec));
  record_.refused.reset();
  const bool in_place = record_.current && !spec.deployment.dns_name_label.empty();
  if (record_.candidate &&
      (!record_.current || record_.candidate->place.name != record_.current->place.name)) {
    TRY(Delete(record_.candidate->place, !spec.deployment.dns_name_label.empty()));
  }
  record_.candidate.reset();
  const std::string digest = AciSpecDigest(spec);
  if (record_.current && record_.current->spec == digest) {
    record_.current->revision = spec.revision;
    return Save();
  }
  if (in_place) place = record_.current->place;
  record_.candidate = AciRevision{
      .place = place, .spec = digest, .operation = {}, .retired = {}, .revision = spec.revision};
  TRY(Save());
  auto put = Put(spec);
  if (put) return put;
  const bool unsure =
      put.error().code == Code::kUnavailable || put.error().code == Code::kDeadlineExceeded;
  if (unsure && !in_place) {
    if (auto deleted = Delete(place, false); !deleted) {
      log::Warn("container group may be left",
                {{"group", place.name}, {"why", deleted.error().message}});
    }
  }
  record_.candidate.reset();
  TRY(Save());
  return put;
}

Result<void> AciService::Delete(const AciPlace& place, bool wait) {
  const std::string doing = "delete container group " + place.name;
  const http::Response response =
      TRY(config_.client.Send({.method = "DELETE", .path = AciPath(place), .doing = doing}));
  if (response.status == kNotFound) return {};
  if (response.status >= 400) {
    const auto json = ParseJson(response.body);
    std::string code, message;
    if (json && json->is_object() && json->contains("error")) {
      code = TRY(GetStringOr(json->at("error"), "code", ""));
      message = TRY(GetStringOr(json->at("error"), "message", ""));
    }
    return AciError(doing, response.status, code, message);
  }
  const std::string operation = config_.client.OperationOf(response);
  if (!wait || operation.empty()) return {};
  const auto deadline = config_.clock.Steady() + config_.times.remove;
  while (true) {
    const AciOperation now = TRY(config_.client.Follow(doing, operation));
    if (now.error) return *now.error;
    if (now.status == "Succeeded") return {};
    if (config_.clock.Steady() >= deadline) {
      return CauseError("CloudBusy",
                        fmt::format("container group {} is still being deleted", place.name));
    }
    config_.clock.Sleep(config_.times.look);
  }
}

Result<AciState> AciService::Look(AciRevision& revision) {
  const std::string doing = "look at container group " + revision.place.name;
  if (!revision.operation.empty()) {
    const AciOperation operation = TRY(config_.client.Follow(doing, revision.operation));
    if (operation.error) return *operation.error;
    if (operation.status == "Succeeded") revision.operation.clear();
  }
  const http::Response response =
      TRY(config_.client.Must({.method = "GET", .path = AciPath(revision.place), .doing = doing}));
  return ReadAciGroup(TRY(ParseJson(response.body)));
}

Result<std::string> AciService::LogsOf(const AciPlace& place, std::int64_t lines) {
  const http::Response response = TRY(
      config_.client.Must({.method = "GET",
                           .path = AciPath(place, fmt::format("/containers/{}/logs", kAciContainer),
                                           fmt::format("&tail={}", lines)),
                           .doing = "read the log of container group " + place.name}));
  const Json json = TRY(ParseJson(response.body));
  return GetStringOr(json, "content", "");
}

Result<void> AciService::FailCandidate(AciTrouble trouble) {
  const AciRevision candidate = *record_.candidate;
  if (const auto text = LogsOf(candidate.place, kLinesLookedAt); text && !text->empty()) {
    trouble.log_line = LineThatMatters(*text);
    CorrectStartFailure(*text, trouble.cause, trouble.detail);
    TRY(WriteFileAtomic(config_.log, *text));
  }
  log::Warn("revision refused", {{"service", record_.key.service},
                                 {"revision", candidate.revision},
                                 {"cause", trouble.cause},
                                 {"detail", trouble.detail}});
  record_.refused = std::move(trouble);
  const bool in_place = record_.current && record_.current->place.name == candidate.place.name;
  record_.candidate.reset();
  if (in_place) record_.current->spec.clear();
  TRY(Save());
  return in_place ? Result<void>() : Delete(candidate.place, false);
}

Result<void> AciService::TakeOver(const AciState& state) {
  if (record_.current && record_.current->place.name != record_.candidate->place.name) {
    record_.draining.push_back(*record_.current);
    record_.draining.back().retired = FormatTime(config_.clock.Now());
  }
  record_.current = std::move(record_.candidate);
  record_.candidate.reset();
  record_.endpoint = state.endpoint;
  return Save();
}

Result<Observed> AciService::JudgeCandidate() {
  Observed observed{.phase = Phase::kPending};
  auto looked = Look(*record_.candidate);
  if (!looked) {
    const Error& error = looked.error();
    const bool transient = error.code == Code::kUnavailable ||
                           error.code == Code::kResourceExhausted ||
                           error.code == Code::kPermissionDenied;
    const bool is_capacity = error.id == "Service.NoCapacity" || error.id == "Service.CloudQuota";
    if (transient && !is_capacity) return error;
    TRY(FailCandidate({.cause = error.id.substr(error.id.find('.') + 1),
                       .detail = error.message,
                       .log_line = {}}));
    return observed;
  }
  const AciState& state = *looked;
  if (state.final || state.cause == "OOMKilled") {
    TRY(FailCandidate({.cause = state.cause, .detail = state.detail, .log_line = {}}));
    return observed;
  }
  observed.cause = state.cause;
  observed.detail =
      state.detail.empty()
          ? fmt::format("container group {} is {}{}", record_.candidate->place.name,
                        state.provisioning.empty() ? "not there yet" : state.provisioning,
                        state.container.empty() ? "" : ", its container " + state.container)
          : state.detail;
  const bool made = state.provisioning == "Succeeded" && record_.candidate->operation.empty();
  if (!made || state.endpoint.empty() || state.container != "Running") return observed;
  const ProbeResult probe = Probe(config_.probes, state.endpoint);
  if (probe.state == ProbeResult::State::kReady) {
    TRY(TakeOver(state));
  } else if (probe.state == ProbeResult::State::kWrong) {
    TRY(FailCandidate({.cause = "WrongAnswers", .detail = probe.detail, .log_line = {}}));
  } else {
    observed.detail = probe.detail;
  }
  return observed;
}

Result<Observed> AciService::JudgeCurrent() {
  Observed observed{.phase = Phase::kUnhealthy};
  const AciState state = TRY(Look(*record_.current));
  observed.restarts = state.restarts;
  observed.cause = state.cause;
  observed.detail = state.detail;
  if (state.final) observed.phase = Phase::kFailed;
  if (!state.endpoint.empty()) record_.endpoint = state.endpoint;
  if (!state.cause.empty()) {
    if (const auto text = LogsOf(record_.current->place, kLinesLookedAt)) {
      observed.log_line = LineThatMatters(*text);
      CorrectStartFailure(*text, observed.cause, observed.detail);
    }
    return observed;
  }
  const ProbeResult probe = Probe(config_.probes, record_.endpoint);
  observed.detail = probe.detail;
  if (probe.state == ProbeResult::State::kReady) {
    observed.phase = Phase::kHealthy;
    observed.cause.clear();
  } else {
    observed.cause = probe.state == ProbeResult::State::kWrong ? "WrongAnswers" : "NotReady";
  }
  return observed;
}

Result<Observed> AciService::Judge() {
  Observed observed;
  if (record_.candidate) observed = TRY(JudgeCandidate());
  if (!record_.candidate && record_.refused) {
    observed = {.phase = Phase::kFailed,
                .cause = record_.refused->cause,
                .detail = record_.refused->detail,
                .log_line = record_.refused->log_line};
  } else if (!record_.candidate && record_.current) {
    observed = TRY(JudgeCurrent());
  }
  observed.endpoint = record_.endpoint;
  observed.revision = record_.current ? record_.current->revision : 0;
  return observed;
}

Result<Observed> AciService::Observe() {
  const std::lock_guard lock(mutex_);
  if (config_.clock.Steady() < look_again_) return seen_;
  seen_ = TRY(Judge());
  look_again_ = config_.clock.Steady() + config_.times.look;
  return seen_;
}

Result<std::string> AciService::Logs(std::int64_t lines) {
  const std::lock_guard lock(mutex_);
  if (record_.refused) return TailLog(config_.log, lines);
  const auto& shown = record_.candidate ? record_.candidate : record_.current;
  if (!shown) return std::string();
  return LogsOf(shown->place, lines);
}

Result<void> AciService::Remove() {
  const std::lock_guard lock(mutex_);
  record_.removed = true;
  TRY(Save());
  std::vector<AciRevision> all = record_.draining;
  if (record_.candidate) all.push_back(*record_.candidate);
  if (record_.current) all.push_back(*record_.current);
  for (const AciRevision& revision : all) TRY(Delete(revision.place, true));
  TRY(RemoveTree(config_.log));
  return RemoveTree(config_.record);
}

void AciService::Tend() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || record_.removed || record_.draining.empty()) return;
  const AciRevision old = record_.draining.front();
  const auto retired = ParseTime(old.retired);
  if (retired && config_.clock.Now() - *retired < config_.times.drain) return;
  const auto deleted = Delete(old.place, false);
  if (!deleted) {
    log::Warn("container group not deleted",
              {{"group", old.place.name}, {"why", deleted.error().message}});
    record_.draining.front().retired = FormatTime(config_.clock.Now());
    return;
  }
  record_.draining.erase(record_.draining.begin());
  if (auto saved = Save(); !saved) log::Warn("record", {{"why", saved.error().message}});
}

}  // namespace slipway::deployer
