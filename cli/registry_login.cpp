// SPDX-License-Identifier: Apache-2.0
#include "cli/registry_login.h"

#include <cstdlib>
#include <iostream>

#include "base/file.h"
#include "base/limits.h"

namespace slipway::cli {

void AddRegistryLoginOptions(Options& options, RegistryLoginArguments& arguments) {
  options.add_option("--username", arguments.username,
                     "Who logs in to the registry; else ~/.docker/config.json of the service");
  options.add_flag("--password-stdin", arguments.password_stdin,
                   "Read the password from standard input; else $SLIPWAY_REGISTRY_PASSWORD");
  options
      .add_option("--ca", arguments.ca,
                  "Certificates to trust too, PEM; else /etc/docker/certs.d/HOST of the service")
      .type_name("FILE");
}

Result<std::string> ReadRegistryCa(const RegistryLoginArguments& arguments,
                                   const std::filesystem::path& folder) {
  if (arguments.ca.empty()) return std::string();
  return ReadFile(folder / arguments.ca, limits::kTextChars);
}

Result<void> ReadRegistryLogin(const RegistryLoginArguments& arguments, std::string& username,
                               std::string& password) {
  username = arguments.username;
  if (username.empty() && !arguments.password_stdin) return {};
  if (arguments.password_stdin) {
    std::getline(std::cin, password);
  } else if (const char* given = std::getenv("SLIPWAY_REGISTRY_PASSWORD"); given != nullptr) {
    password = given;
  }
  if (!username.empty() && !password.empty()) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = username.empty() ? "--password-stdin needs --username"
                                           : "--username needs a password",
               .id = "Usage",
               .fix =
                   "echo \"$PASSWORD\" | slipway image push … --username NAME "
                   "--password-stdin"};
}

}  // namespace slipway::cli
