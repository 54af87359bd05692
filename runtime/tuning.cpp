// SPDX-License-Identifier: Apache-2.0
#include "runtime/tuning.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "runtime/device/processor.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::int64_t kMostBytes = 16 << 20;
constexpr double kMostMicroseconds = 1e12;

Error Broken(std::string why) {
  return {.code = Code::kInvalidArgument, .message = std::move(why)};
}

/// The error of what holds no choices that can be read.
Error Unreadable(Error error) {
  error.code = Code::kInvalidArgument;
  error.id = "Choices.Invalid";
  error.fix = "delete the file, and measure again with --tune";
  return error;
}

Result<MeasuredKernel> ReadKernel(const Json& json) {
  TRY(OnlyKnownFields(json, {"kernel", "us"}));
  MeasuredKernel measured;
  measured.kernel = TRY(GetString(json, "kernel"));
  const auto times = json.find("us");
  if (times == json.end()) return measured;
  if (!times->is_object()) return Broken("member `us` is no object");
  for (const auto& [kernel, time] : times->items()) {
    if (!time.is_number()) return Broken("a time is no number");
    const auto microseconds = time.get<double>();
    if (!(microseconds >= 0 && microseconds <= kMostMicroseconds)) {
      return Broken(fmt::format("a time is {} microseconds", microseconds));
    }
    measured.microseconds.emplace(kernel, microseconds);
  }
  return measured;
}

Result<std::map<std::string, std::map<std::string, MeasuredKernel>>> ReadMachines(
    std::string_view text) {
  const Json json = TRY(ParseJson(text));
  if (!json.is_object()) return Broken("choices of kernels are no object");
  const std::int64_t format = TRY(GetInt(json, "format"));
  if (format != kFormat) {
    return Broken(fmt::format("format {} of choices, this build reads {}", format, kFormat));
  }
  TRY(OnlyKnownFields(json, {"format", "machines"}));
  const auto machines = json.find("machines");
  if (machines == json.end() || !machines->is_object()) {
    return Broken("member `machines` is no object");
  }
  std::map<std::string, std::map<std::string, MeasuredKernel>> read;
  for (const auto& [machine, nodes] : machines->items()) {
    if (!nodes.is_object()) return Broken("a machine is no object");
    for (const auto& [node, measured] : nodes.items()) {
      read[machine].emplace(node, TRY(ReadKernel(measured)));
    }
  }
  return read;
}

Json ToJson(const MeasuredKernel& measured) {
  Json times = Json::object();
  for (const auto& [kernel, time] : measured.microseconds) {
    times[kernel] = std::round(time * 100) / 100;
  }
  return {{"kernel", measured.kernel}, {"us", std::move(times)}};
}

}  // namespace

MeasuredKernels::MeasuredKernels(std::string machine) : machine_(std::move(machine)) {}

std::string MeasuredKernels::ThisMachine() {
  return fmt::format("{}, slipway {}", ProcessorName(), SLIPWAY_VERSION);
}

std::optional<MeasuredKernel> MeasuredKernels::Find(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  const auto machine = machines_.find(machine_);
  if (machine == machines_.end()) return std::nullopt;
  const auto found = machine->second.find(node);
  if (found == machine->second.end()) return std::nullopt;
  return found->second;
}

void MeasuredKernels::Add(const std::string& node, MeasuredKernel measured) {
  const std::lock_guard lock(mutex_);
  machines_[machine_][node] = std::move(measured);
  changed_ = true;
}

std::size_t MeasuredKernels::size() const {
  const std::lock_guard lock(mutex_);
  const auto machine = machines_.find(machine_);
  return machine == machines_.end() ? 0 : machine->second.size();
}

bool MeasuredKernels::changed() const {
  const std::lock_guard lock(mutex_);
  return changed_;
}

std::string MeasuredKernels::TextLocked() const {
  Json machines = Json::object();
  for (const auto& [machine, nodes] : machines_) {
    Json& all = machines[machine] = Json::object();
    for (const auto& [node, measured] : nodes) all[node] = ToJson(measured);
  }
  return DumpJson(Json{{"format", kFormat}, {"machines", std::move(machines)}}, 1) + "\n";
}

std::string MeasuredKernels::Text() const {
  const std::lock_guard lock(mutex_);
  return TextLocked();
}

Result<void> MeasuredKernels::AddText(std::string_view text) {
  auto read = ReadMachines(text);
  if (!read) return Unreadable(std::move(read).error());
  const std::lock_guard lock(mutex_);
  for (auto& [machine, nodes] : *read) machines_[machine].merge(nodes);
  return {};
}

std::filesystem::path ChoicesFileOf(const std::filesystem::path& model) {
  std::filesystem::path file = model;
  return file.replace_extension(".choices.json");
}

Result<std::shared_ptr<MeasuredKernels>> ReadMeasured(const std::filesystem::path& file) {
  auto measured = std::make_shared<MeasuredKernels>();
  const auto text = ReadFile(file, kMostBytes);
  if (!text && text.error().code == Code::kNotFound) return measured;
  const Result<void> added = text ? measured->AddText(*text) : Result<void>(text.error());
  if (added) return measured;
  return Unreadable(Within(file.string(), added.error()));
}

Result<void> SaveMeasured(const std::filesystem::path& file, MeasuredKernels& measured) {
  if (!measured.changed()) return {};
  const auto known = ReadFile(file, kMostBytes);
  if (!known && known.error().code != Code::kNotFound) return known.error();
  if (known && !known->empty() && known->front() != '{') {
    return Error{.code = Code::kFailedPrecondition,
                 .message = file.string() + " holds no choices of kernels, and is left as it is",
                 .id = "Choices.Invalid",
                 .fix = "name another file"};
  }
  // What was cut off or damaged is replaced.
  if (known) static_cast<void>(measured.AddText(*known));
  std::string text;
  {
    const std::lock_guard lock(measured.mutex_);
    text = measured.TextLocked();
    measured.changed_ = false;
  }
  auto written = WriteFileAtomic(file, text);
  if (written) return {};
  const std::lock_guard lock(measured.mutex_);
  measured.changed_ = true;
  return written;
}

Result<void> TunedSession::Save() const {
  return measured == nullptr || file.empty() ? Result<void>() : SaveMeasured(file, *measured);
}

Result<TunedSession> OpenTuned(const Model& model, const std::filesystem::path& model_file,
                               const SessionOptions& options, const TuneOptions& tune,
                               const RunLimits& limits) {
  TunedSession tuned;
  tuned.warning = PrecisionWarning(options.precision);
  if (!tune.deterministic) {
    tuned.file = tune.file.empty() && !model_file.empty() ? ChoicesFileOf(model_file) : tune.file;
    tuned.measured = std::make_shared<MeasuredKernels>();
  }
  if (!tuned.file.empty()) {
    auto read = ReadMeasured(tuned.file);
    if (read) {
      tuned.measured = *std::move(read);
    } else {
      tuned.warning = read.error().message;
    }
  }
  const Tuning tuning{.measured = tuned.measured, .budget = tune.budget};
  tuned.session = TRY(CreateSession(model, options, tuning, limits));
  const auto saved = tuned.Save();
  if (!saved) tuned.warning = "choices of kernels are not kept: " + saved.error().message;
  return tuned;
}

}  // namespace slipway::runtime
