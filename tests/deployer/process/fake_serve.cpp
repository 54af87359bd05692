// SPDX-License-Identifier: Apache-2.0
// Stands in for the scoring server: takes its options and misbehaves as `--mode` says.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "base/http/server.h"

namespace {

using slipway::http::Request;
using slipway::http::Response;
using slipway::http::Server;
using slipway::http::ServerOptions;

struct Options {
  std::string mode = "ok", argument, say = "hello", listen, health;
};

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--mode") {
      options.mode = value.substr(0, value.find(':'));
      if (value.find(':') != std::string::npos) {
        options.argument = value.substr(value.find(':') + 1);
      }
    }
    if (name == "--say") options.say = value;
    if (name == "--listen") options.listen = value;
    if (name == "--health-listen") options.health = value;
  }
  return options;
}

std::unique_ptr<Server> Start(const std::string& address, slipway::http::Handler handler) {
  ServerOptions options;
  options.listen = {address};
  auto server = Server::Start(std::move(options), std::move(handler));
  if (!server) {
    std::fprintf(stderr, "fake_serve: %s\n", server.error().message.c_str());
    std::exit(1);
  }
  return *std::move(server);
}

Response Readiness(const std::string& mode, bool ready) {
  if (ready) return slipway::http::JsonResponse(200, R"({"state":"ready","message":"fine"})");
  const std::string state = mode == "wrong" ? "wrong" : "loading";
  return slipway::http::JsonResponse(503, R"({"state":")" + state + R"(","message":"not yet"})");
}

}  // namespace

int main(int argc, char** argv) {
  slipway::http::BlockStopSignals();
  const Options options = ParseOptions(argc, argv);
  std::fprintf(stderr, "fake_serve: %s starts\n", options.mode.c_str());
  if (options.mode == "exit") return std::atoi(options.argument.c_str());
  if (options.mode == "crash") {
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
  }
  std::atomic<bool> ready = false;
  auto health = Start(options.health, [&](Request&) { return Readiness(options.mode, ready); });
  std::unique_ptr<Server> server;
  if (options.mode == "slow") {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(options.argument.c_str())));
  }
  if (options.mode != "hang" && options.mode != "wrong") {
    server = Start(options.listen, [&](Request& request) {
      if (request.target == "/die") ::_exit(9);
      Response response;
      response.body = options.say;
      return response;
    });
    ready = true;
  }
  do {
    slipway::http::WaitForStopSignal();
  } while (options.mode == "stubborn");
  if (server) server->Drain();
  health->Drain();
  return 0;
}
