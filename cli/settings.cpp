// SPDX-License-Identifier: Apache-2.0
#include "cli/settings.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSmallFileBytes = 64 << 10;

std::string Lookup(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

Result<ConfigFile> ReadConfig(const fs::path& path) {
  const std::string text = TRY(ReadFile(path, kSmallFileBytes));
  const Json json = TRY(ParseJson(text));
  ConfigFile config;
  config.path = path;
  config.workspace_name = TRY(GetString(json, "workspace_name"));
  config.subscription_id = TRY(GetStringOr(json, "subscription_id", ""));
  config.resource_group = TRY(GetStringOr(json, "resource_group", ""));
  config.endpoint = TRY(GetStringOr(json, "endpoint", ""));
  config.token_file = TRY(GetStringOr(json, "token_file", ""));
  return config;
}

Result<void> UseLocalService(Connection& connection, const fs::path& state) {
  const auto local = TRY(ReadLocalService(state));
  if (!local || !IsRunning(local->process)) {
    return Error{.code = Code::kUnavailable,
                 .message = "no workspace service runs for the state folder " + state.string(),
                 .id = "Service.NotRunning",
                 .fix = "slipway up, or name one with --endpoint"};
  }
  UseAddress(connection, local->address);
  return {};
}

/// Whether `connection` leads to the service of the state folder, whose token is in a file there.
bool IsLocal(const Connection& connection, const fs::path& state) {
  const auto local = ReadLocalService(state);
  if (!local || !*local) return false;
  Connection other;
  UseAddress(other, (*local)->address);
  return other.base_url == connection.base_url && other.unix_socket == connection.unix_socket;
}

}  // namespace

void UseAddress(Connection& connection, const std::string& address) {
  if (address.starts_with("unix:")) {
    connection.unix_socket = address.substr(5);
    connection.base_url = "http://localhost";
    return;
  }
  connection.base_url = address.find("://") == std::string::npos ? "http://" + address : address;
  while (connection.base_url.ends_with('/')) connection.base_url.pop_back();
}

Result<fs::path> StateFolder(const Globals& globals, const Environment& environment) {
  std::string state = globals.state.empty() ? Lookup(environment, "SLIPWAY_STATE") : globals.state;
  if (!state.empty()) {
    std::error_code error;
    const fs::path absolute = fs::absolute(state, error);
    if (error) return SystemError("state folder " + state, error.value());
    return absolute.lexically_normal();
  }
  const std::string data = Lookup(environment, "XDG_DATA_HOME");
  if (fs::path(data).is_absolute()) return fs::path(data) / "slipway";
  const std::string home = Lookup(environment, "HOME");
  if (!home.empty()) return fs::path(home) / ".local/share/slipway";
  return Error{.code = Code::kFailedPrecondition,
               .message = "no state folder: neither SLIPWAY_STATE nor HOME is set",
               .id = "State.Unknown",
               .fix = "give one with --state DIR"};
}

Result<std::optional<LocalService>> ReadLocalService(const fs::path& state) {
  const fs::path file = state / "run" / "endpoint.json";
  const auto text = ReadFile(file, kSmallFileBytes);
  if (!text) {
    if (text.error().code == Code::kNotFound) return std::optional<LocalService>();
    return text.error();
  }
  const auto damaged = [&](Error error) {
    error = Within(file.string(), std::move(error));
    error.code = Code::kDataLoss;
    error.id = "State.Damaged";
    error.fix = "remove the file; slipway up writes it anew";
    return error;
  };
  const auto json = ParseJson(*text);
  if (!json) return damaged(json.error());
  auto address = GetString(*json, "address");
  auto pid = GetInt(*json, "pid");
  auto start_ticks = GetInt(*json, "start_ticks");
  if (!address) return damaged(address.error());
  if (!pid) return damaged(pid.error());
  if (!start_ticks) return damaged(start_ticks.error());
  return std::optional<LocalService>(
      {.address = *address,
       .process = {.pid = static_cast<pid_t>(*pid),
                   .start_ticks = static_cast<std::uint64_t>(*start_ticks)}});
}

Result<std::optional<ConfigFile>> FindConfig(const fs::path& start) {
  for (fs::path folder = start;; folder = folder.parent_path()) {
    for (const char* name : {".azureml/config.json", "aml_config/config.json", "config.json"}) {
      const fs::path path = folder / name;
      std::error_code ignored;
      if (!fs::is_regular_file(path, ignored)) continue;
      auto config = ReadConfig(path);
      if (config) return std::optional<ConfigFile>(*std::move(config));
      if (std::string_view(name) == "config.json") continue;
      Error error = Within(path.string(), std::move(config).error());
      error.code = Code::kInvalidArgument;
      error.id = "Config.Invalid";
      error.fix = "slipway workspace attach NAME writes it anew";
      return error;
    }
    if (folder == folder.parent_path()) return std::optional<ConfigFile>();
  }
}

Result<std::string> ReadToken(const fs::path& file) {
  const std::string text = TRY(ReadFile(file, kSmallFileBytes));
  const std::string token(Trim(text));
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("-._~+/=").find(char(c)) != std::string::npos;
  };
  if (token.empty() || !std::all_of(token.begin(), token.end(), allowed)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "token file " + file.string() + ": this is no token",
                 .id = "Token.Invalid",
                 .fix = "it holds one line of letters, digits and -._~+/="};
  }
  return token;
}

Result<Connection> LocalConnection(const fs::path& state, const LocalService& service) {
  Connection connection;
  UseAddress(connection, service.address);
  connection.token = TRY(ReadToken(state / "admin.token"));
  connection.workspace = "default";
  return connection;
}

Result<Connection> FindConnection(const Globals& globals, const Environment& environment,
                                  const fs::path& folder) {
  const auto chosen = [&](const std::string& option, std::string_view variable) {
    return option.empty() ? Lookup(environment, variable) : option;
  };
  const auto config = TRY(FindConfig(folder));
  const auto state = StateFolder(globals, environment);
  Connection connection;

  connection.workspace = chosen(globals.workspace, "SLIPWAY_WORKSPACE");
  if (connection.workspace.empty() && config) connection.workspace = config->workspace_name;
  if (connection.workspace.empty()) connection.workspace = "default";

  std::string endpoint = chosen(globals.endpoint, "SLIPWAY_ENDPOINT");
  const bool from_config = endpoint.empty() && config && !config->endpoint.empty();
  if (from_config) endpoint = config->endpoint;
  if (endpoint.empty()) {
    if (!state) return state.error();
    TRY(UseLocalService(connection, *state));
  } else {
    UseAddress(connection, endpoint);
  }

  connection.token = chosen(globals.token, "SLIPWAY_TOKEN");
  if (!connection.token.empty()) return connection;
  if (from_config && !config->token_file.empty()) {
    connection.token = TRY(ReadToken(config->path.parent_path() / config->token_file));
  } else if (state && IsLocal(connection, *state)) {
    connection.token = TRY(ReadToken(*state / "admin.token"));
  }
  return connection;
}

}  // namespace slipway::cli
