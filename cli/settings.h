// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/process.h"
#include "base/result.h"

namespace slipway::cli {

using Environment = std::map<std::string, std::string, std::less<>>;

/// What the options that every command has were given as; empty where they were not.
struct Globals {
  std::string output;  ///< `table`, `json`, `yaml`
  std::string workspace, endpoint, token;
  std::string state;
  bool quiet = false;
};

/// The state folder: `--state`, `$SLIPWAY_STATE`, else `slipway` in the XDG data folder.
/// kFailedPrecondition where there is neither that nor a home folder.
Result<std::filesystem::path> StateFolder(const Globals& globals, const Environment& environment);

/// What slipwayd writes to `run/endpoint.json` of its state folder once it listens.
struct LocalService {
  std::string address;  ///< `http://127.0.0.1:4711` or `unix:/path`
  ProcessId process;
};
/// Nothing if there is no such file. kDataLoss (id `State.Damaged`) if it cannot be understood.
Result<std::optional<LocalService>> ReadLocalService(const std::filesystem::path& state);

/// The nearest `.azureml/config.json`, `aml_config/config.json` or `config.json`, in this order,
/// in `start` or a folder above. Source: the v1 workspace file.
struct ConfigFile {
  std::filesystem::path path;
  std::string workspace_name, subscription_id, resource_group;
  std::string endpoint;    ///< ours; empty where the file has none
  std::string token_file;  ///< ours; relative to the file's folder
};
/// Nothing if there is none. A plain `config.json` that is no workspace file belongs to somebody
/// else and is passed over; the others must be right: kInvalidArgument (id `Config.Invalid`).
Result<std::optional<ConfigFile>> FindConfig(const std::filesystem::path& start);

/// Where requests go.
struct Connection {
  std::string base_url;               ///< `http://127.0.0.1:4711`
  std::filesystem::path unix_socket;  ///< instead of what `base_url` says, if not empty
  std::string token, workspace;
};
/// Makes `connection` lead to an address: `127.0.0.1:4711`, `unix:/path` or a URL.
void UseAddress(Connection& connection, const std::string& address);

/// From the options, else the environment (`SLIPWAY_ENDPOINT`, `SLIPWAY_TOKEN`,
/// `SLIPWAY_WORKSPACE`), else the config file, else the service of the state folder.
/// kUnavailable (id `Service.NotRunning`) if that leads nowhere.
Result<Connection> FindConnection(const Globals& globals, const Environment& environment,
                                  const std::filesystem::path& folder);

/// The service of a state folder with the token of that folder, in the workspace `default`.
Result<Connection> LocalConnection(const std::filesystem::path& state, const LocalService& service);

/// The first line of a token file. kInvalidArgument (id `Token.Invalid`) if that is no token.
Result<std::string> ReadToken(const std::filesystem::path& file);

}  // namespace slipway::cli
