// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"
#include "runtime/server/config.h"
#include "runtime/server/light.h"
#include "runtime/server/metrics.h"
#include "runtime/tuning.h"

namespace slipway::server {

/// A model that is loaded and can be asked. Owned by the Scorer; never changes.
struct ServedModel {
  std::string name, version;
  std::filesystem::path file;
  std::unique_ptr<runtime::Session> session;
  LightSession light = {};
  const runtime::Model& model() const { return session->model(); }
  /// The session that runs such a request.
  runtime::Session& SessionFor(const runtime::Feeds& feeds) const;
};

struct ScorerOptions {
  std::vector<ModelConfig> models;
  int threads = 0;  ///< cores to use; 0: all this process may use
  /// Runs beyond `threads` at a time wait; beyond this many waiting, the answer is kUnavailable.
  int waiting_max = 256;
  /// A request that takes longer, waiting included, gets an error: while it waits at once, while
  /// it runs some tens of milliseconds later (runtime::RunLimits). Nothing: no bound.
  std::optional<std::chrono::milliseconds> timeout = {};
  /// The same of a run alone, from when its turn comes; golden samples keep to it too.
  std::optional<std::chrono::milliseconds> time_limit = {};
  /// Of each model, its weights and all runs at a time (runtime::SessionLimits::memory_bytes); 0:
  /// what this process may use.
  std::int64_t memory_bytes = 0;
  runtime::Precision precision = runtime::Precision::kFloat32;  ///< of each model's products
  runtime::TuneOptions tune = {};                               ///< choices lie beside each model
  Environment environment = {};
};

enum class Readiness : std::uint8_t {
  kLoading,   ///< models are being read
  kChecking,  ///< answers requests; golden samples are being compared
  kReady,
  kWrong,  ///< a golden sample was not reproduced: final
  kFailed  ///< a model could not be loaded: final
};
struct ReadyState {
  Readiness readiness = Readiness::kLoading;
  std::string detail;  ///< one line for people
};

/// Loads models once and runs them for requests, a bounded number at a time. Thread-safe.
class Scorer {
 public:
  explicit Scorer(ScorerOptions options);
  ~Scorer();
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;

  /// Loads every model; call once. Requests that come meanwhile wait.
  Result<void> Load();
  /// Compares the answers with the golden samples beside each model (`test_data_set_*`), which
  /// decides readiness; call once, after Load.
  Result<void> CheckGolden();
  /// Gives up runs that are still waiting.
  void Stop();

  ReadyState ready() const;

  /// Waits until the models are loaded. An empty version: the newest listed; an empty name: the
  /// only model. kNotFound (id `Model.NotFound`) naming the models there are.
  Result<const ServedModel*> Find(std::string_view name, std::string_view version);
  /// Every model; empty until loaded.
  std::span<const ServedModel> models() const;

  struct Outcome {
    std::vector<runtime::Value> values;
    double run_ms = 0;
  };
  /// Runs the model when it is its turn. kUnavailable (id `Server.Busy`), kDeadlineExceeded (id
  /// `Scoring.Timeout`), and what Session::Run says.
  Result<Outcome> Run(const ServedModel& model, const runtime::Feeds& feeds,
                      const std::vector<std::string>& outputs);

  /// Whether a run that is asked for now is likely to begin at once and to end in less time than
  /// another thread takes to wake.
  bool IsQuick() const;
  /// How many runs there are at a time.
  int slots() const { return slots_; }

  Metrics& metrics() { return metrics_; }
  const Environment& environment() const { return options_.environment; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  Result<void> LoadOne(const ModelConfig& config);
  Result<void> Enter(std::optional<Time> deadline);
  void Leave();
  Result<Outcome> RunNow(const ServedModel& model, const runtime::Feeds& feeds,
                         const std::vector<std::string>& outputs, std::optional<Time> deadline);
  void NoteRunTime(Time::duration took);
  void SetReady(Readiness readiness, std::string detail);

  const ScorerOptions options_;
  const int slots_;
  Metrics metrics_;
  std::atomic<Time::duration> run_time_;  // a moving average
  std::vector<ServedModel> models_;       // written by Load before readiness leaves kLoading
  mutable std::mutex mutex_;              // guards what follows
  mutable std::condition_variable changed_;
  ReadyState ready_;
  int running_ = 0, waiting_ = 0;
  bool stopping_ = false;
};

}  // namespace slipway::server
