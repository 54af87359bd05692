// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::imagebuilder {

/// Where things lie in an image.
inline constexpr std::string_view kAppRoot = "/var/azureml-app";
inline constexpr std::string_view kModelsFolder = "/var/azureml-app/azureml-models";
inline constexpr std::string_view kServerProgram = "/opt/slipway/bin/slipway-serve";
inline constexpr std::string_view kLibraryFolder = "/opt/slipway/lib";
inline constexpr std::string_view kServerConfig = "/opt/slipway/serve.json";
/// One folder below for each entry that Slipway adds to Python's module search path.
inline constexpr std::string_view kModulesFolder = "/opt/slipway/python";
/// Owner of the server's process.
inline constexpr int kUserId = 65532;

/// `/var/azureml-app/azureml-models/<name>/<version>`
inline std::string ModelFolder(std::string_view name, std::int64_t version) {
  return std::string(kModelsFolder) + "/" + std::string(name) + "/" + std::to_string(version);
}

}  // namespace slipway::imagebuilder
