// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "runtime/runtime.h"

/// Kernels chosen by measuring, where by default they follow from shapes and the kind of processor
/// alone. What was measured is kept; the same choices give the same bits.
namespace slipway::runtime {

/// The kernel that was the quickest for nodes of one kind.
struct MeasuredKernel {
  std::string kernel;
  std::map<std::string, double> microseconds = {};  ///< of one run, by kernel
  bool operator==(const MeasuredKernel&) const = default;
};

/// What was measured, by machine (processor, instruction sets, build) and kind of node (operator,
/// types, shapes, attributes, threads, accuracy). Thread-safe.
class MeasuredKernels {
 public:
  /// Of the machine this runs on, unless another is named.
  explicit MeasuredKernels(std::string machine = ThisMachine());
  static std::string ThisMachine();

  std::optional<MeasuredKernel> Find(const std::string& node) const;
  void Add(const std::string& node, MeasuredKernel measured);
  /// How many kinds of node are known of this machine.
  std::size_t size() const;
  /// Whether something was added that SaveMeasured has not written.
  bool changed() const;

  /// All machines as JSON.
  std::string Text() const;
  /// Adds what such text says and is not known yet. kInvalidArgument (id `Choices.Invalid`) where
  /// it is no such text; nothing is added then.
  Result<void> AddText(std::string_view text);

 private:
  friend Result<void> SaveMeasured(const std::filesystem::path& file, MeasuredKernels& measured);
  using Nodes = std::map<std::string, MeasuredKernel>;
  std::string TextLocked() const;

  std::string machine_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Nodes> machines_;
  bool changed_ = false;
};

/// `model.choices.json` beside `model.onnx`.
std::filesystem::path ChoicesFileOf(const std::filesystem::path& model);
/// What a file holds; nothing where there is no such file. kInvalidArgument (id `Choices.Invalid`)
/// for one that is damaged or too large, naming it.
Result<std::shared_ptr<MeasuredKernels>> ReadMeasured(const std::filesystem::path& file);
/// Writes what was added since, whole or not at all; what another process wrote there meanwhile
/// stays. Damaged choices are replaced; kFailedPrecondition (id `Choices.Invalid`) where the file
/// is of another kind, such as a model.
Result<void> SaveMeasured(const std::filesystem::path& file, MeasuredKernels& measured);

/// How a session has its kernels chosen.
struct Tuning {
  /// Read, and what is measured is added; null: kernels by rule.
  std::shared_ptr<MeasuredKernels> measured = {};
  /// Of measuring, for all shapes of the session together; 0: nothing is measured. It is looked at
  /// between runs of kernels: the last one may end after it.
  std::chrono::milliseconds budget{0};
  Clock* clock = nullptr;  ///< outlives the session; null: the machine's
};

/// Session::Create with `tuning`. Nodes are measured here for one item where the model's inputs are
/// open in their first dimension alone, and else when the first inputs of a shape come.
Result<std::unique_ptr<Session>> CreateSession(const Model& model, const SessionOptions& options,
                                               const Tuning& tuning, const RunLimits& limits = {});

/// Where the choices of a model's file are kept, and whether there are to be more.
struct TuneOptions {
  std::filesystem::path file = {};      ///< empty: ChoicesFileOf the model's file
  std::chrono::milliseconds budget{0};  ///< Tuning::budget
  bool deterministic = false;           ///< kernels by rule alone, whatever is stored
};

/// A session, and the file of its choices.
struct TunedSession {
  std::unique_ptr<Session> session;
  std::shared_ptr<MeasuredKernels> measured = {};  ///< null: kernels by rule alone
  std::filesystem::path file = {};
  std::string warning = {};  ///< one line where choices cannot be read or kept, else empty

  /// Writes what was measured since, if anything was and there is a file for it.
  Result<void> Save() const;
};

/// CreateSession with the choices that are stored for `model_file`, which may be empty: then they
/// are in `tune.file`, or nowhere. What is measured here is stored. A file that cannot be read or
/// written is a warning.
Result<TunedSession> OpenTuned(const Model& model, const std::filesystem::path& model_file,
                               const SessionOptions& options, const TuneOptions& tune,
                               const RunLimits& limits = {});

}  // namespace slipway::runtime
