// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/python_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/digest.h"
#include "base/file.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

/// Grow whenever the same packages would give other layers.
constexpr std::string_view kDebianForm = "debian layer 1";
constexpr std::string_view kWheelsForm = "wheels layer 1";

void AddPlace(const PythonPlace& python, std::string& text) {
  for (const std::string& part : {python.version, python.interpreter, python.loader, python.home,
                                  python.pure, python.platform, python.scripts, python.data}) {
    text += "\n" + part;
  }
}

bool Has(const std::vector<LockedFile>& wheels, std::string_view name) {
  return std::ranges::any_of(wheels, [&](const LockedFile& wheel) { return wheel.name == name; });
}

}  // namespace

WorkHooks HooksOf(const BuildContext& context) {
  return {.say = context.progress, .cancelled = context.cancelled};
}

std::string DebianKey(const PythonLock& lock) {
  std::string text(kDebianForm);
  for (const LockedFile& package : lock.debian) text += "\n" + package.digest;
  return Digest::OfText(text).text();
}

std::string WheelsKey(const PythonLock& lock) {
  std::string text(kWheelsForm);
  AddPlace(lock.python, text);
  // The interpreter that compiles decides the bytecode.
  text += "\n" + (lock.base.empty() ? DebianKey(lock) : lock.base);
  for (const LockedFile& wheel : lock.wheels) text += "\n" + wheel.digest;
  return Digest::OfText(text).text();
}

Result<std::vector<std::string>> ModuleFolders(const PythonSpec& spec) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator at(spec.modules, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (!at->is_directory(failed)) continue;
    const std::string name = at->path().filename();
    const bool kept = (name == "onnxruntime" && (Has(spec.lock.wheels, "onnxruntime") ||
                                                 Has(spec.lock.wheels, "onnxruntime-gpu"))) ||
                      (name == "azureml" && Has(spec.lock.wheels, "azureml-core"));
    if (!kept) names.push_back(name);
  }
  if (failed) return SystemError(spec.modules.string(), failed.value());
  std::ranges::sort(names);
  return names;
}

}  // namespace slipway::imagebuilder
