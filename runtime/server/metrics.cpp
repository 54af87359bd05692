// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/metrics.h"

#include <fmt/format.h>

#include "runtime/server/process_metrics.h"

namespace slipway::server {
namespace {

double Seconds(Metrics::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string Escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string Label(std::string_view name, std::string_view value) {
  return fmt::format("{}=\"{}\"", name, Escape(value));
}

void Describe(std::string_view name, std::string_view type, std::string_view help,
              std::string& out) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

}  // namespace

void Metrics::Histogram::Add(double seconds) {
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= kBounds[i]) ++buckets[i];
  }
  ++count;
  sum += seconds;
}

void Metrics::Histogram::Write(std::string_view name, const std::string& label,
                               std::string& out) const {
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    out += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, label, kBounds[i], buckets[i]);
  }
  out += fmt::format("{}_bucket{{{},le=\"+Inf\"}} {}\n", name, label, count);
  out += fmt::format("{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, label, sum, name, label, count);
}

void Metrics::WriteAll(std::string_view name, std::string_view help, std::string_view label,
                       const Histograms& histograms, std::string& out) {
  Describe(name, "histogram", help, out);
  for (const auto& [value, histogram] : histograms) {
    histogram.Write(name, Label(label, value), out);
  }
}

void Metrics::RequestEnded(std::string_view route, int status, Duration took) {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  ++requests_[{std::string(route), status}];
  latency_.try_emplace(std::string(route)).first->second.Add(Seconds(took));
}

void Metrics::RunEnded(std::string_view model, Duration took) {
  const std::lock_guard lock(mutex_);
  runs_.try_emplace(std::string(model)).first->second.Add(Seconds(took));
}

void Metrics::QueueEnded(Duration took) {
  const std::lock_guard lock(mutex_);
  queue_.try_emplace("/score").first->second.Add(Seconds(took));
}

void Metrics::ModelLoaded(std::string_view model, Duration took) {
  const std::lock_guard lock(mutex_);
  load_seconds_[std::string(model)] = Seconds(took);
}

std::string Metrics::Text() const {
  std::string out;
  const std::lock_guard lock(mutex_);
  Describe("slipway_requests_total", "counter", "Requests answered.", out);
  for (const auto& [key, count] : requests_) {
    out += fmt::format("slipway_requests_total{{{},status=\"{}\"}} {}\n", Label("route", key.first),
                       key.second, count);
  }
  WriteAll("slipway_request_seconds", "Time from a request's last byte to its answer.", "route",
           latency_, out);
  WriteAll("slipway_run_seconds", "Time the model ran.", "model", runs_, out);
  if (!queue_.empty()) {
    WriteAll("slipway_queue_seconds", "Time a request waited for a worker.", "route", queue_, out);
  }
  Describe("slipway_requests_in_flight", "gauge", "Requests being answered now.", out);
  out += fmt::format("slipway_requests_in_flight {}\n", in_flight_.load());
  Describe("slipway_model_load_seconds", "gauge", "Time it took to load the model.", out);
  for (const auto& [model, seconds] : load_seconds_) {
    out += fmt::format("slipway_model_load_seconds{{{}}} {}\n", Label("model", model), seconds);
  }
  return out + ProcessMetricsText();
}

}  // namespace slipway::server
