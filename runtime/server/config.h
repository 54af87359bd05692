// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::server {

/// A model to serve. `path` is a file, or a folder that holds exactly one `.onnx` file.
struct ModelConfig {
  std::string name;
  std::string version = "1";
  std::filesystem::path path;
};

/// What `serve.json` holds:
/// `{"models": [{"name": "mnist", "version": "1", "path": "/…/mnist.onnx"}], "port": 5001}`.
struct ServeConfig {
  std::vector<ModelConfig> models;
  int port = 5001;
};

/// Reads `serve.json`. Absolute paths are looked up under `root` unless they lie there already.
/// kInvalidArgument (id `Config.Invalid`) naming the member; unknown ones with the nearest known.
Result<ServeConfig> ReadConfig(const std::filesystem::path& file,
                               const std::filesystem::path& root);

/// `path` under `root`; as it is where it is relative, lies there already or root is empty.
std::filesystem::path Rooted(const std::filesystem::path& path, const std::filesystem::path& root);

/// The models below AZUREML_MODEL_DIR: that folder holds one model's files, or
/// `<name>/<version>/` folders. kNotFound if there is none.
Result<std::vector<ModelConfig>> FindModels(const std::filesystem::path& folder);

/// The one `.onnx` file that `path` is or holds at its top or one folder down.
Result<std::filesystem::path> ModelFile(const std::filesystem::path& path);

/// What the environment of a scoring container says.
struct Environment {
  std::string service_name = "slipway-serve";
  std::string service_version = "1.0";
  std::string path_prefix = {};  ///< without a slash at its end
  std::filesystem::path model_folder = {};
  std::string cors_origins = {};
  std::optional<std::chrono::milliseconds> scoring_timeout = {};
};
using GetVariable = std::function<const char*(const char*)>;
/// kInvalidArgument naming a variable that holds no sensible value.
Result<Environment> ReadEnvironment(const GetVariable& get);

}  // namespace slipway::server
