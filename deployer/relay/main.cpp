// SPDX-License-Identifier: Apache-2.0
// slipway-relay: holds the port of a service and hands each request to the revision that answers.
#include <cstdlib>

#include "base/command_line.h"
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
  slipway::CommandLine line("Holds the port of a service while its revisions change",
                            "slipway-relay");
  slipway::Options app = line.options();
  slipway::deployer::RelayOptions options;
  std::int64_t timeout_ms = options.timeout.count();
  app.add_option("--listen", options.listen, "HOST:PORT, or fd:N, an inherited socket").required();
  app.add_option("--control", options.control, "Where its upstreams are changed");
  app.add_option("--health-listen", options.health, "Where it answers /readyz");
  std::vector<std::string> upstreams;
  app.add_option("--upstream", upstreams, "http://HOST:PORT[=WEIGHT], may be given again")
      .required();
  app.add_option("--timeout-ms", timeout_ms, "Of one request").within(std::int64_t{1}, INT64_MAX);
  line.footer("Its control token comes in SLIPWAY_RELAY_TOKEN.");
  if (const std::optional<int> status = line.Parse(argc, argv)) return *status;
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
