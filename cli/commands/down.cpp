// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/daemon.h"

namespace slipway::cli {
namespace {

constexpr std::chrono::milliseconds kGrace{30'000};

Result<void> Down(Context& context) {
  const auto state = TRY(context.state_folder());
  const auto service = TRY(RunningService(state));
  if (!service) {
    context.Progress("it does not run");
    return {};
  }
  TRY(Terminate(service->process, kGrace));
  context.Progress("stopped");
  return {};
}

Body Bind(Options&) { return Down; }

}  // namespace

Command commands_down() {
  return {.path = "down",
          .summary = "Stop the local workspace service and what runs beside it",
          .example = "slipway down",
          .bind = Bind};
}

}  // namespace slipway::cli
