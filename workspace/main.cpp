// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "base/http/server.h"
#include "base/log.h"
#include "workspace/router.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

struct Arguments {
  std::string state;
  std::vector<std::string> listen{"127.0.0.1:0"};
};

int Report(const Error& error) {
  std::fprintf(stderr, "slipwayd: %s\ncause: %s\n", error.message.c_str(), ErrorId(error).c_str());
  if (!error.fix.empty()) std::fprintf(stderr, "fix: %s\n", error.fix.c_str());
  return ExitCode(error.code);
}

std::string AddressForClients(const std::string& bound) {
  return bound.rfind("unix:", 0) == 0 ? bound : "http://" + bound;
}

Result<void> Serve(const Arguments& arguments) {
  const std::unique_ptr<Workspace> workspace =
      TRY(Workspace::Open({.state = arguments.state, .server_program = DefaultServerProgram()}));
  const Router router(*workspace);
  const std::unique_ptr<http::Server> server = TRY(
      http::Server::Start(ServerOptionsFor(arguments.listen),
                          [&router](http::Request& request) { return router.Handle(request); }));
  const std::string address = AddressForClients(server->addresses().front());
  TRY(workspace->Announce(address));
  std::printf("slipwayd ready %s\n", address.c_str());
  std::fflush(stdout);
  log::Info("ready", {{"address", address}, {"state", workspace->config().state.string()}});
  const int signal = http::WaitForStopSignal();
  log::Info("stopping", {{"signal", signal}});
  workspace->StopOperations();
  server->Drain();
  workspace->Suspend();
  return {};
}

int Main(int argc, char** argv) {
  http::BlockStopSignals();
  Arguments arguments;
  CLI::App app("The Slipway workspace service", "slipwayd");
  app.add_option("--state", arguments.state, "State folder; made where it is not there")
      ->required();
  app.add_option("--listen", arguments.listen,
                 "Where to listen: 127.0.0.1:PORT, [::1]:PORT or unix:/path; may be repeated");
  app.set_version_flag("--version", "slipwayd " SLIPWAY_VERSION);
  app.footer("Example: slipwayd --state ~/.local/share/slipway --listen 127.0.0.1:7700");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    constexpr int kWrongUse = 2;
    return app.exit(error) == 0 ? 0 : kWrongUse;
  }
  const Result<void> served = Serve(arguments);
  return served ? 0 : Report(served.error());
}

}  // namespace
}  // namespace slipway::workspace

int main(int argc, char** argv) { return slipway::workspace::Main(argc, argv); }
