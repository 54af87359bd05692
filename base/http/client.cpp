// SPDX-License-Identifier: Apache-2.0
#include "base/http/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "base/http/retry.h"
#include "base/http/transfer.h"

namespace slipway::http {
namespace {

constexpr std::size_t kIdleHandlesMax = 16;

void InitCurlOnce() {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
}

class CurlClient final : public Client {
 public:
  CurlClient(ClientOptions options, Clock& clock)
      : options_(std::move(options)), clock_(clock), random_(std::random_device()()) {}

  Result<Response> Send(const Request& request) override { return SendAll(request, nullptr); }
  Result<Response> Send(const Request& request, const Sink& sink) override {
    return SendAll(request, &sink);
  }
  Result<Response> Stream(const Request& request, const Sink& sink,
                          const StreamOptions& options) override;

 private:
  Result<Response> SendAll(const Request& request, const Sink* sink);
  std::chrono::milliseconds Jitter(std::chrono::milliseconds bound);
  std::unique_ptr<TransferHandle> Borrow();
  void GiveBack(std::unique_ptr<TransferHandle> handle);

  /// How long to wait before the next try; nothing if there is to be none.
  std::optional<std::chrono::milliseconds> NextWait(const Result<Response>& outcome, int number,
                                                    const TransferLimits& limits);

  const ClientOptions options_;
  Clock& clock_;
  std::mutex mutex_;  // guards random_ and idle_
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<TransferHandle>> idle_;
};

Result<Response> CurlClient::SendAll(const Request& request, const Sink* sink) {
  TransferLimits limits{.options = options_};
  if (options_.total_timeout.count() > 0) {
    limits.deadline = std::chrono::steady_clock::now() + options_.total_timeout;
  }
  const bool can_repeat = CanSendAgain(request);
  for (int number = 1;; ++number) {
    bool sink_used = false;
    std::unique_ptr<TransferHandle> handle = Borrow();
    Result<Response> outcome = handle->Send(request, sink, limits, sink_used);
    GiveBack(std::move(handle));
    if (!can_repeat || sink_used) return outcome;
    const std::optional<std::chrono::milliseconds> wait = NextWait(outcome, number, limits);
    if (!wait) return outcome;
    clock_.Sleep(*wait);
  }
}

Result<Response> CurlClient::Stream(const Request& request, const Sink& sink,
                                    const StreamOptions& options) {
  ClientOptions bounds = options_;
  bounds.stall_timeout = options.stall_timeout;
  bounds.total_timeout = options.total_timeout;
  TransferLimits limits{.options = bounds, .stop = options.stop, .opened = options.opened};
  if (bounds.total_timeout.count() > 0) {
    limits.deadline = std::chrono::steady_clock::now() + bounds.total_timeout;
  }
  bool sink_used = false;
  std::unique_ptr<TransferHandle> handle = Borrow();
  Result<Response> outcome = handle->Send(request, &sink, limits, sink_used);
  GiveBack(std::move(handle));
  return outcome;
}

std::optional<std::chrono::milliseconds> CurlClient::NextWait(const Result<Response>& outcome,
                                                              int number,
                                                              const TransferLimits& limits) {
  if (number > options_.retries || !IsWorthAnotherTry(outcome)) return std::nullopt;
  std::chrono::milliseconds wait = Jitter(BackoffBound(options_, number));
  if (outcome) {
    const auto asked = ParseRetryAfter(outcome->headers.Get("Retry-After"), clock_.Now());
    if (asked && *asked > options_.backoff_max) return std::nullopt;
    if (asked) wait = std::max(wait, *asked);
  }
  if (limits.deadline && std::chrono::steady_clock::now() + wait >= *limits.deadline) {
    return std::nullopt;
  }
  return wait;
}

std::chrono::milliseconds CurlClient::Jitter(std::chrono::milliseconds bound) {
  const std::lock_guard lock(mutex_);
  std::uniform_int_distribution<std::int64_t> wait(0, std::max<std::int64_t>(bound.count(), 0));
  return std::chrono::milliseconds(wait(random_));
}

std::unique_ptr<TransferHandle> CurlClient::Borrow() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<TransferHandle>();
  std::unique_ptr<TransferHandle> handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void CurlClient::GiveBack(std::unique_ptr<TransferHandle> handle) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleHandlesMax) idle_.push_back(std::move(handle));
}

}  // namespace

std::unique_ptr<Client> MakeClient(ClientOptions options, Clock& clock) {
  InitCurlOnce();
  return std::make_unique<CurlClient>(std::move(options), clock);
}

}  // namespace slipway::http
