// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "imagebuilder/python/pip.h"
#include "imagebuilder/python/requirement.h"
#include "imagebuilder/python/source_build.h"
#include "imagebuilder/python/stand_ins.h"
#include "imagebuilder/python/tools.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

/// One of them each time that pip resolves anew.
constexpr int kSourcesMax = 32;

void SayNotFetched(const NotFetched& package, const WorkHooks& hooks) {
  const std::string asked = package.asked_by.empty()
                                ? ""
                                : fmt::format(", which {} asks for,", Join(package.asked_by, ", "));
  const bool module = StandInFor(package.name) == StandIn::kModule;
  hooks.Say(fmt::format("python: {} {}{} is {}", package.name, package.version, asked,
                        module ? "met by Slipway's own module"
                               : "not installed: no module of Slipway's stands in for it"));
}

bool IsStored(const BlobStore& blobs, const std::string& digest) {
  const auto parsed = Digest::Parse(digest);
  return parsed && blobs.Has(*parsed);
}

/// A file of the store under its own name.
Result<fs::path> Place(const BlobStore& blobs, const LockedFile& file, const fs::path& folder) {
  const Digest digest = TRY(Digest::Parse(file.digest));
  const fs::path blob = TRY(blobs.Path(digest));
  std::error_code failed;
  fs::copy_file(blob, folder / file.file, fs::copy_options::overwrite_existing, failed);
  if (failed) return SystemError((folder / file.file).string(), failed.value());
  return folder / file.file;
}

std::string FileUrl(const fs::path& file) {
  std::vector<std::string> parts = Split(file.string(), '/');
  for (std::string& part : parts) part = EncodePercent(part);
  return "file://" + Join(parts, "/");
}

/// Those whose wheel is among the wheels.
void KeepUsed(const std::vector<LockedFile>& wheels, std::vector<BuiltWheel>& built) {
  std::erase_if(built, [&](const BuiltWheel& one) {
    return std::ranges::find(wheels, one.wheel, &LockedFile::digest) == wheels.end();
  });
}

}  // namespace

Result<BuiltWheel> PythonTools::FindSource(const Pip& pip, const std::string& requirement,
                                           const std::vector<std::string>& options) {
  const fs::path folder = TRY(MakeTempFolder(pip.scratch, "archives-"));
  const SourceArchive source = TRY(FetchSource(pip, requirement, options, folder));
  TRY(blobs_.PutFile(folder / source.file.file));
  auto needs = pip.Resolve(source.needs, options, {});
  if (!needs) {
    return Within(
        fmt::format("{} {} has no wheel, and building one", source.file.name, source.file.version),
        std::move(needs).error());
  }
  TRY(FetchWheels(needs->wheels, options, pip.root, pip.python, pip.scratch, pip.hooks));
  for (LockedFile& wheel : needs->wheels) {
    const Digest digest = TRY(Digest::Parse(wheel.digest));
    wheel.size = TRY(blobs_.Size(digest));
  }
  return BuiltWheel{.source = source.file, .needs = std::move(needs->wheels)};
}

Result<fs::path> PythonTools::BuildSource(const Pip& pip, BuiltWheel& built) {
  const fs::path folder = TRY(MakeTempFolder(pip.scratch, "build-"));
  fs::path source = TRY(Place(blobs_, built.source, folder));
  SourceBuild build{.root = pip.root,
                    .python = pip.python,
                    .pip = pip.wheel,
                    .name = built.source.name,
                    .version = built.source.version,
                    .source = std::move(source),
                    .needs = {},
                    .scratch = folder};
  for (const LockedFile& need : built.needs) {
    build.needs.push_back(TRY(Place(blobs_, need, folder)));
  }
  const fs::path wheel = TRY(BuildPureWheel(build, pip.hooks));
  const auto stored = TRY(blobs_.PutFile(wheel));
  if (!built.wheel.empty() && stored.digest.text() != built.wheel) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("{} {} gives another wheel than the lock's {}",
                                        built.source.name, built.source.version, built.wheel),
                 .id = "Image.NotReproducible",
                 .fix = "resolve anew without the lock, or put a wheel you built on an index"};
  }
  built.wheel = stored.digest.text();
  return wheel;
}

Result<void> PythonTools::ResolveWheels(const EnvironmentPlan& plan, const fs::path& root,
                                        const fs::path& scratch, const WorkHooks& hooks,
                                        PythonLock& found) {
  const Pip pip = TRY(MakePip(root, found.python, scratch, hooks));
  const fs::path wheels = TRY(MakeTempFolder(scratch, "built-"));
  std::vector<std::string> options = plan.options;
  options.push_back(fmt::format("--find-links {}", FileUrl(wheels)));
  hooks.Say(fmt::format("pip: resolving {}", Join(plan.requirements, ", ")));
  Result<Resolved> resolved = Resolved{};
  std::string last;
  for (int tries = 0;; ++tries) {
    std::string source_only;
    resolved = pip.Resolve(plan.requirements, options, plan.kept, &source_only);
    if (resolved || source_only.empty() || source_only == last || tries == kSourcesMax) break;
    hooks.Say(fmt::format("pip: {} has no wheel, only source", source_only));
    BuiltWheel built = TRY(FindSource(pip, source_only, plan.options));
    auto wheel = BuildSource(pip, built);
    if (!wheel && wheel.error().id == "Image.NoWheel") {
      Error error = std::move(wheel).error();
      error.fix = resolved.error().fix;
      return error;
    }
    if (!wheel) return wheel.error();
    std::error_code failed;
    fs::rename(*wheel, wheels / wheel->filename(), failed);
    if (failed) return SystemError(wheel->string(), failed.value());
    found.built.push_back(std::move(built));
    last = source_only;
  }
  if (!resolved) return resolved.error();
  found.wheels = std::move(resolved->wheels);
  for (LockedFile& wheel : found.wheels) {
    std::error_code failed;
    if (!fs::exists(wheels / wheel.file, failed)) continue;
    wheel.digest = TRY(Digest::OfFile(wheels / wheel.file)).text();
    wheel.url.clear();
  }
  KeepUsed(found.wheels, found.built);
  for (const NotFetched& package : resolved->not_fetched) {
    SayNotFetched(package, hooks);
    found.provided.push_back(package.name);
  }
  std::ranges::sort(found.provided);
  found.provided.erase(std::unique(found.provided.begin(), found.provided.end()),
                       found.provided.end());
  return {};
}

Result<void> PythonTools::BuildMissing(const PythonLock& lock, const fs::path& root,
                                       const fs::path& scratch, const WorkHooks& hooks) {
  for (BuiltWheel built : lock.built) {
    if (IsStored(blobs_, built.wheel)) continue;
    const Pip pip = TRY(MakePip(root, lock.python, scratch, hooks));
    if (!IsStored(blobs_, built.source.digest)) {
      const fs::path folder = TRY(MakeTempFolder(scratch, "archives-"));
      const std::string exactly = fmt::format("{} @ {}#sha256={}", built.source.name,
                                              built.source.url, built.source.digest.substr(7));
      const SourceArchive source = TRY(FetchSource(pip, exactly, lock.pip_options, folder));
      TRY(blobs_.PutFile(folder / source.file.file));
    }
    TRY(FetchWheels(built.needs, lock.pip_options, root, lock.python, scratch, hooks));
    TRY(BuildSource(pip, built));
  }
  return {};
}

}  // namespace slipway::imagebuilder
