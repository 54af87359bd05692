// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <memory>

#include "cli/command.h"
#include "cli/context.h"

namespace slipway::cli {
namespace {

Body Bind(Options& options) {
  auto shell = std::make_shared<std::string>();
  options.add_option("SHELL", *shell, "bash, zsh or fish")
      .required()
      .one_of({"bash", "zsh", "fish"});
  return [shell](Context& context) { return context.Print(CompletionScript(*shell)); };
}

}  // namespace

Command commands_completion() {
  return {.path = "completion",
          .summary = "Print a script that lets a shell complete commands and options",
          .example = "source <(slipway completion bash)",
          .bind = Bind};
}

}  // namespace slipway::cli
