// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/python_place.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/elf.h"
#include "imagebuilder/python/requirement.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kFolders = {"/usr/local/bin", "/usr/bin",
                                                      "/opt/conda/bin", "/opt/venv/bin"};
constexpr std::array<std::string_view, 10> kLibraryFolders = {"/usr/local/lib/x86_64-linux-gnu",
                                                              "/usr/local/lib/aarch64-linux-gnu",
                                                              "/lib/x86_64-linux-gnu",
                                                              "/usr/lib/x86_64-linux-gnu",
                                                              "/lib/aarch64-linux-gnu",
                                                              "/usr/lib/aarch64-linux-gnu",
                                                              "/usr/local/lib",
                                                              "/lib64",
                                                              "/usr/lib64",
                                                              "/usr/lib"};

/// Where packages are installed: where sysconfig says, unless modules are not looked for there
/// (Debian before 12, Ubuntu before 22.04), then the first folder that they are.
constexpr std::string_view kAsk =
    "import json, site, sys, sysconfig, platform\n"
    "paths = sysconfig.get_paths()\n"
    "seen = [] if sys.flags.no_site else site.getsitepackages()\n"
    "for key in ('purelib', 'platlib'):\n"
    "    if seen and paths[key] not in seen: paths[key] = seen[0]\n"
    "print('slipway ' + json.dumps({'version': platform.python_version(),\n"
    "    'implementation': platform.python_implementation(),\n"
    "    'pure': paths['purelib'], 'platform': paths['platlib'],\n"
    "    'scripts': paths['scripts'], 'data': paths['data']}))\n";

Error NoPython(std::string message) {
  return {.code = Code::kInvalidArgument,
          .message = std::move(message),
          .id = "Image.NoPython",
          .fix = "give a --base that has CPython 3.8 or newer, or none for the Debian one"};
}

/// Follows symbolic links inside the root; where they lead out there is nothing.
std::optional<std::string> Resolve(const fs::path& root, const std::string& path) {
  std::error_code failed;
  const fs::path real_root = fs::canonical(root, failed);
  const fs::path real = fs::canonical(root / fs::path(path).relative_path(), failed);
  if (failed || !fs::is_regular_file(real, failed)) return std::nullopt;
  const std::string relative = real.lexically_relative(real_root).string();
  if (relative.empty() || relative.starts_with("..")) return std::nullopt;
  return "/" + relative;
}

std::optional<std::string> FindInterpreter(const fs::path& root,
                                           const std::vector<std::string>& folders) {
  std::vector<std::string> all = folders;
  all.insert(all.end(), kFolders.begin(), kFolders.end());
  for (const std::string& folder : all) {
    for (const char* name : {"python3", "python"}) {
      if (auto found = Resolve(root, fmt::format("{}/{}", folder, name))) return found;
    }
  }
  return std::nullopt;
}

std::vector<std::string> LibraryPath(const fs::path& root, const PythonPlace& python) {
  std::vector<std::string> folders;
  if (python.home != "/usr") folders.push_back(python.home + "/lib");
  folders.insert(folders.end(), kLibraryFolders.begin(), kLibraryFolders.end());
  std::vector<std::string> there;
  for (const std::string& folder : folders) {
    std::error_code failed;
    const bool known = std::ranges::find(there, folder) != there.end();
    if (!known && fs::is_directory(root / folder.substr(1), failed)) there.push_back(folder);
  }
  return there;
}

/// `path` as the root sees it.
std::string Unrooted(const fs::path& root, const std::string& path) {
  const std::string prefix = root.string();
  return path.starts_with(prefix + "/") ? path.substr(prefix.size()) : path;
}

Result<Json> Ask(const fs::path& root, const PythonPlace& python, const fs::path& scratch,
                 const WorkHooks& hooks) {
  std::vector<std::string> argv = PythonCommand(root, python);
  argv.insert(argv.end(), {"-c", std::string(kAsk)});
  const CommandOutcome outcome = TRY(RunCommand({.argv = argv,
                                                 .environment = PythonEnvironment(root, python, {}),
                                                 .scratch = scratch,
                                                 .timeout = std::chrono::seconds(60)},
                                                hooks));
  for (const std::string& line : Split(outcome.output, '\n')) {
    if (line.starts_with("slipway ")) return ParseJson(std::string_view(line).substr(8));
  }
  const auto lines = Split(Trim(outcome.output), '\n');
  return NoPython(
      fmt::format("the base's Python {} does not run here: {}", python.interpreter, lines.back()));
}

}  // namespace

std::vector<std::string> PythonCommand(const fs::path& root, const PythonPlace& python) {
  std::vector<std::string> folders;
  for (const std::string& folder : python.library_path) {
    folders.push_back((root / folder.substr(1)).string());
  }
  return {(root / python.loader.substr(1)).string(), "--inhibit-cache", "--library-path",
          Join(folders, ":"), (root / python.interpreter.substr(1)).string()};
}

std::vector<std::string> PythonEnvironment(const fs::path& root, const PythonPlace& python,
                                           const std::vector<std::string>& more) {
  std::vector<std::string> environment = {
      "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
      "PYTHONHASHSEED=0",   "PYTHONDONTWRITEBYTECODE=1",
      "PYTHONNOUSERSITE=1", fmt::format("PYTHONHOME={}", (root / python.home.substr(1)).string())};
  environment.insert(environment.end(), more.begin(), more.end());
  return environment;
}

Result<PythonPlace> FindPython(const fs::path& given, const std::vector<std::string>& folders,
                               const fs::path& scratch, const WorkHooks& hooks) {
  std::error_code failed;
  const fs::path root = fs::canonical(given, failed);
  if (failed) return SystemError(given.string(), failed.value());
  const auto interpreter = FindInterpreter(root, folders);
  if (!interpreter) return NoPython("the base has no python3 in its PATH");
  PythonPlace python{.interpreter = *interpreter};
  const auto program = TRY(MappedFile::Open(root / interpreter->substr(1)));
  const auto elf = ParseElf(program->bytes());
  if (!elf || elf->interpreter.empty()) {
    return NoPython(fmt::format("the base's {} is no program for Linux", *interpreter));
  }
  if (elf->interpreter.find("ld-musl") != std::string::npos) {
    return NoPython("the base is built on musl, Slipway's modules on the GNU C library");
  }
  python.loader = elf->interpreter;
  if (!Resolve(root, python.loader)) {
    return NoPython(fmt::format("the base has no loader {}", python.loader));
  }
  python.home = fs::path(*interpreter).parent_path().parent_path().string();
  python.library_path = LibraryPath(root, python);
  const Json facts = TRY(Ask(root, python, scratch, hooks));
  if (TRY(GetString(facts, "implementation")) != "CPython") {
    return NoPython(fmt::format("the base's {} is not CPython", *interpreter));
  }
  python.version = TRY(GetString(facts, "version"));
  const auto new_enough = Satisfies(python.version, ">=3.8");
  if (!new_enough || !*new_enough) {
    return NoPython(fmt::format("the base's Python is {}, and 3.8 is the oldest that can be used",
                                python.version));
  }
  python.pure = Unrooted(root, TRY(GetString(facts, "pure")));
  python.platform = Unrooted(root, TRY(GetString(facts, "platform")));
  python.scripts = Unrooted(root, TRY(GetString(facts, "scripts")));
  python.data = Unrooted(root, TRY(GetString(facts, "data")));
  return python;
}

Result<void> CheckLoads(const fs::path& root, const PythonPlace& python, const fs::path& library,
                        const fs::path& scratch, const WorkHooks& hooks) {
  std::vector<std::string> argv = PythonCommand(root, python);
  // What the library loads lies in folders of this machine, behind the base's own as in an image.
  for (const std::string_view folder : kLibraryFolders) argv[3] += fmt::format(":{}", folder);
  argv.insert(argv.end(), {"-c", "import ctypes, sys\nctypes.CDLL(sys.argv[1])", library.string()});
  const CommandOutcome outcome = TRY(RunCommand({.argv = argv,
                                                 .environment = PythonEnvironment(root, python, {}),
                                                 .scratch = scratch,
                                                 .timeout = std::chrono::seconds(60)},
                                                hooks));
  if (outcome.status == 0) return {};
  const auto lines = Split(Trim(outcome.output), '\n');
  return Error{
      .code = Code::kInvalidArgument,
      .message = fmt::format("the base cannot load Slipway's module onnxruntime: {}", lines.back()),
      .id = "Image.BaseTooOld",
      .fix =
          "take a base as new as Debian 12 or Ubuntu 22.04, or install the module of "
          "PyPI with --keep onnxruntime"};
}

Result<void> CompileModules(const fs::path& root, const PythonPlace& python, const fs::path& tree,
                            const std::string& folder, const fs::path& scratch,
                            const WorkHooks& hooks) {
  const fs::path real = tree / folder.substr(1);
  std::error_code failed;
  if (!fs::is_directory(real, failed)) return {};
  std::vector<std::string> argv = PythonCommand(root, python);
  argv.insert(argv.end(), {"-m", "compileall", "-q", "-q", "-f", "--invalidation-mode",
                           "unchecked-hash", "-s", tree.string(), "-p", "/", real.string()});
  TRY(RunCommand(
      {.argv = argv, .environment = PythonEnvironment(root, python, {}), .scratch = scratch},
      hooks));
  return {};
}

}  // namespace slipway::imagebuilder
