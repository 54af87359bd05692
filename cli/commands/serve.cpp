// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/file.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/daemon.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string model;
  int port = 5001, threads = 0;
};

/// Becomes slipway-serve; returns only if that fails.
Result<void> Serve(Context& context, const Arguments& arguments) {
  const auto program = TRY(FindProgram(context, "SLIPWAY_SERVE", "slipway-serve"));
  std::error_code ignored;
  const auto model = context.folder() / arguments.model;
  if (!std::filesystem::exists(model, ignored)) return SystemError(model.string(), ENOENT);
  std::vector<std::string> words = {program.string(), model.string(),
                                    "--listen",       "127.0.0.1:" + std::to_string(arguments.port),
                                    "--threads",      std::to_string(arguments.threads)};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  context.Progress("http://127.0.0.1:" + std::to_string(arguments.port) + "/score");
  ::execv(program.c_str(), argv.data());
  return SystemError(program.string(), errno);
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("FILE", arguments->model, "An .onnx file, or a folder that holds one")
      .required();
  options.add_option("--port", arguments->port, "Port on 127.0.0.1")
      .within(1, 65535)
      .capture_default_str();
  options.add_option("--threads", arguments->threads, "Cores to use; 0: all")
      .within(0, 4096)
      .capture_default_str();
  return [arguments](Context& context) { return Serve(context, *arguments); };
}

}  // namespace

Command commands_serve() {
  return {.path = "serve",
          .summary = "Score one model at once, without a workspace, until stopped",
          .example = "slipway serve digits.onnx --port 5001",
          .bind = Bind};
}

}  // namespace slipway::cli
