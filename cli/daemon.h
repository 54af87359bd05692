// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/context.h"
#include "cli/settings.h"

namespace slipway::cli {

/// The service of a state folder, if its process runs. Errors as ReadLocalService.
Result<std::optional<LocalService>> RunningService(const std::filesystem::path& state);

struct StartOptions {
  int port = 0;  ///< 0: any that is free
  double timeout_seconds = 30;
};

/// Starts slipwayd (`$SLIPWAYD`, else the program beside this one) detached and waits until it
/// is ready. One that ends instead gives the error it wrote to its log; one that is not ready in
/// time is stopped again: kDeadlineExceeded (id `Service.NotReady`).
Result<LocalService> StartService(Context& context, const std::filesystem::path& state,
                                  const StartOptions& options);

/// A program of ours: `variable` of the environment, else `name` beside this one. kNotFound
/// (id `Program.NotFound`).
Result<std::filesystem::path> FindProgram(const Context& context, const char* variable,
                                          const std::string& name);

}  // namespace slipway::cli
