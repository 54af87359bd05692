// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"

namespace slipway::server {

/// A model to serve. `path` is a file, or a folder that holds exactly one `.onnx` file.
struct ModelConfig {
  std::string name;
  std::string version = "1";
  std::filesystem::path path;
};

/// A scoring script and the Python that runs it. Paths are those of this machine's file tree, but
/// `python` and `loader`, which are the image's own: they are looked up below `root`.
struct ScriptConfig {
  std::filesystem::path entry = {};  ///< empty: module `main` of the app root
  std::filesystem::path source_directory = {};
  std::filesystem::path app_root = {};
  std::filesystem::path python = "/usr/bin/python3";
  std::vector<std::filesystem::path> python_path = {};      ///< before the image's own modules
  std::vector<std::filesystem::path> python_fallback = {};  ///< behind them
  std::vector<std::filesystem::path> library_path = {};     ///< for the loader
  std::filesystem::path loader = "/lib64/ld-linux-x86-64.so.2";
  std::filesystem::path root = {};  ///< of an image that is run without a chroot; may be empty
};

/// What `serve.json` holds:
/// `{"models": [{"name": "mnist", "version": "1", "path": "/…/mnist.onnx"}], "port": 5001}` and,
/// where a script answers instead of the models, `"script": {"entry": "/…/score.py",
/// "source_directory": …, "python": …, "python_path": […], "library_path": […], "loader": …}`.
/// Models may be bounded: `"memory_limit": "2G"` (or a number of bytes), `"time_limit": 0.5`
/// (seconds); a script has bounds of its own. `"deterministic": true` leaves out choices of kernels
/// that lie beside them; `"precision": "bf16"` or `"int8"` has their products computed so.
struct ServeConfig {
  std::vector<ModelConfig> models;
  int port = 5001;
  std::int64_t memory_bytes = 0;  ///< of each model; 0: what the process may use
  std::optional<std::chrono::milliseconds> time_limit = {};  ///< of one run; nothing: no bound
  bool deterministic = false;  ///< runtime::TuneOptions::deterministic
  runtime::Precision precision = runtime::Precision::kFloat32;  ///< of each model's products
  std::optional<ScriptConfig> script = {};
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

/// What a number of seconds is as a bound, to the next millisecond. kInvalidArgument (id
/// `Config.Invalid`) unless it is above 0 and no more than 1e9.
Result<std::chrono::milliseconds> TimeLimit(std::string_view what, double seconds);

/// What the environment of a scoring container says.
struct Environment {
  std::string service_name = "slipway-serve";
  std::string service_version = "1.0";
  std::string path_prefix = {};  ///< without a slash at its end
  std::filesystem::path model_folder = {};
  std::string cors_origins = {};
  std::optional<std::chrono::milliseconds> scoring_timeout = {};
  std::int64_t model_memory_bytes = 0;               ///< of each model; 0: it does not say
  bool deterministic = false;                        ///< kernels by rule alone
  std::optional<runtime::Precision> precision = {};  ///< of each model's products
  /// How long it goes on serving after it was told to stop, until whoever sends requests has heard.
  std::chrono::milliseconds stop_delay{0};
};
using GetVariable = std::function<const char*(const char*)>;
/// kInvalidArgument naming a variable that holds no sensible value.
Result<Environment> ReadEnvironment(const GetVariable& get);

}  // namespace slipway::server
