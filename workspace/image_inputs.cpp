// SPDX-License-Identifier: Apache-2.0
#include "workspace/image_inputs.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "imagebuilder/python/conda_file.h"
#include "imagebuilder/python/requirement.h"
#include "imagebuilder/python/stand_ins.h"
#include "workspace/image_base.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

using imagebuilder::BuildNote;
using imagebuilder::CondaFile;
using imagebuilder::PythonLock;

constexpr std::int64_t kTextBytes = 4 << 20;
constexpr std::int64_t kFilesMax = 10'000;
constexpr std::chrono::hours kResolvedFresh{24};

Error Wrong(std::string message, std::string fix = {}) {
  return {.code = Code::kInvalidArgument,
          .message = std::move(message),
          .id = "Image.Spec",
          .fix = std::move(fix)};
}

bool IsGiven(const api::ModelFile& file) { return !file.path.empty(); }

Result<std::string> ReadText(Workspace& workspace, const api::ModelFile& file) {
  auto text = workspace.blobs().ReadVerified(TRY(Digest::Parse(file.digest)), kTextBytes);
  if (!text) return Within(file.path, std::move(text).error());
  return text;
}

Result<imagebuilder::AppFile> MakeAppFile(Workspace& workspace, const api::ModelFile& file) {
  const Digest digest = TRY(Digest::Parse(file.digest));
  auto source = workspace.blobs().Path(digest);
  if (!source) return Within(file.path, std::move(source).error());
  return imagebuilder::AppFile{
      .path = file.path, .source = *std::move(source), .digest = file.digest};
}

int LineAt(std::string_view text, std::size_t offset) {
  return static_cast<int>(std::ranges::count(text.substr(0, offset), '\n')) + 1;
}

/// Where the first byte lies that is no UTF-8.
std::size_t BadByte(std::string_view text) {
  std::size_t good = 0, end = text.size();
  while (end - good > 1) {
    const std::size_t middle = good + (end - good) / 2;
    // A cut may fall into a character, of at most four bytes.
    bool fits = false;
    for (std::size_t cut = middle; cut + 4 > middle && cut <= middle && !fits; --cut) {
      fits = IsUtf8(text.substr(0, cut));
      if (cut == 0) break;
    }
    (fits ? good : end) = middle;
  }
  return good;
}

/// The encoding that one of the first two lines declares, in lower case.
std::string DeclaredEncoding(std::string_view text) {
  for (int line = 0; line < 2; ++line) {
    const std::string_view first = text.substr(0, text.find('\n'));
    const std::string_view comment = Trim(first);
    const std::size_t coding = comment.find("coding");
    if (comment.starts_with('#') && coding != std::string_view::npos &&
        coding + 6 < comment.size() && (comment[coding + 6] == ':' || comment[coding + 6] == '=')) {
      const std::string_view name = Trim(comment.substr(coding + 7));
      return ToLower(name.substr(0, name.find_first_of(" \t")));
    }
    if (first.size() >= text.size()) break;
    text.remove_prefix(first.size() + 1);
  }
  return {};
}

/// What the lock must hold, or the dependency file asks in vain.
Result<void> CheckLockHolds(const PythonLock& lock, const ImageInputs& inputs) {
  for (const std::string& text : inputs.plan.requirements) {
    const auto requirement = imagebuilder::ParseRequirement(text);
    if (!requirement || requirement->name.empty() || !requirement->marker.empty()) continue;
    const std::string name = imagebuilder::NormalName(requirement->name);
    const auto wheel = std::ranges::find(lock.wheels, name, &imagebuilder::LockedFile::name);
    if (wheel == lock.wheels.end()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "the lock holds no " + name + ", which the dependency file asks for",
                   .id = "Image.Lock",
                   .fix = "leave the lock out, and take that of the new image"};
    }
    const auto fits = imagebuilder::Satisfies(wheel->version, requirement->specifier);
    if (fits && !*fits) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "the lock has " + name + " " + wheel->version +
                              ", the dependency file asks for " + requirement->specifier,
                   .id = "Image.Lock",
                   .fix = "leave the lock out, and take that of the new image"};
    }
  }
  return {};
}

Result<CondaFile> ReadConda(Workspace& workspace, const api::CreateImage& wanted) {
  CondaFile file;
  if (IsGiven(wanted.conda)) {
    const std::string text = TRY(ReadText(workspace, wanted.conda));
    file = TRY(imagebuilder::ParseCondaFile(text));
  }
  if (file.python.empty() && !wanted.python_version.empty()) {
    const auto known = imagebuilder::Satisfies("3", "==" + wanted.python_version);
    if (!known) return Wrong("python_version \"" + wanted.python_version + "\" is no version");
    file.python = "==" + wanted.python_version + ".*";
  }
  return file;
}

}  // namespace

Result<bool> WantsPython(const api::CreateImage& wanted) {
  const bool script = IsGiven(wanted.script);
  if (wanted.runtime != "" && wanted.runtime != "python" && wanted.runtime != "native" &&
      wanted.runtime != "spark-py") {
    return Wrong("runtime \"" + wanted.runtime + "\" is not known; python and native are");
  }
  if (wanted.runtime == "spark-py") {
    return Error{.code = Code::kUnimplemented,
                 .message = "runtime \"spark-py\" is not there",
                 .id = "Image.Runtime",
                 .fix = "use runtime python"};
  }
  if (wanted.preflight != "strict" && wanted.preflight != "warn" && wanted.preflight != "off") {
    return Wrong("preflight \"" + wanted.preflight + "\" is none of strict, warn, off");
  }
  if (script && wanted.runtime == "native") {
    return Wrong("runtime \"native\" runs no script", "leave runtime out, or the script");
  }
  const bool others = IsGiven(wanted.conda) || IsGiven(wanted.docker_file) ||
                      IsGiven(wanted.lock) || !wanted.dependencies.empty() ||
                      !wanted.base.empty() || !wanted.keep.empty();
  if (!script && (others || wanted.runtime == "python")) {
    return Wrong("an image with Python needs a script", "slipway image create … --script score.py");
  }
  return script;
}

Result<void> CheckSourceText(std::string_view name, std::string_view text) {
  const auto wrong = [&](int line, std::string_view why) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = std::string(name) + ", line " + std::to_string(line) + ": " + std::string(why),
        .id = "Image.ScriptEncoding",
        .fix = "save the file as UTF-8"};
  };
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return wrong(1, "the file is UTF-16, which Python does not read");
  }
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return wrong(LineAt(text, zero), "a zero byte, which Python does not read");
  }
  const std::string declared = DeclaredEncoding(text);
  const bool utf8 = declared.empty() || declared.starts_with("utf-8") || declared == "utf8";
  if (!utf8 || IsUtf8(text)) return {};
  return wrong(LineAt(text, BadByte(text)),
               declared.empty() ? "a byte that is no UTF-8, and no encoding is declared"
                                : "a byte that is no UTF-8, which the file says it is");
}

Result<ImageInputs> ReadImageInputs(Workspace& workspace, const api::CreateImage& wanted) {
  ImageInputs inputs;
  inputs.entry = wanted.script.path;
  if (!wanted.script.path.ends_with(".py")) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "the script " + wanted.script.path + " is no .py file",
                 .id = "Image.Script"};
  }
  if (std::cmp_greater(wanted.dependencies.size(), kFilesMax)) {
    return Wrong("an image can have " + std::to_string(kFilesMax) + " files beside the script");
  }
  const std::string script = TRY(ReadText(workspace, wanted.script));
  TRY(CheckSourceText(wanted.script.path, script));
  inputs.files.push_back(TRY(MakeAppFile(workspace, wanted.script)));
  for (const api::ModelFile& file : wanted.dependencies) {
    inputs.files.push_back(TRY(MakeAppFile(workspace, file)));
  }
  const CondaFile conda = TRY(ReadConda(workspace, wanted));
  std::vector<imagebuilder::DockerStep> steps;
  if (IsGiven(wanted.docker_file)) {
    const std::string text = TRY(ReadText(workspace, wanted.docker_file));
    steps = TRY(imagebuilder::ParseDockerSteps(text));
  }
  inputs.plan = TRY(imagebuilder::PlanEnvironment(
      conda, std::move(steps), {.keep = wanted.keep, .debian_base = wanted.base.empty()}));
  if (IsGiven(wanted.lock)) inputs.lock = TRY(ReadText(workspace, wanted.lock));
  for (const api::ModelFile* file :
       {&wanted.script, &wanted.conda, &wanted.docker_file, &wanted.lock}) {
    if (IsGiven(*file)) inputs.sources.push_back(file->digest);
  }
  for (const api::ModelFile& file : wanted.dependencies) inputs.sources.push_back(file.digest);
  return inputs;
}

Result<std::optional<PythonLock>> KnownLock(Workspace& workspace, const api::CreateImage& wanted,
                                            const ImageInputs& inputs) {
  if (!inputs.lock.empty()) {
    PythonLock lock = TRY(imagebuilder::ParseLock(inputs.lock));
    TRY(CheckLockHolds(lock, inputs));
    return std::optional(std::move(lock));
  }
  // What lies at a path can be another base by now.
  if (wanted.fresh || wanted.base.starts_with('/')) return std::optional<PythonLock>();
  const std::string text = TRY(workspace.store().FindResolved(
      imagebuilder::PlanKey(inputs.plan, wanted.base), kResolvedFresh));
  if (text.empty()) return std::optional<PythonLock>();
  auto lock = imagebuilder::ParseLock(text);
  if (!lock) return std::optional<PythonLock>();
  return std::optional(*std::move(lock));
}

Result<PythonLock> LockOf(Workspace& workspace, const api::CreateImage& wanted,
                          const ImageInputs& inputs, const std::filesystem::path& scratch,
                          const imagebuilder::WorkHooks& hooks) {
  if (auto known = TRY(KnownLock(workspace, wanted, inputs))) {
    hooks.Say(inputs.lock.empty() ? "environment: as resolved before" : "environment: as locked");
    return *std::move(known);
  }
  std::optional<imagebuilder::GivenBase> base;
  if (!wanted.base.empty()) {
    const imagebuilder::Image image = TRY(FetchBase(workspace, wanted.base, scratch, hooks));
    base = TRY(UnpackBase(workspace, image));
  }
  PythonLock lock = TRY(workspace.python_tools().Resolve(inputs.plan, base, scratch, hooks));
  TRY(workspace.store().KeepResolved(imagebuilder::PlanKey(inputs.plan, wanted.base),
                                     imagebuilder::LockText(lock)));
  return lock;
}

imagebuilder::PythonSpec MakePythonSpec(Workspace& workspace, const ImageInputs& inputs,
                                        PythonLock lock) {
  return {.lock = std::move(lock),
          .entry = inputs.entry,
          .files = inputs.files,
          .modules = workspace.python_modules(),
          .library = workspace.library_folder() / "libslipway.so.1",
          .steps = inputs.plan.steps};
}

std::vector<api::ImageWarning> WarningsOf(const imagebuilder::EnvironmentPlan& plan,
                                          const PythonLock& lock) {
  std::vector<api::ImageWarning> warnings;
  const auto fits = imagebuilder::Satisfies(lock.python.version, plan.python);
  if (!plan.python.empty() && fits && !*fits) {
    warnings.push_back({.code = "Image.PythonReplaced",
                        .message = "Python " + plan.python + " is not in the base; " +
                                   lock.python.version + " is taken instead",
                        .fix = "give a --base that has it",
                        .line = plan.python_line});
  }
  for (const BuildNote& note : plan.notes) {
    warnings.push_back(
        {.code = note.code, .message = note.message, .fix = note.fix, .line = note.line});
  }
  for (const std::string& name : lock.provided) {
    if (imagebuilder::StandInFor(name) != imagebuilder::StandIn::kNothing ||
        std::ranges::find(plan.provided, name) != plan.provided.end()) {
      continue;
    }
    warnings.push_back({.code = "Image.NotInstalled",
                        .message = name +
                                   ", which other packages ask for, is not installed: no module of "
                                   "Slipway's stands in for it",
                        .fix = "--keep " + name + " installs the package itself",
                        .line = 0});
  }
  return warnings;
}

}  // namespace slipway::workspace
