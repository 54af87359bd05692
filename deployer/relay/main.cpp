// SPDX-License-Identifier: Apache-2.0
// slipway-relay: holds the port of a service and hands each request to the revision that answers.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "base/log.h"
#include "deployer/relay/relay.h"

namespace {

int Run(slipway::deployer::RelayOptions options) {
  if (const char* token = std::getenv("SLIPWAY_RELAY_TOKEN")) options.token = token;
  if (options.token.empty() && !options.control.empty()) {
    slipway::log::Failure("slipway-relay: SLIPWAY_RELAY_TOKEN is not set", {});
    return 2;
  }
  auto relay = slipway::deployer::Relay::Start(std::move(options));
  if (!relay) {
    slipway::log::Failure("slipway-relay: " + relay.error().message, {});
    return 1;
  }
  slipway::http::WaitForStopSignal();
  (*relay)->Drain();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  slipway::http::BlockStopSignals();
  CLI::App app{"Holds the port of a service while its revisions change", "slipway-relay"};
  slipway::deployer::RelayOptions options;
  std::int64_t timeout_ms = options.timeout.count();
  app.add_option("--listen", options.listen, "HOST:PORT, or fd:N, an inherited socket")->required();
  app.add_option("--control", options.control, "Where its upstreams are changed");
  app.add_option("--health-listen", options.health, "Where it answers /readyz");
  std::vector<std::string> upstreams;
  app.add_option("--upstream", upstreams, "http://HOST:PORT[=WEIGHT], may be given again")
      ->required();
  app.add_option("--timeout-ms", timeout_ms, "Of one request")->check(CLI::PositiveNumber);
  app.footer("Its control token comes in SLIPWAY_RELAY_TOKEN.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.timeout = std::chrono::milliseconds(timeout_ms);
  for (const std::string& text : upstreams) {
    auto upstream = slipway::deployer::ParseUpstream(text);
    if (!upstream) {
      slipway::log::Failure("slipway-relay: --upstream: " + upstream.error().message, {});
      return 2;
    }
    options.upstreams.push_back(*std::move(upstream));
  }
  return Run(std::move(options));
}
