// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace slipway::cli {

/// `--username`, `--password-stdin`: a password is never an argument, where others could see it.
struct RegistryLoginArguments {
  std::string username;
  bool password_stdin = false;
};
void AddRegistryLoginOptions(CLI::App& app, RegistryLoginArguments& arguments);

/// The login, its password the first line of standard input or `$SLIPWAY_REGISTRY_PASSWORD`.
/// kInvalidArgument (id `Usage`) for one without the other.
Result<void> ReadRegistryLogin(const RegistryLoginArguments& arguments, std::string& username,
                               std::string& password);

}  // namespace slipway::cli
