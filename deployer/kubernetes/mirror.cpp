// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/http/retry.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "deployer/kubernetes/json.h"

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;

constexpr int kGone = 410;
constexpr int kFailuresBeforeWord = 3;
constexpr std::size_t kObjectsMax = limits::kPageItems * 10;
constexpr std::int64_t kRetryAfterSecondsMax = 300;
constexpr std::chrono::seconds kRetryAfterMax{kRetryAfterSecondsMax};

Error Ended(std::string why) {
  return {.code = Code::kUnavailable, .message = std::move(why), .id = "Watch.Ended"};
}

/// Without what only the server needs, which may be half of it.
KubeObjectPtr Kept(Json object) {
  if (object["metadata"].is_object()) object["metadata"].erase("managedFields");
  return std::make_shared<const Json>(std::move(object));
}

std::string UidOf(const Json& object) { return KubeText(KubeAt(object, {"metadata"}), "uid"); }

std::string VersionOf(const Json& object) {
  return KubeText(KubeAt(object, {"metadata"}), "resourceVersion");
}

}  // namespace

void KubeBell::Ring() {
  {
    const std::lock_guard lock(mutex_);
    ++rung_;
  }
  wake_.notify_all();
}

std::uint64_t KubeBell::rung() const {
  const std::lock_guard lock(mutex_);
  return rung_;
}

void KubeBell::Wait(std::uint64_t seen, milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, timeout, [this, seen] { return rung_ != seen; });
}

KubeMirror::KubeMirror(std::shared_ptr<KubeClient> client, KubeCollection collection,
                       KubeBell& bell, KubeWatchTimes times)
    : client_(std::move(client)),
      collection_(std::move(collection)),
      bell_(bell),
      times_(times),
      asked_(std::chrono::steady_clock::now()),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

KubeMirror::~KubeMirror() = default;

void KubeMirror::AwaitStart(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  NoteAsked();
  wake_.wait_for(lock, timeout, [this] { return started_; });
}

std::optional<std::vector<KubeObjectPtr>> KubeMirror::All() {
  const std::lock_guard lock(mutex_);
  NoteAsked();
  if (!IsSure()) return std::nullopt;
  std::vector<KubeObjectPtr> all;
  for (const auto& [name, object] : objects_) {
    if (!IsMet(name, object)) return std::nullopt;
    all.push_back(object);
  }
  return all;
}

std::optional<KubeObjectPtr> KubeMirror::Find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  NoteAsked();
  if (!IsSure()) return std::nullopt;
  const auto found = objects_.find(name);
  KubeObjectPtr object = found == objects_.end() ? nullptr : found->second;
  if (const auto expected = expected_.find(name); expected != expected_.end()) {
    const std::string& gone = expected->second.gone_uid;
    if (!gone.empty() && object && UidOf(*object) == gone) return KubeObjectPtr();
    if (!IsMet(name, object)) return std::nullopt;
  }
  return object;
}

std::optional<bool> KubeMirror::Has(const std::string& name) {
  const std::lock_guard lock(mutex_);
  NoteAsked();
  if (!IsSure()) return std::nullopt;
  return objects_.contains(name);
}

std::optional<milliseconds> KubeMirror::Quiet() {
  const std::lock_guard lock(mutex_);
  if (!IsSure()) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - heard_);
}

void KubeMirror::Expect(const std::string& name, const std::string& resource_version) {
  const std::lock_guard lock(mutex_);
  expected_[name] = {
      .resource_version = resource_version, .gone_uid = {}, .number = ++expectations_};
}

void KubeMirror::ExpectGone(const std::string& name, const std::string& uid) {
  const std::lock_guard lock(mutex_);
  expected_[name] = {.resource_version = {}, .gone_uid = uid, .number = ++expectations_};
}

void KubeMirror::Doubt() {
  const std::lock_guard lock(mutex_);
  doubted_ = true;
  listed_ = false;
  under_way_.request_stop();
}

bool KubeMirror::IsSure() const {
  if (!listed_) return false;
  return open_ || std::chrono::steady_clock::now() - lost_ < times_.grace;
}

bool KubeMirror::IsMet(const std::string& name, const KubeObjectPtr& object) const {
  const auto expected = expected_.find(name);
  if (expected == expected_.end() || expected->second.resource_version.empty()) return true;
  return object && KubeIsAtLeast(VersionOf(*object), expected->second.resource_version);
}

void KubeMirror::NoteAsked() {
  if (Unasked()) wake_.notify_all();
  asked_ = std::chrono::steady_clock::now();
}

bool KubeMirror::Unasked() const {
  return std::chrono::steady_clock::now() - asked_ >= times_.unasked;
}

void KubeMirror::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Park(stop);
    std::stop_source attempt;
    bool listed = false;
    {
      const std::lock_guard lock(mutex_);
      under_way_ = attempt;
      doubted_ = false;
      listed = listed_;
    }
    const std::stop_callback end(stop, [&attempt] { attempt.request_stop(); });
    const Outcome outcome = listed ? WatchOnce(attempt.get_token()) : ListOnce(attempt.get_token());
    if (stop.stop_requested()) break;
    Sleep(stop, Judge(outcome));
  }
}

void KubeMirror::Park(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!Unasked()) return;
  listed_ = false;
  objects_.clear();
  wake_.wait(lock, stop, [this] { return !Unasked(); });
}

milliseconds KubeMirror::Jitter(milliseconds pause) {
  std::uniform_int_distribution<std::int64_t> share(pause.count() / 2, pause.count());
  return milliseconds(share(random_));
}

void KubeMirror::Sleep(const std::stop_token& stop, milliseconds pause) {
  if (pause.count() <= 0) return;
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, pause, [] { return false; });
}

KubeMirror::Outcome KubeMirror::ListOnce(const std::stop_token& stop) {
  std::uint64_t expected = 0;
  {
    const std::lock_guard lock(mutex_);
    expected = expectations_;
  }
  KubeAttempt attempt{.stop = stop};
  auto listing =
      client_->ListAt("list the " + collection_.what, collection_.path, collection_.query, attempt);
  Outcome outcome{.retry_after = attempt.retry_after};
  if (!listing) {
    const Error& error = listing.error();
    outcome.refused = error.code == Code::kPermissionDenied || error.code == Code::kNotFound ||
                      error.code == Code::kResourceExhausted;
    outcome.refused = outcome.refused && error.id != "Service.Unauthorized";
    outcome.why = error.message;
    outcome.fix = error.fix;
  } else if (listing->resource_version.empty()) {
    outcome.why = "the list of the " + collection_.what + " has no resource version";
  } else {
    outcome.end = End::kGoesOn;
    Replace(*std::move(listing), expected);
    bell_.Ring();
  }
  return outcome;
}

void KubeMirror::Replace(KubeListing listing, std::uint64_t expected) {
  std::map<std::string, KubeObjectPtr> objects;
  for (Json& item : listing.items) {
    std::string name = KubeText(KubeAt(item, {"metadata"}), "name");
    if (!name.empty()) objects[std::move(name)] = Kept(std::move(item));
  }
  const std::lock_guard lock(mutex_);
  objects_ = std::move(objects);
  resource_version_ = std::move(listing.resource_version);
  std::erase_if(expected_, [expected](const auto& one) { return one.second.number <= expected; });
  listed_ = !doubted_;
  heard_ = lost_ = std::chrono::steady_clock::now();
}

void KubeMirror::TakeError(const Json& status, Outcome& outcome) {
  const std::int64_t code = KubeInt(status, "code", 0);
  outcome.relist = code == kGone || KubeText(status, "reason") == "Expired";
  outcome.why = KubeLine(KubeText(status, "message"));
  if (outcome.why.empty()) outcome.why = fmt::format("the server ends it with code {}", code);
  const std::int64_t seconds = KubeInt(KubeAt(status, {"details"}), "retryAfterSeconds", 0);
  if (seconds > 0) {
    outcome.retry_after = std::chrono::seconds(std::min(seconds, kRetryAfterSecondsMax));
  }
}

Result<void> KubeMirror::Take(KubeEvent event, Outcome& outcome) {
  if (event.type == KubeEvent::Type::kError) {
    TakeError(event.object, outcome);
    return Ended(outcome.why);
  }
  outcome.end = End::kWell;
  std::string version = VersionOf(event.object);
  const std::string name = KubeText(KubeAt(event.object, {"metadata"}), "name");
  std::unique_lock lock(mutex_);
  heard_ = std::chrono::steady_clock::now();
  resource_version_ = version;
  if (event.type == KubeEvent::Type::kBookmark) return {};
  if (event.type == KubeEvent::Type::kPut) {
    objects_[name] = Kept(std::move(event.object));
    if (objects_.size() > kObjectsMax) {
      outcome.relist = outcome.refused = true;
      outcome.why = fmt::format("there are more than {} {}", kObjectsMax, collection_.what);
      return Ended(outcome.why);
    }
  } else {
    objects_.erase(name);
    const auto expected = expected_.find(name);
    const bool met =
        expected != expected_.end() && (expected->second.gone_uid == UidOf(event.object) ||
                                        KubeIsAtLeast(version, expected->second.resource_version));
    if (met) expected_.erase(expected);
  }
  lock.unlock();
  bell_.Ring();
  return {};
}

std::string KubeMirror::WatchQuery() {
  const auto served = std::chrono::duration_cast<std::chrono::seconds>(Jitter(times_.served));
  const std::lock_guard lock(mutex_);
  return fmt::format("{}{}allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
                     collection_.query, collection_.query.empty() ? "" : "&",
                     std::max<std::int64_t>(served.count(), 1), EncodePercent(resource_version_));
}

http::StreamOptions KubeMirror::Options(const std::stop_token& stop, bool& opened) {
  return {.stall_timeout = times_.silence, .stop = stop, .opened = [this, &opened] {
            opened = true;
            const std::lock_guard lock(mutex_);
            open_ = true;
            heard_ = std::chrono::steady_clock::now();
          }};
}

KubeMirror::Outcome KubeMirror::WatchOnce(const std::stop_token& stop) {
  const std::string doing = "watch the " + collection_.what;
  Outcome outcome;
  bool opened = false;
  KubeEventLines lines(
      [this, &outcome](KubeEvent event) { return Take(std::move(event), outcome); });
  const http::Sink sink = [&lines, &outcome](std::span<const std::byte> bytes) {
    auto added = lines.Add(bytes);
    if (!added && added.error().id == "Watch.Malformed") {
      outcome = {.relist = true, .why = added.error().message};
    }
    return added;
  };
  const auto began = std::chrono::steady_clock::now();
  const auto response =
      client_->Watch(doing, collection_.path, WatchQuery(), sink, Options(stop, opened));
  const auto ended = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (open_) lost_ = ended;
    open_ = false;
  }
  if (response && response->status >= 300) {
    const int status = response->status;
    const Error error = KubeStatusError(doing, status, response->body);
    return {.relist = status == kGone || status == 400,
            .refused = status == 403 || status == 404 || status == 405,
            .retry_after =
                http::ParseRetryAfter(response->headers.Get("Retry-After"), SystemClock().Now()),
            .why = error.message,
            .fix = error.fix};
  }
  const bool told = !outcome.why.empty();
  outcome.at_once = ended - began < times_.first_pause;
  if (!told && opened && !outcome.at_once) outcome.end = End::kWell;
  if (!told) outcome.why = response ? "the watch ends at once" : response.error().message;
  return outcome;
}

milliseconds KubeMirror::Judge(const Outcome& outcome) {
  bool tell = false;
  milliseconds pause{0};
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
    if (outcome.relist || outcome.refused) listed_ = false;
    if (outcome.end == End::kFailed && !doubted_) {
      ++failures_;
      const milliseconds longest = outcome.refused ? times_.refused_pause : times_.longest_pause;
      pause = times_.first_pause;
      for (int i = 1; i < failures_ && pause < longest; ++i) pause *= 2;
      pause = Jitter(std::min(pause, longest));
      tell = !told_ && (outcome.refused || failures_ >= kFailuresBeforeWord);
      told_ = told_ || tell;
    } else if (outcome.at_once && !doubted_) {
      pause = Jitter(times_.first_pause);
    } else if (outcome.end == End::kWell) {
      failures_ = 0;
      told_ = false;
    }
    if (outcome.retry_after && !doubted_) {
      pause = std::max(pause, std::min<milliseconds>(*outcome.retry_after, kRetryAfterMax));
    }
  }
  wake_.notify_all();
  if (tell) {
    log::Warn("the cluster's changes cannot be watched, it is asked instead",
              {{"what", collection_.what}, {"why", outcome.why}, {"fix", outcome.fix}});
  }
  return pause;
}

}  // namespace slipway::deployer
