// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "runtime/server/serve.h"
#include "runtime/server/wait_policy.h"

namespace slipway::server {
namespace {

constexpr int kFailed = 1, kWrongUse = 2, kInitFailed = 3;

struct Arguments {
  std::string model, config, root, name, version = "1";
  std::vector<std::string> listen, health_listen;
  int port = -1, threads = 0;
  bool access_log = false;
};

void Describe(CLI::App& app, Arguments& arguments) {
  app.add_option("MODEL", arguments.model, "An .onnx file, or a folder that holds one");
  app.add_option("--config", arguments.config, "serve.json: the models and the port");
  app.add_option("--root", arguments.root, "Folder under which absolute paths are looked up");
  app.add_option("--name", arguments.name, "Name of MODEL; its file's stem if not given");
  app.add_option("--version", arguments.version, "Version of MODEL")->capture_default_str();
  app.add_option("--port", arguments.port, "Port on all addresses, instead of 5001")
      ->check(CLI::Range(0, 65535));
  app.add_option("--listen", arguments.listen,
                 "HOST:PORT, unix:/PATH or fd:N (an inherited socket), instead of --port");
  app.add_option("--health-listen", arguments.health_listen,
                 "Another address, answered from the first moment on");
  app.add_option("--threads", arguments.threads, "Cores to use; 0: all")
      ->check(CLI::Range(0, 4096));
  app.add_flag("--access-log", arguments.access_log, "Log each request");
  app.footer("Example: slipway-serve mnist.onnx --port 5001");
}

Result<ServeOptions> OptionsOf(const Arguments& arguments) {
  ServeOptions options;
  Environment environment = TRY(ReadEnvironment([](const char* name) { return getenv(name); }));
  ServeConfig config;
  if (!arguments.config.empty() && !arguments.model.empty()) {
    return Error{.code = Code::kInvalidArgument, .message = "give MODEL or --config, not both"};
  }
  if (!arguments.config.empty()) {
    config = TRY(ReadConfig(arguments.config, arguments.root));
  } else if (!arguments.model.empty()) {
    const std::filesystem::path path = Rooted(arguments.model, arguments.root);
    const std::filesystem::path file = TRY(ModelFile(path));
    config.models.push_back({.name = arguments.name.empty() ? file.stem().string() : arguments.name,
                             .version = arguments.version,
                             .path = file});
  } else if (!environment.model_folder.empty()) {
    config.models = TRY(FindModels(Rooted(environment.model_folder, arguments.root)));
  } else {
    return Error{.code = Code::kInvalidArgument,
                 .message = "nothing to serve: give MODEL, --config or AZUREML_MODEL_DIR"};
  }
  const int port = arguments.port >= 0 ? arguments.port : config.port;
  options.listen = arguments.listen;
  if (options.listen.empty()) options.listen.push_back(fmt::format("0.0.0.0:{}", port));
  options.health_listen = arguments.health_listen;
  options.access_log = arguments.access_log;
  options.scorer = {.models = std::move(config.models),
                    .threads = arguments.threads,
                    .timeout = environment.scoring_timeout,
                    .environment = environment};
  return options;
}

int Fail(const Error& error, int status) {
  log::Failure("slipway-serve: " + error.message, {{"cause", ErrorId(error)}, {"fix", error.fix}});
  return status;
}

int Serve(const Arguments& arguments) {
  auto options = OptionsOf(arguments);
  if (!options) {
    const bool use = options.error().code == Code::kInvalidArgument && options.error().id.empty();
    return Fail(options.error(), use ? kWrongUse : kInitFailed);
  }
  auto service = Service::Start(*std::move(options));
  if (!service) return Fail(service.error(), kFailed);
  if (auto loaded = (*service)->Load(); !loaded) {
    if (loaded.error().id != "Model.WrongAnswer") {
      return Fail(loaded.error(), loaded.error().id == "Port.InUse" ? kFailed : kInitFailed);
    }
    Fail(loaded.error(), kFailed);
  } else {
    log::Info("serving", {{"listen", Join((*service)->addresses(), ",")},
                          {"models", (*service)->scorer().models().size()},
                          {"state", (*service)->scorer().ready().detail}});
  }
  const int signal = http::WaitForStopSignal();
  (*service)->Drain();
  log::Info("stopped", {{"signal", signal}});
  return 0;
}

}  // namespace
}  // namespace slipway::server

int main(int argc, char** argv) {
  slipway::server::UsePassiveWaiting();
  slipway::http::BlockStopSignals();
  CLI::App app{"Answers scoring requests with ONNX models", "slipway-serve"};
  slipway::server::Arguments arguments;
  slipway::server::Describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : slipway::server::kWrongUse;
  }
  return slipway::server::Serve(arguments);
}
