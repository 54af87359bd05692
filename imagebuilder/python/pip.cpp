// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/pip.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "imagebuilder/python/python_place.h"
#include "imagebuilder/python/requirement.h"
#include "imagebuilder/python/stand_ins.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using Kind = PipFailure::Kind;

constexpr std::size_t kVersionsShown = 6;

std::string Minor(const std::string& version) {
  const auto parts = Split(version, '.');
  return parts.size() > 1 ? parts[0] + "." + parts[1] : version;
}

/// The newest few, newest first.
std::string Newest(const std::vector<std::string>& versions) {
  std::vector<std::string> shown(versions.rbegin(), versions.rend());
  if (shown.size() > kVersionsShown) {
    shown.resize(kVersionsShown);
    shown.emplace_back("…");
  }
  return Join(shown, ", ");
}

Error Failed(Code code, const char* id, std::string message, std::string fix) {
  return {.code = code, .message = std::move(message), .id = id, .fix = std::move(fix)};
}

/// Versions in the output of `pip index versions`, wheels or not.
std::vector<std::string> AvailableVersions(std::string_view output) {
  std::vector<std::string> versions;
  for (const std::string& line : Split(output, '\n')) {
    if (!line.starts_with("Available versions:")) continue;
    for (const std::string& version : Split(line.substr(19), ',')) {
      if (!Trim(version).empty()) versions.emplace_back(Trim(version));
    }
  }
  return versions;
}

/// Why a requirement could not be met, told apart by asking the index for what is no wheel too.
Error NotFound(const Pip& pip, const PipFailure& failure, const std::vector<std::string>& options,
               std::string* source_only) {
  const std::string python = Minor(pip.python.version);
  std::string shown = failure.requirement;
  const auto requirement =
      ParseRequirement(failure.requirement.substr(0, failure.requirement.find(" (from")));
  const std::string name = requirement ? requirement->name : shown;
  const std::string specifier = requirement ? requirement->specifier : "";
  std::vector<std::string> arguments = {"index", "versions", name, "--no-binary", ":all:"};
  for (std::string& argument : IndexArguments(options)) arguments.push_back(std::move(argument));
  std::vector<std::string> sources;
  if (requirement) {
    if (const auto outcome = pip.Run(arguments)) sources = AvailableVersions(outcome->output);
  }
  const bool source_fits = std::ranges::any_of(sources, [&](const std::string& version) {
    const auto holds = Satisfies(version, specifier);
    return holds && *holds;
  });
  if (source_fits && source_only != nullptr) *source_only = name + specifier;
  if (source_fits) {
    return Failed(Code::kInvalidArgument, "Image.NoWheel",
                  fmt::format("{} has no wheel for Python {}, only source", shown, python),
                  failure.found.empty()
                      ? "put a wheel you built on an index and name it with --extra-index-url"
                      : fmt::format("these versions have one: {}", Newest(failure.found)));
  }
  if (!failure.found.empty() || !sources.empty()) {
    const auto& versions = failure.found.empty() ? sources : failure.found;
    return Failed(Code::kInvalidArgument, "Image.NoSuchVersion",
                  fmt::format("the index has no {} for Python {}", shown, python),
                  fmt::format("it has {}", Newest(versions)));
  }
  return Failed(Code::kInvalidArgument, "Image.NoSuchPackage",
                fmt::format("no index has a package {}", name),
                "check its spelling; conda and pip may call one thing differently");
}

std::string Lines(const std::vector<std::string>& lines) {
  return lines.empty() ? "" : Join(lines, "\n") + "\n";
}

}  // namespace

std::vector<std::string> IndexArguments(const std::vector<std::string>& options) {
  std::vector<std::string> arguments;
  for (const std::string& option : options) {
    for (const std::string& word : Split(option, ' ')) {
      if (!word.empty()) arguments.push_back(word);
    }
  }
  return arguments;
}

Error ExplainPipFailure(const Pip& pip, const CommandOutcome& outcome,
                        const std::vector<std::string>& options, std::string* source_only) {
  const PipFailure failure = ReadPipFailure(outcome.output);
  switch (failure.kind) {
    case Kind::kUnreachable:
      return Failed(Code::kUnavailable, "Image.IndexUnreachable",
                    fmt::format("the Python index could not be reached: {}", failure.detail),
                    "check the network, or name an index that can be reached with --index-url");
    case Kind::kDenied:
      return Failed(Code::kPermissionDenied, "Image.IndexDenied",
                    fmt::format("the Python index refused: {}", failure.detail),
                    "put its credentials into pip's own configuration or ~/.netrc");
    case Kind::kConflict:
      return Failed(Code::kInvalidArgument, "Image.Conflict",
                    fmt::format("the requirements exclude each other: {}", failure.detail),
                    "loosen one of the versions");
    case Kind::kNotFound:
      return NotFound(pip, failure, options, source_only);
    case Kind::kNoWheel:
    case Kind::kOther:
      break;
  }
  const bool lacks_distutils = failure.detail.find("'distutils") != std::string::npos;
  return Failed(Code::kInvalidArgument, "Image.Requirements",
                fmt::format("pip cannot resolve the requirements: {}", failure.detail),
                lacks_distutils ? "install python3-distutils in the base" : "");
}

Result<CommandOutcome> Pip::Run(const std::vector<std::string>& arguments) const {
  return Start({}, arguments);
}

Result<CommandOutcome> Pip::Start(const std::vector<std::string>& words,
                                  const std::vector<std::string>& arguments) const {
  std::vector<std::string> more = FetchEnvironment(environment);
  more.insert(more.end(), {fmt::format("PYTHONPATH={}", wheel.string()), "PIP_NO_INPUT=1",
                           "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_COLOR=1",
                           "PIP_PROGRESS_BAR=off", fmt::format("PIP_CACHE_DIR={}", cache.string()),
                           fmt::format("TMPDIR={}", scratch.string())});
  const bool has_certificates = std::ranges::any_of(more, [](const std::string& variable) {
    return variable.starts_with("PIP_CERT=") || variable.starts_with("REQUESTS_CA_BUNDLE=");
  });
  std::error_code failed;
  if (!has_certificates) {
    const fs::path machine = "/etc/ssl/certs/ca-certificates.crt";
    const fs::path own = root / "etc/ssl/certs/ca-certificates.crt";
    more.push_back(
        fmt::format("PIP_CERT={}", fs::exists(machine, failed) ? machine.string() : own.string()));
  }
  std::vector<std::string> argv = PythonCommand(root, python);
  argv.push_back(TRY(WriteDriver(kPipStart, scratch)));
  argv.insert(argv.end(), words.begin(), words.end());
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return RunCommand(
      {.argv = argv, .environment = PythonEnvironment(root, python, more), .scratch = scratch},
      hooks);
}

Result<Resolved> Pip::Resolve(const std::vector<std::string>& requirements,
                              const std::vector<std::string>& options,
                              const std::vector<std::string>& kept,
                              std::string* source_only) const {
  if (requirements.empty()) return Resolved{};
  const fs::path wanted = scratch / "requirements.txt", report = scratch / "report.json";
  TRY(WriteFileAtomic(wanted, Lines(options) + Lines(requirements)));
  const std::vector<std::string> words = TRY(WriteStandInPip(scratch, kept));
  const CommandOutcome outcome =
      TRY(Start(words, {"install", "--dry-run", "--ignore-installed", "--only-binary",
                        ":all:", "--report", report.string(), "-r", wanted.string()}));
  if (outcome.status != 0) return ExplainPipFailure(*this, outcome, options, source_only);
  const std::string text = TRY(ReadFile(report, limits::kJsonBytes));
  return ReadPipReport(text, scratch);
}

Result<void> Pip::Download(const std::vector<LockedFile>& wheels,
                           const std::vector<std::string>& options, const fs::path& folder) const {
  if (wheels.empty()) return {};
  std::vector<std::string> lines = options;
  for (const LockedFile& file : wheels) {
    const std::string hash =
        file.digest.empty() ? "" : fmt::format("#sha256={}", file.digest.substr(7));
    lines.push_back(fmt::format("{} @ {}{}", file.name, file.url, hash));
  }
  const fs::path wanted = scratch / "wheels.txt";
  TRY(WriteFileAtomic(wanted, Lines(lines)));
  const CommandOutcome outcome = TRY(Run({"download", "--no-deps", "--only-binary", ":all:", "-d",
                                          folder.string(), "-r", wanted.string()}));
  if (outcome.status != 0) return ExplainPipFailure(*this, outcome, options);
  for (const LockedFile& file : wheels) {
    std::error_code failed;
    if (!fs::is_regular_file(folder / file.file, failed)) {
      return Error{
          .code = Code::kDataLoss,
          .message = fmt::format("{} {}: pip fetched no {}", file.name, file.version, file.file),
          .id = "Image.Wheel"};
    }
    if (file.digest.empty()) continue;
    if (TRY(Digest::OfFile(folder / file.file)).text() == file.digest) continue;
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("{} does not have the content of the lock", file.file),
                 .id = "Image.Wheel"};
  }
  return {};
}

}  // namespace slipway::imagebuilder
