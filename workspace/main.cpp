// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/command_line.h"
#include "base/file.h"
#include "base/http/server.h"
#include "base/json.h"
#include "base/log.h"
#include "workspace/router.h"
#include "workspace/script_environment.h"
#include "workspace/served_image.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// Of what environments are made of, from when it was fetched.
constexpr std::int64_t kKeptSeconds = std::int64_t{30} * 24 * 3600;

struct Arguments {
  std::string state;
  std::vector<std::string> listen{"127.0.0.1:0"};
  std::string script, conda, model;
  std::vector<std::string> keep;
  bool fresh = false;
  std::string image, digest;
  int answer_fd = STDOUT_FILENO;
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

void Tell(const Arguments& arguments, const std::string& text) {
  const std::string line = text + "\n";
  static_cast<void>(WriteAll(arguments.answer_fd, std::as_bytes(std::span(line))).has_value());
}

/// The state folder as soon as no other program has it open.
Result<std::unique_ptr<Workspace>> OpenWhenFree(const Arguments& arguments,
                                                const imagebuilder::WorkHooks& hooks) {
  constexpr std::chrono::milliseconds kPoll{100};
  constexpr int kTries = 36'000;
  for (int i = 0;; ++i) {
    auto opened = Workspace::Open({.state = arguments.state,
                                   .server_program = DefaultServerProgram(),
                                   .garbage_grace_seconds = kKeptSeconds,
                                   .pack_ahead = false});
    if (opened || opened.error().id != "State.InUse" || i == kTries) return opened;
    if (i == 0) hooks.Say("waiting for another program that is at work in its folder");
    SystemClock().Sleep(kPoll);
  }
}

imagebuilder::WorkHooks HooksOf(const Arguments& arguments) {
  return {.say = [&arguments](std::string_view line) {
    Tell(arguments, DumpJson({{"say", std::string(line)}}));
  }};
}

Result<ScriptEnvironment> MakeEnvironment(const Arguments& arguments) {
  const imagebuilder::WorkHooks hooks = HooksOf(arguments);
  const std::unique_ptr<Workspace> workspace = TRY(OpenWhenFree(arguments, hooks));
  return MakeScriptEnvironment(*workspace,
                               {.script = arguments.script,
                                .conda = arguments.conda,
                                .model = arguments.model,
                                .keep = arguments.keep,
                                .fresh = arguments.fresh},
                               hooks);
}

Result<ServedImage> UnpackImage(const Arguments& arguments) {
  if (arguments.image.empty() && arguments.digest.empty()) {
    return Error{
        .code = Code::kInvalidArgument, .message = "give --image, --digest or both", .id = "Usage"};
  }
  const imagebuilder::WorkHooks hooks = HooksOf(arguments);
  const std::unique_ptr<Workspace> workspace = TRY(OpenWhenFree(arguments, hooks));
  return LayOutServed(*workspace, {.place = arguments.image, .digest = arguments.digest}, hooks);
}

/// Makes one environment, tells of it line by line as JSON, and ends.
int Environment(const Arguments& arguments) {
  const Result<ScriptEnvironment> made = MakeEnvironment(arguments);
  Tell(arguments, ScriptEnvironmentText(made));
  return made ? 0 : Report(made.error());
}

/// The same with an image.
int Unpack(const Arguments& arguments) {
  const Result<ServedImage> served = UnpackImage(arguments);
  Tell(arguments, ServedImageText(served));
  return served ? 0 : Report(served.error());
}

void AddEnvironment(CommandLine& line, Arguments& arguments, bool& chosen) {
  Options environment = line.add_subcommand(
      "environment", "Make the Python environment of a scoring script, for slipway serve, and end",
      chosen);
  environment.add_option("--script", arguments.script, "The script, which is checked").required();
  environment.add_option("--conda", arguments.conda, "Its dependency file").required();
  environment.add_option("--model", arguments.model, "Name of the model that the script finds");
  environment.add_option("--keep", arguments.keep, "Package not to be met by Slipway's modules");
  environment.add_flag("--fresh", arguments.fresh, "Resolve anew");
  environment.add_option("--answer-fd", arguments.answer_fd, "Where to tell, as lines of JSON");
}

void AddUnpack(CommandLine& line, Arguments& arguments, bool& chosen) {
  Options unpack =
      line.add_subcommand("unpack", "Lay an image out, for slipway serve, and end", chosen);
  unpack.add_option("--image", arguments.image,
                    "OCI layout or archive; without it the image is here");
  unpack.add_option("--digest", arguments.digest, "Digest that it must have");
  unpack.add_option("--answer-fd", arguments.answer_fd, "Where to tell, as lines of JSON");
}

int Main(int argc, char** argv) {
  http::BlockStopSignals();
  Arguments arguments;
  CommandLine line("The Slipway workspace service", "slipwayd");
  Options app = line.options();
  app.add_option("--state", arguments.state, "State folder; made where it is not there").required();
  app.add_option("--listen", arguments.listen,
                 "Where to listen: 127.0.0.1:PORT, [::1]:PORT or unix:/path; may be repeated");
  bool makes_environment = false, unpacks = false;
  AddEnvironment(line, arguments, makes_environment);
  AddUnpack(line, arguments, unpacks);
  line.version("slipwayd " SLIPWAY_VERSION);
  line.footer("Example: slipwayd --state ~/.local/share/slipway --listen 127.0.0.1:7700");
  if (const std::optional<int> status = line.Parse(argc, argv)) return *status;
  if (makes_environment) return Environment(arguments);
  if (unpacks) return Unpack(arguments);
  const Result<void> served = Serve(arguments);
  return served ? 0 : Report(served.error());
}

}  // namespace
}  // namespace slipway::workspace

int main(int argc, char** argv) { return slipway::workspace::Main(argc, argv); }
