// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <string_view>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/context.h"

namespace {

slipway::cli::Environment ReadEnvironment() {
  slipway::cli::Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  slipway::log::SetLevel(slipway::log::Level::kWarn);
  std::error_code ignored;
  slipway::cli::Context context({.out = std::cout,
                                 .err = std::cerr,
                                 .environment = ReadEnvironment(),
                                 .folder = std::filesystem::current_path(ignored),
                                 .clock = slipway::SystemClock(),
                                 .out_is_terminal = ::isatty(STDOUT_FILENO) != 0});
  return slipway::cli::Main(argc, argv, context);
}
