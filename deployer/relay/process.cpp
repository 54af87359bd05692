// SPDX-License-Identifier: Apache-2.0
#include "deployer/relay/process.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/process/command.h"
#include "deployer/process/socket.h"
#include "deployer/relay/balance.h"

namespace slipway::deployer {
namespace {

constexpr std::size_t kTokenBytes = 16;
constexpr std::string_view kProgram = "slipway-relay";

Result<http::Response> Ask(http::Client& client, const RelayRecord& relay, std::string method,
                           const std::string& target, std::string body = {}) {
  http::Request request{.method = std::move(method),
                        .target = fmt::format("http://127.0.0.1:{}{}", relay.control_port, target),
                        .headers = {{"Authorization", "Bearer " + relay.token}},
                        .body = std::move(body)};
  auto response = client.Send(request);
  if (response && response->status == 200) return response;
  return CauseError("RelayFailed", response
                                       ? fmt::format("the relay answers {}", response->status)
                                       : "the relay does not answer: " + response.error().message);
}

}  // namespace

Result<StartedRelay> StartRelay(const RelayPlan& plan) {
  auto open = ListenOn(plan.host, plan.port);
  if (!open && open.error().id == "Port.InUse") {
    return CauseError("PortInUse", open.error().message);
  }
  if (!open) return std::move(open).error();
  const Listener control = TRY(ListenOn("127.0.0.1", 0));
  StartedRelay started{.record = {.control_port = control.port, .token = RandomHex(kTokenBytes)},
                       .port = open->port};
  const std::filesystem::path program = RelayProgram();
  ProcessSpec process{.argv = {program.string(), "--listen", fmt::format("fd:{}", open->fd.get()),
                               "--control", fmt::format("fd:{}", control.fd.get())},
                      .environment = {"SLIPWAY_RELAY_TOKEN=" + started.record.token,
                                      fmt::format("{}={}", kMarkVariable, plan.mark)},
                      .log = plan.log,
                      .keep_fds = {open->fd.get(), control.fd.get()}};
  for (const Upstream& upstream : plan.upstreams) {
    process.argv.emplace_back("--upstream");
    process.argv.push_back(UpstreamText(upstream));
  }
  auto id = Spawn(process);
  if (!id) {
    return CauseError("RelayFailed",
                      fmt::format("cannot start {}: {}", program.string(), id.error().message));
  }
  started.record.id = *id;
  return started;
}

Result<void> SwitchRelay(http::Client& client, const RelayRecord& relay,
                         const std::vector<Upstream>& upstreams) {
  // A relay that an earlier version started knows only this form.
  const bool one = upstreams.size() == 1;
  const http::Response response =
      TRY(one ? Ask(client, relay, "PUT", "/upstream", upstreams.front().url)
              : Ask(client, relay, "PUT", "/upstreams", DumpJson(ToJson(upstreams))));
  const Json answer = TRY(ParseJson(response.body));
  if (one || answer.contains("upstreams")) return {};
  return CauseError("RelayFailed",
                    "the relay was started by an earlier version, which does not divide requests");
}

Result<std::int64_t> RelayInFlight(http::Client& client, const RelayRecord& relay,
                                   const std::string& upstream) {
  const http::Response response =
      TRY(Ask(client, relay, "GET", "/in-flight?upstream=" + EncodePercent(upstream)));
  return GetInt(TRY(ParseJson(response.body)), "in_flight");
}

Result<std::int64_t> RelayDraining(http::Client& client, const RelayRecord& relay) {
  const http::Response response = TRY(Ask(client, relay, "GET", "/draining"));
  return GetInt(TRY(ParseJson(response.body)), "in_flight");
}

std::filesystem::path RelayProgram() { return ThisProgram().parent_path() / kProgram; }

}  // namespace slipway::deployer
