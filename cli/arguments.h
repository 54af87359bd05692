// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/command_line.h"
#include "base/result.h"
#include "cli/operation.h"
#include "runtime/runtime.h"
#include "runtime/tuning.h"
#include "workspace/api.h"

namespace slipway::cli {

/// `k` or `k=v` each; a later one of the same key counts. kInvalidArgument (id `Usage`) naming
/// `option` for an empty key.
Result<api::TextMap> ParsePairs(std::string_view option, const std::vector<std::string>& pairs);

/// What an object is labelled with: `--tag`, `--property`, `--description`.
struct Labels {
  std::vector<std::string> tags, properties;
  std::string description;
};
void AddLabelOptions(Options& options, Labels& labels);

/// `--no-wait`, `--timeout`.
void AddWaitOptions(Options& options, WaitOptions& wait);

/// What a scoring script comes with; for `image create`, `image plan` and `deploy`.
struct ScriptArguments {
  std::string script, source_directory, conda, docker_file, lock, base, runtime, python_version;
  std::string preflight = "strict";
  std::vector<std::string> dependencies, keep;
  bool gpu = false, fresh = false;
};
void AddScriptOptions(Options& options, ScriptArguments& script);

/// What an image is to be made of; for `image create` and `image plan`.
struct ImageArguments {
  std::string name;
  std::vector<std::string> models;
  Labels labels;
  ScriptArguments script;
};
void AddImageOptions(Options& options, ImageArguments& image);
Result<api::CreateImage> ReadImageArguments(const ImageArguments& image);

/// `--target`, `--port`, `--config`; for `service create` and `deploy`.
struct ServiceArguments {
  api::CreateService service;
  std::string config;
};
void AddServiceOptions(Options& options, ServiceArguments& arguments);
/// The service with its deployment file read. `folder` is where relative paths begin.
Result<api::CreateService> ReadServiceArguments(const ServiceArguments& arguments,
                                                const std::filesystem::path& folder);

/// A deployment file as what the service takes; empty for no file.
Result<api::Object> ReadDeployment(const std::string& file, const std::filesystem::path& folder);

/// The required argument `NAME[:VERSION]`; `kind` is what it names: `image`.
void AddVersionedName(Options& options, const std::string& kind, std::string& name);

/// `--device`, `--threads` and the rest of how a model file is run.
struct SessionArguments {
  std::string device = "cpu", accuracy = "standard", precision = "fp32";
  int threads = 0;
  bool reference = false, no_passes = false, deterministic = false;
  std::string memory_limit, choices;
  double tune_seconds = 0;
};
void AddSessionOptions(Options& options, SessionArguments& session);
/// kInvalidArgument naming the devices there are, or a limit that is no number of bytes.
Result<runtime::SessionOptions> ReadSession(const SessionArguments& session);
/// How its kernels are chosen; `folder` is where relative paths begin. kNotFound for choices that
/// are to be read and are not there.
Result<runtime::TuneOptions> ReadTuning(const SessionArguments& session,
                                        const std::filesystem::path& folder);

/// Rows that a workspace, a model, an image, a service are shown with.
Columns WorkspaceRows();
Columns ModelRows();
Columns ImageRows();
Columns ServiceRows();

}  // namespace slipway::cli
