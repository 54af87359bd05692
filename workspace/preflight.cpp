// SPDX-License-Identifier: Apache-2.0
#include "workspace/preflight.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "imagebuilder/preflight/preflight.h"
#include "imagebuilder/python/stand_ins.h"
#include "imagebuilder/python/tools.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

using imagebuilder::Finding;
using imagebuilder::PreflightInput;
using imagebuilder::PreflightPort;

constexpr std::chrono::hours kRemembered{24};
constexpr std::int64_t kScriptBytes = 8 << 20;

std::vector<PreflightPort> Ports(const std::vector<registry::SignatureValue>& values) {
  std::vector<PreflightPort> ports;
  for (const registry::SignatureValue& value : values) ports.push_back({value.name, value.type});
  return ports;
}

Result<PreflightInput> MakeInput(Workspace& workspace, const api::CreateImage& wanted,
                                 const std::vector<registry::ModelVersion>& models,
                                 const imagebuilder::PythonLock& lock) {
  const Digest digest = TRY(Digest::Parse(wanted.script.digest));
  PreflightInput input;
  input.script = TRY(workspace.blobs().ReadVerified(digest, kScriptBytes));
  for (const registry::ModelVersion& model : models) {
    input.models.push_back({.name = model.name,
                            .version = model.version,
                            .inputs = Ports(model.signature.inputs),
                            .outputs = Ports(model.signature.outputs)});
  }
  for (const imagebuilder::LockedFile& wheel : lock.wheels)
    input.requirements.push_back(wheel.name);
  for (const imagebuilder::LockedFile& package : lock.debian) {
    input.requirements.push_back(package.name);
  }
  for (const std::string& name : lock.provided) {
    if (imagebuilder::StandInFor(name) == imagebuilder::StandIn::kModule) {
      input.requirements.push_back(name);
    }
  }
  for (const api::ModelFile& file : wanted.dependencies) input.dependencies.push_back(file.path);
  return input;
}

Result<std::vector<Finding>> Find(Workspace& workspace, const PreflightInput& input,
                                  const imagebuilder::PythonSpec& python,
                                  imagebuilder::BuildContext& context) {
  const imagebuilder::PythonLock& lock = python.lock;
  const std::string key = imagebuilder::PreflightKey(input, lock.python);
  const std::string known = TRY(workspace.store().FindResolved(key, kRemembered));
  if (!known.empty()) return imagebuilder::ReadFindings(known);
  const imagebuilder::WorkHooks hooks{.say = context.progress, .cancelled = context.cancelled};
  hooks.Say("preflight: checking the scoring script");
  const std::filesystem::path root =
      lock.base.empty() ? TRY(workspace.python_tools().DebianTree(lock, context.scratch, hooks))
                        : python.base_root;
  const std::string text = TRY(imagebuilder::RunPreflight(
      input, root, lock.python, python.modules / "preflight", context.scratch, hooks));
  std::vector<Finding> findings = TRY(imagebuilder::ReadFindings(text));
  TRY(workspace.store().KeepResolved(key, text));
  return findings;
}

/// The first error as the image's, with how many more there are; the log has them all.
Error Refusal(const api::CreateImage& wanted, const std::vector<Finding>& findings) {
  const auto is_error = [](const Finding& finding) { return finding.error; };
  const Finding& first = *std::ranges::find_if(findings, is_error);
  const auto more = std::ranges::count_if(findings, is_error) - 1;
  return {.code = Code::kInvalidArgument,
          .message = wanted.script.path + ", line " + std::to_string(first.line) + ": " +
                     first.message +
                     (more > 0 ? " (and " + std::to_string(more) + " more, see the log)" : ""),
          .id = first.code,
          .fix = first.fix};
}

}  // namespace

Result<std::vector<api::ImageWarning>> CheckScript(
    Workspace& workspace, const api::CreateImage& wanted,
    const std::vector<registry::ModelVersion>& models, const imagebuilder::PythonSpec& python,
    imagebuilder::BuildContext& context) {
  std::vector<api::ImageWarning> warnings;
  if (wanted.preflight == "off") return warnings;
  const PreflightInput input = TRY(MakeInput(workspace, wanted, models, python.lock));
  const std::vector<Finding> findings = TRY(Find(workspace, input, python, context));
  const bool strict = wanted.preflight == "strict";
  bool refused = false;
  for (const Finding& finding : findings) {
    refused = refused || (strict && finding.error);
    warnings.push_back({.code = finding.code,
                        .message = wanted.script.path + ": " + finding.message,
                        .fix = finding.fix,
                        .line = finding.line});
  }
  if (!refused) return warnings;
  if (context.progress) {
    for (const Finding& finding : findings) {
      context.progress(wanted.script.path + ", line " + std::to_string(finding.line) + ": " +
                       finding.message + " (" + finding.code + ")");
    }
  }
  return Refusal(wanted, findings);
}

}  // namespace slipway::workspace
