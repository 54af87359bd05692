// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/source_build.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "imagebuilder/python/requirement.h"
#include "imagebuilder/python/sandbox.h"
#include "imagebuilder/python/stand_ins.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLogBytes = 4 << 20;
constexpr std::size_t kLineBytes = 300;

/// Arguments: interpreter, pip's wheel, the source archive. Build requirements are in /build/needs.
/// The first time that a zip archive can hold.
constexpr std::string_view kBuild =
    "set -e\n"
    "export HOME=/build/home SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0 PYTHONPATH=\"$pip\"\n"
    "export PIP_NO_INDEX=1 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COLOR=1\n"
    "export PIP_CONFIG_FILE=/dev/null PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1\n"
    "\"$python\" /build/pip_start.py install --no-deps --target /build/env /build/needs/*.whl "
    ">/build/log 2>&1\n"
    "export PYTHONPATH=\"/build/env:$pip\"\n"
    "exec \"$python\" /build/pip_start.py wheel --no-deps --no-build-isolation --use-pep517 "
    "--no-cache-dir "
    "-w /build/out \"$source\" >/build/log 2>&1\n";

Error NoWheel(const SourceBuild& build, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("{} {} has no wheel for Python {}, only source, and {}",
                                 build.name, build.version, build.python.version, why),
          .id = "Image.NoWheel",
          .fix =
              "build a wheel of it (pip wheel), put it on an index, and name that with "
              "--extra-index-url or --find-links"};
}

/// The line of pip's output that says best why a build failed: the first of a backend's own, which
/// pip sets in, before those of pip.
std::string WhyOf(const std::string& log) {
  constexpr std::array<std::string_view, 3> kMarks = {"error: ", "Error: ", "ERROR: "};
  constexpr std::string_view kNothingSaid = "subprocess-exited-with-error";
  std::string why;
  for (const std::string& line : Split(log, '\n')) {
    const bool says = std::ranges::any_of(
        kMarks, [&](std::string_view mark) { return line.find(mark) != std::string::npos; });
    if (!says || line.find(kNothingSaid) != std::string::npos) continue;
    if (line.starts_with(' ')) return std::string(Trim(line)).substr(0, kLineBytes);
    if (why.empty()) why = std::string(Trim(line)).substr(0, kLineBytes);
  }
  return why.empty() ? "its build backend fails" : why;
}

/// Whether a program is missing that compiles.
bool NeedsCompiler(const std::string& why) {
  constexpr std::array<std::string_view, 7> kCompilers = {"gcc",   "'cc'",  "g++",     "clang",
                                                          "cargo", "cmake", "gfortran"};
  return std::ranges::any_of(
      kCompilers, [&](std::string_view name) { return why.find(name) != std::string::npos; });
}

Result<void> CopyInto(const fs::path& file, const fs::path& folder) {
  std::error_code failed;
  fs::copy_file(file, folder / file.filename(), failed);
  if (failed) return SystemError((folder / file.filename()).string(), failed.value());
  return {};
}

/// A copy of the root that may be written to, with what the build is done with in /build.
Result<fs::path> MakeBox(const SourceBuild& build) {
  const fs::path box = TRY(MakeTempFolder(build.scratch, "source-"));
  std::error_code failed;
  fs::copy(build.root, box / "root", fs::copy_options::recursive | fs::copy_options::copy_symlinks,
           failed);
  if (failed) return SystemError(build.root.string(), failed.value());
  for (const char* folder : {"needs", "out", "home", "env"}) {
    TRY(MakeFolders(box / "root/build" / folder));
  }
  for (const fs::path& wheel : build.needs) TRY(CopyInto(wheel, box / "root/build/needs"));
  TRY(CopyInto(build.source, box / "root/build"));
  TRY(CopyInto(build.pip, box / "root/build"));
  TRY(WriteDriver(kPipStart, box / "root/build"));
  return box;
}

Result<fs::path> TakeWheel(const SourceBuild& build, const fs::path& out) {
  std::vector<fs::path> wheels;
  std::error_code failed;
  for (fs::directory_iterator at(out, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().extension() == ".whl") wheels.push_back(at->path());
  }
  if (wheels.size() != 1 || !fs::is_regular_file(fs::symlink_status(wheels[0], failed))) {
    return NoWheel(build, "its build backend makes no wheel");
  }
  if (!wheels[0].filename().string().ends_with("-none-any.whl")) {
    return NoWheel(
        build, fmt::format("it is no pure Python: it builds {}", wheels[0].filename().string()));
  }
  return wheels[0];
}

}  // namespace

Result<SourceArchive> FetchSource(const Pip& pip, const std::string& requirement,
                                  const std::vector<std::string>& options, const fs::path& folder) {
  const fs::path found = pip.scratch / "source.json";
  std::vector<std::string> arguments = {found.string(), "-d", folder.string()};
  for (std::string& argument : IndexArguments(options)) arguments.push_back(std::move(argument));
  arguments.push_back(requirement);
  const std::string program = TRY(WriteDriver("pip_source.py", pip.scratch));
  const CommandOutcome outcome = TRY(pip.Start({program}, arguments));
  if (outcome.status != 0) return ExplainPipFailure(pip, outcome, options);
  const std::string text = TRY(ReadFile(found, limits::kJsonBytes));
  const Json json = TRY(ParseJson(text));
  SourceArchive source;
  source.file.name = NormalName(TRY(GetString(json, "name")));
  source.file.version = TRY(GetString(json, "version"));
  source.file.file = TRY(GetString(json, "file"));
  source.file.url = TRY(GetString(json, "url"));
  const bool plain = !source.file.file.empty() && source.file.file.find('/') == std::string::npos &&
                     !source.file.file.starts_with('.');
  if (!plain) {
    return Error{
        .code = Code::kDataLoss,
        .message = fmt::format("{}: '{}' is no name of a file", requirement, source.file.file),
        .id = "Image.Package"};
  }
  const fs::path file = folder / source.file.file;
  source.file.digest = TRY(Digest::OfFile(file)).text();
  std::error_code failed;
  source.file.size = static_cast<std::int64_t>(fs::file_size(file, failed));
  for (const Json& need : json.value("needs", Json::array())) {
    if (need.is_string()) source.needs.push_back(need.get<std::string>());
  }
  return source;
}

Result<fs::path> BuildPureWheel(const SourceBuild& build, const WorkHooks& hooks) {
  const fs::path box = TRY(MakeBox(build));
  hooks.Say(fmt::format("python: building a wheel of {} {} without a network", build.name,
                        build.version));
  const auto ran =
      RunInSandbox({.root = box / "root",
                    .command = std::string(kBuild),
                    .called = fmt::format("the build of {} {}", build.name, build.version),
                    .environment = {{"python", build.python.interpreter},
                                    {"pip", "/build/" + build.pip.filename().string()},
                                    {"source", "/build/" + build.source.filename().string()}},
                    .scratch = build.scratch,
                    .timeout = std::chrono::seconds(600),
                    .network = false},
                   hooks);
  if (!ran) {
    if (ran.error().id == "Image.NoSandbox" || ran.error().id == "Image.NoShell") {
      return NoWheel(build, "there is no container to build it in: " + ran.error().message);
    }
    if (ran.error().id != "Image.StepFailed") return ran.error();
    const auto log = ReadFile(box / "root/build/log", kLogBytes);
    const std::string why = WhyOf(log ? *log : "");
    return NoWheel(build, NeedsCompiler(why)
                              ? "building it needs a compiler, which images do not have: " + why
                              : why);
  }
  const fs::path made = TRY(TakeWheel(build, box / "root/build/out"));
  const fs::path wheel = build.scratch / made.filename();
  std::error_code failed;
  fs::copy_file(made, wheel, fs::copy_options::overwrite_existing, failed);
  if (failed) return SystemError(wheel.string(), failed.value());
  TRY(RemoveTree(box));
  return wheel;
}

}  // namespace slipway::imagebuilder
