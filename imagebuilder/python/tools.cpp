// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/python/apt.h"
#include "imagebuilder/python/deb.h"
#include "imagebuilder/python/debian_tree.h"
#include "imagebuilder/python/pip.h"
#include "imagebuilder/python/python_place.h"
#include "imagebuilder/python/trim_folder.h"
#include "imagebuilder/python/wheel.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

/// Grows whenever the same packages would give another tree.
constexpr std::string_view kTreeForm = "slipway debian tree 1";
constexpr std::size_t kTreesKept = 3;
constexpr std::int64_t kMarkBytes = 4096;

std::string TreeKey(const std::vector<LockedFile>& packages) {
  std::string text(kTreeForm);
  for (const LockedFile& package : packages) text += "\n" + package.digest;
  return std::string(Digest::OfText(text).hex());
}

/// Trees are not synced; a mark holds until the machine starts anew.
std::string BootText() {
  const auto id = ReadFile("/proc/sys/kernel/random/boot_id", kMarkBytes);
  return id ? *id : RandomHex(8);
}

bool IsWhole(const fs::path& folder) {
  const auto mark = ReadFile(folder / "whole", kMarkBytes);
  return mark && *mark == BootText();
}

Result<fs::path> BlobPath(const BlobStore& blobs, const LockedFile& file) {
  return blobs.Path(TRY(Digest::Parse(file.digest)));
}

std::vector<LockedFile> Missing(const BlobStore& blobs, const std::vector<LockedFile>& files) {
  std::vector<LockedFile> missing;
  for (const LockedFile& file : files) {
    const auto digest = Digest::Parse(file.digest);
    if (!digest || !blobs.Has(*digest)) missing.push_back(file);
  }
  return missing;
}

Result<fs::path> NewFolder(const fs::path& parent, std::string_view prefix) {
  TRY(MakeFolders(parent));
  return MakeTempFolder(parent, prefix);
}

void SayResolved(const PythonLock& lock, const EnvironmentPlan& plan, const WorkHooks& hooks) {
  for (const LockedFile& wheel : lock.wheels) {
    hooks.Say(fmt::format("python: {} {}", wheel.name, wheel.version));
  }
  if (plan.python.empty()) {
    hooks.Say(fmt::format("python: {}", lock.python.version));
    return;
  }
  const auto fits = Satisfies(lock.python.version, plan.python);
  if (fits && *fits) {
    hooks.Say(fmt::format("python: {} for {}", lock.python.version, plan.python));
  } else {
    hooks.Say(fmt::format("python: {} was asked for and is not in the base; {} is taken instead",
                          plan.python, lock.python.version));
  }
}

}  // namespace

Result<void> PythonTools::FetchDebian(const std::vector<LockedFile>& packages,
                                      const fs::path& scratch, const WorkHooks& hooks) {
  const std::vector<LockedFile> missing = Missing(blobs_, packages);
  if (missing.empty()) return {};
  hooks.Say(fmt::format("debian: fetching {} packages", missing.size()));
  const fs::path folder = TRY(NewFolder(scratch, "debs-"));
  Apt apt(options_.folder / "apt", scratch, options_.environment, hooks);
  TRY(apt.Download(missing, folder));
  for (const LockedFile& package : missing) {
    const auto stored = TRY(blobs_.PutFile(folder / package.file));
    if (stored.digest.text() != package.digest) {
      return Error{
          .code = Code::kDataLoss,
          .message = fmt::format("{} does not have the content {}", package.file, package.digest),
          .id = "Image.Package"};
    }
  }
  return RemoveTree(folder);
}

Result<void> PythonTools::DropOldTrees(const std::string& newest) {
  std::vector<std::pair<fs::file_time_type, fs::path>> trees;
  std::error_code failed;
  for (fs::directory_iterator at(options_.folder / "trees", failed), end; !failed && at != end;
       at.increment(failed)) {
    if (at->path().filename() == newest) continue;
    trees.emplace_back(fs::last_write_time(at->path(), failed), at->path());
  }
  std::ranges::sort(trees, std::greater<>());
  for (std::size_t i = kTreesKept - 1; i < trees.size(); ++i) TRY(RemoveTree(trees[i].second));
  return {};
}

void PythonTools::TrimCache(const WorkHooks& hooks) const {
  const auto freed = TrimFolder(options_.folder / "pip-cache", options_.cache_bytes);
  if (!freed) hooks.Say(fmt::format("pip: its cache cannot be trimmed: {}", freed.error().message));
  if (freed && *freed > 0) {
    hooks.Say(fmt::format("pip: {} MB of what was fetched long ago removed", *freed / 1'000'000));
  }
}

Result<fs::path> PythonTools::TreeOf(const std::vector<LockedFile>& packages,
                                     const fs::path& scratch, const WorkHooks& hooks) {
  const std::string key = TreeKey(packages);
  const fs::path folder = options_.folder / "trees" / key;
  std::error_code failed;
  if (IsWhole(folder)) {
    fs::last_write_time(folder, fs::file_time_type::clock::now(), failed);
    return folder / "root";
  }
  TRY(FetchDebian(packages, scratch, hooks));
  hooks.Say(fmt::format("debian: unpacking {} packages", packages.size()));
  TRY(MakeFolders(options_.folder / "trees"));
  TRY(RemoveTree(folder));
  const fs::path fresh = options_.folder / "trees" / (".new-" + key);
  TRY(RemoveTree(fresh));
  const fs::path root = fresh / "root";
  TRY(MakeDebianTree(
      packages, [this](const LockedFile& p) { return BlobPath(blobs_, p); }, root, hooks));
  const PythonPlace python = TRY(FindPython(root, {}, scratch, hooks));
  hooks.Say("debian: compiling the standard library");
  for (const char* part : {"/usr/lib/python3", "/usr/share/python3"}) {
    TRY(CompileModules(root, python, root, part, scratch, hooks));
  }
  const auto parts = Split(python.version, '.');
  TRY(CompileModules(root, python, root, fmt::format("/usr/lib/python{}.{}", parts[0], parts[1]),
                     scratch, hooks));
  TRY(WriteFileAtomic(fresh / "whole", BootText()));
  fs::rename(fresh, folder, failed);
  if (failed) return SystemError(folder.string(), failed.value());
  TRY(DropOldTrees(key));
  return folder / "root";
}

Result<fs::path> PythonTools::PipWheel(const fs::path& scratch, const WorkHooks& hooks) {
  const fs::path folder = options_.folder / "pip";
  const auto find = [&folder]() -> fs::path {
    std::error_code failed;
    for (fs::directory_iterator at(folder / "root/usr/share/python-wheels", failed), end;
         !failed && at != end; at.increment(failed)) {
      if (at->path().filename().string().starts_with("pip-")) return at->path();
    }
    return {};
  };
  if (IsWhole(folder)) {
    if (fs::path wheel = find(); !wheel.empty()) return wheel;
  }
  hooks.Say("pip: fetching Debian's pip");
  TRY(RemoveTree(folder));
  Apt apt(options_.folder / "apt", scratch, options_.environment, hooks);
  std::vector<LockedFile> packages = TRY(apt.Resolve({"python3-pip-whl"}));
  std::erase_if(packages, [](const LockedFile& p) { return p.name != "python3-pip-whl"; });
  TRY(FetchDebian(packages, scratch, hooks));
  const auto tree = TRY(TreeWriter::Open(folder / "root"));
  for (const LockedFile& package : packages) {
    const fs::path file = TRY(BlobPath(blobs_, package));
    TRY(UnpackDeb(file, package.name, *tree));
  }
  const fs::path wheel = find();
  if (wheel.empty()) {
    return Error{.code = Code::kUnavailable,
                 .message = "Debian's python3-pip-whl holds no pip",
                 .id = "Image.NoPip"};
  }
  TRY(WriteFileAtomic(folder / "whole", BootText()));
  return wheel;
}

Result<Pip> PythonTools::MakePip(const fs::path& root, const PythonPlace& python,
                                 const fs::path& scratch, const WorkHooks& hooks) {
  fs::path wheel = TRY(PipWheel(scratch, hooks));
  return Pip{.root = root,
             .python = python,
             .wheel = std::move(wheel),
             .cache = options_.folder / "pip-cache",
             .scratch = scratch,
             .environment = options_.environment,
             .hooks = hooks};
}

Result<void> PythonTools::FetchWheels(std::vector<LockedFile>& wheels,
                                      const std::vector<std::string>& pip_options,
                                      const fs::path& root, const PythonPlace& python,
                                      const fs::path& scratch, const WorkHooks& hooks) {
  const std::vector<LockedFile> missing = Missing(blobs_, wheels);
  if (missing.empty()) return {};
  hooks.Say(fmt::format("pip: fetching {} wheels", missing.size()));
  const fs::path folder = TRY(NewFolder(scratch, "wheels-"));
  const Pip pip = TRY(MakePip(root, python, scratch, hooks));
  TRY(pip.Download(missing, pip_options, folder));
  for (LockedFile& wheel : wheels) {
    std::error_code failed;
    if (!fs::exists(folder / wheel.file, failed)) continue;
    const auto stored = TRY(blobs_.PutFile(folder / wheel.file));
    wheel.digest = stored.digest.text();
    wheel.size = stored.size;
  }
  return RemoveTree(folder);
}

Result<PythonLock> PythonTools::Resolve(const EnvironmentPlan& plan,
                                        const std::optional<GivenBase>& base,
                                        const fs::path& scratch, const WorkHooks& hooks) {
  const std::lock_guard lock(mutex_);
  PythonLock found{.python = {},
                   .base = base ? base->digest : "",
                   .architecture = "amd64",
                   .provided = plan.provided,
                   .pip_options = plan.options};
  fs::path root;
  if (base) {
    root = base->root;
    found.python = TRY(FindPython(root, base->path_folders, scratch, hooks));
  } else {
    hooks.Say("debian: resolving packages");
    std::vector<std::string> names = BasePackages();
    names.insert(names.end(), plan.debian.begin(), plan.debian.end());
    if (NeedsShell(plan)) {
      names.insert(names.end(), ShellPackages().begin(), ShellPackages().end());
    }
    Apt apt(options_.folder / "apt", scratch, options_.environment, hooks);
    found.debian = TRY(apt.Resolve(names));
    root = TRY(TreeOf(found.debian, scratch, hooks));
    found.python = TRY(FindPython(root, {}, scratch, hooks));
  }
  if (!plan.requirements.empty()) {
    TRY(ResolveWheels(plan, root, scratch, hooks, found));
    TRY(FetchWheels(found.wheels, plan.options, root, found.python, scratch, hooks));
    TrimCache(hooks);
    for (LockedFile& wheel : found.wheels) {
      const Digest digest = TRY(Digest::Parse(wheel.digest));
      wheel.size = TRY(blobs_.Size(digest));
    }
  }
  const bool wants_runtime =
      std::ranges::find(found.provided, "onnxruntime") != found.provided.end();
  std::error_code failed;
  if (base && wants_runtime && fs::exists(options_.runtime, failed)) {
    TRY(CheckLoads(root, found.python, options_.runtime, scratch, hooks));
  }
  SayResolved(found, plan, hooks);
  return found;
}

Result<fs::path> PythonTools::DebianTree(const PythonLock& lock, const fs::path& scratch,
                                         const WorkHooks& hooks) {
  const std::lock_guard guard(mutex_);
  return TreeOf(lock.debian, scratch, hooks);
}

Result<void> PythonTools::InstallWheels(const PythonLock& lock, const fs::path& root,
                                        const fs::path& tree, const fs::path& scratch,
                                        const WorkHooks& hooks) {
  const std::lock_guard guard(mutex_);
  TRY(BuildMissing(lock, root, scratch, hooks));
  std::vector<LockedFile> wheels = lock.wheels;
  TRY(FetchWheels(wheels, lock.pip_options, root, lock.python, scratch, hooks));
  const auto writer = TRY(TreeWriter::Open(tree));
  for (const LockedFile& wheel : lock.wheels) {
    if (hooks.IsCancelled()) return Cancelled();
    const auto installed = InstallWheel(TRY(BlobPath(blobs_, wheel)), lock.python, *writer);
    if (!installed) {
      return Within(fmt::format("{} {}", wheel.name, wheel.version), installed.error());
    }
  }
  hooks.Say(fmt::format("python: compiling {} packages", lock.wheels.size()));
  TRY(CompileModules(root, lock.python, tree, lock.python.pure, scratch, hooks));
  if (lock.python.platform == lock.python.pure) return {};
  return CompileModules(root, lock.python, tree, lock.python.platform, scratch, hooks);
}

}  // namespace slipway::imagebuilder
