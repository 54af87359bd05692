// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/command_line.h"
#include "base/result.h"

namespace slipway::cli {

/// `--username`, `--password-stdin`: a password is never an argument, where others could see it.
/// `--ca`: a file of certificate authorities.
struct RegistryLoginArguments {
  std::string username, ca;
  bool password_stdin = false;
};
void AddRegistryLoginOptions(Options& options, RegistryLoginArguments& arguments);

/// The text of `--ca`, looked for in `folder`; empty where it is not given.
Result<std::string> ReadRegistryCa(const RegistryLoginArguments& arguments,
                                   const std::filesystem::path& folder);

/// The login, its password the first line of standard input or `$SLIPWAY_REGISTRY_PASSWORD`.
/// kInvalidArgument (id `Usage`) for one without the other.
Result<void> ReadRegistryLogin(const RegistryLoginArguments& arguments, std::string& username,
                               std::string& password);

}  // namespace slipway::cli
