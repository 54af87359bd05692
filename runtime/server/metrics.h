// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace slipway::server {

/// Counts what the server did, written as Prometheus text (exposition format 0.0.4).
/// Thread-safe.
class Metrics {
 public:
  using Duration = std::chrono::steady_clock::duration;

  void RequestBegan() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  /// `route` is a route's pattern, never a path that a client chose.
  void RequestEnded(std::string_view route, int status, Duration took);
  void RunEnded(std::string_view model, Duration took);
  /// `took`: what a request waited for a worker.
  void QueueEnded(Duration took);
  void ModelLoaded(std::string_view model, Duration took);
  std::string Text() const;

 private:
  static constexpr std::array kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                         0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};
  struct Histogram {
    std::array<std::int64_t, kBounds.size()> buckets{};
    std::int64_t count = 0;
    double sum = 0;
    void Add(double seconds);
    void Write(std::string_view name, const std::string& label, std::string& out) const;
  };
  using Histograms = std::map<std::string, Histogram, std::less<>>;
  static void WriteAll(std::string_view name, std::string_view help, std::string_view label,
                       const Histograms& histograms, std::string& out);

  std::atomic<std::int64_t> in_flight_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::pair<std::string, int>, std::int64_t> requests_;
  Histograms latency_, runs_, queue_;
  std::map<std::string, double> load_seconds_;
};

}  // namespace slipway::server
