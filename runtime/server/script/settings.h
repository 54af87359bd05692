// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/server/config.h"

namespace slipway::server {

/// How many workers run a script, and what bounds them.
struct ScriptSettings {
  int workers = 1;                                       ///< WORKER_COUNT
  std::chrono::milliseconds scoring_timeout{3'600'000};  ///< SCORING_TIMEOUT_MS, of one run()
  std::chrono::milliseconds worker_timeout{300'000};  ///< WORKER_TIMEOUT (s), of init() and run()
  bool preload = false;                               ///< WORKER_PRELOAD: fork workers after init()
  int waiting_max = 256;                              ///< SLIPWAY_MAX_QUEUE
  /// SLIPWAY_MAX_QUEUE_WAIT_MS: a request that found no free worker for so long is refused.
  std::optional<std::chrono::milliseconds> queue_wait = {};
  /// SLIPWAY_WORKER_MEMORY_MB: a worker with more resident bytes is ended. 0: no bound.
  std::int64_t memory_bytes = 0;
};

/// kInvalidArgument (id `Config.Invalid`) naming the variable that holds no sensible value.
/// `machine_bytes` is the memory that all workers may use together where none is named.
Result<ScriptSettings> ReadScriptSettings(const GetVariable& get, std::int64_t machine_bytes);

/// Variables of AZUREML_CONFIG_FILE, a JSON object of texts, numbers and booleans.
/// kInvalidArgument (id `Config.Invalid`) where it is none.
Result<std::vector<std::pair<std::string, std::string>>> ReadConfigFile(
    const std::filesystem::path& file);

/// The script that the variables name, over what `config` says: AZUREML_ENTRY_SCRIPT (else
/// AML_ENTRY_SCRIPT), AZUREML_SOURCE_DIRECTORY, AML_APP_ROOT. Absolute ones are looked up under
/// `root`.
ScriptConfig WithEnvironment(ScriptConfig config, const GetVariable& get,
                             const std::filesystem::path& root);

/// AZUREML_MODEL_DIR for these models: the folder that holds the one model's files, or the folder
/// above `<name>/<version>` for several. Empty where there is none.
std::filesystem::path ModelFolder(const std::vector<ModelConfig>& models);

}  // namespace slipway::server
