// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/byte_size.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/bounds.h"
#include "runtime/server/serve.h"
#include "runtime/server/wait_policy.h"

namespace slipway::server {
namespace {

constexpr int kFailed = 1, kWrongUse = 2, kInitFailed = 3;

struct Arguments {
  std::string model, config, root, name, version = "1";
  std::string script, python = "/usr/bin/python3", model_dir;
  std::vector<std::string> listen, health_listen, python_path;
  std::string memory_limit, precision;
  double time_limit = 0, tune_seconds = 0;
  bool deterministic = false;
  int port = -1, threads = 0;
  bool access_log = false;
};

void Describe(CommandLine& line, Arguments& arguments) {
  Options app = line.options();
  app.add_option("MODEL", arguments.model, "An .onnx file, or a folder that holds one");
  app.add_option("--config", arguments.config,
                 "serve.json: the models and the port; with --script, the Python that runs it");
  app.add_option("--root", arguments.root, "Folder under which absolute paths are looked up");
  app.add_option("--name", arguments.name, "Name of MODEL; its file's stem if not given");
  app.add_option("--version", arguments.version, "Version of MODEL").capture_default_str();
  app.add_option("--script", arguments.script, "A scoring script with init() and run()");
  app.add_option("--python", arguments.python, "The Python that runs the script")
      .capture_default_str();
  app.add_option("--python-path", arguments.python_path, "Folders for its modules");
  app.add_option("--model-dir", arguments.model_dir, "AZUREML_MODEL_DIR of the script");
  app.add_option("--port", arguments.port, "Port on all addresses, instead of 5001")
      .within(0, 65535);
  app.add_option("--listen", arguments.listen,
                 "HOST:PORT, unix:/PATH or fd:N (an inherited socket), instead of --port");
  app.add_option("--health-listen", arguments.health_listen,
                 "Another address, answered from the first moment on");
  app.add_option("--threads", arguments.threads, "Cores to use; 0: all").within(0, 4096);
  app.add_option("--memory-limit", arguments.memory_limit,
                 "Most memory of a model, its weights and runs, such as 512M or 2G; by default "
                 "what this process may use")
      .type_name("BYTES");
  app.add_option("--time-limit", arguments.time_limit,
                 "Give up on a run of a model after so long; 0: never")
      .type_name("SECONDS")
      .within(0.0, 1e9);
  app.add_option("--tune", arguments.tune_seconds,
                 "Measure for so long at most, before it is ready, which kernels are the quickest "
                 "here, and keep the choices in MODEL.choices.json beside MODEL.onnx")
      .type_name("SECONDS")
      .within(0.0, 3600.0);
  app.add_flag("--deterministic", arguments.deterministic,
               "Kernels by rule alone, whatever choices lie beside the model");
  app.add_option("--precision", arguments.precision,
                 "fp32, or what products of weights are computed in where that gains: bf16, int8")
      .type_name("NAME");
  app.add_flag("--access-log", arguments.access_log, "Log each request");
  line.footer(
      "Examples:\n"
      "  slipway-serve mnist.onnx --port 5001\n"
      "  slipway-serve --script score.py --model-dir models/mnist/1");
}

const char* GetVariableOfProcess(const char* name) { return std::getenv(name); }

/// Sets the variables of AZUREML_CONFIG_FILE that the environment does not have.
Result<void> ApplyConfigFile(const std::filesystem::path& root) {
  const char* file = std::getenv("AZUREML_CONFIG_FILE");
  if (file == nullptr || *file == '\0') return {};
  for (const auto& [name, value] : TRY(ReadConfigFile(Rooted(file, root)))) {
    ::setenv(name.c_str(), value.c_str(), 0);
  }
  return {};
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> all;
  for (char** item = environ; *item != nullptr; ++item) all.emplace_back(*item);
  return all;
}

/// A script that is tried by hand: with the Python modules that lie beside this program.
ScriptConfig ScriptByHand(const Arguments& arguments) {
  namespace fs = std::filesystem;
  ScriptConfig config{.python = arguments.python, .root = arguments.root};
  if (!arguments.script.empty()) config.entry = fs::absolute(arguments.script);
  for (const std::string& folder : arguments.python_path) {
    config.python_path.push_back(fs::absolute(folder));
  }
  const fs::path modules = ThisProgram().parent_path().parent_path() / "lib/slipway/python";
  config.python_path.push_back(modules / "worker");
  config.python_fallback = {modules / "onnxruntime", modules / "azureml"};
  return config;
}

Result<ScriptHostOptions> ScriptOptionsOf(const Arguments& arguments, ScriptConfig config,
                                          const std::vector<ModelConfig>& models) {
  ScriptHostOptions options;
  const bool by_hand = !arguments.script.empty();
  if (by_hand) config.source_directory = config.app_root = config.entry.parent_path();
  options.config = by_hand
                       ? std::move(config)
                       : WithEnvironment(std::move(config), GetVariableOfProcess, arguments.root);
  options.settings = TRY(ReadScriptSettings(GetVariableOfProcess, runtime::UsableMemoryBytes()));
  options.around.environment = OwnEnvironment();
  const char* folder = std::getenv("AZUREML_MODEL_DIR");
  if (!arguments.model_dir.empty()) {
    options.around.model_folder = std::filesystem::absolute(arguments.model_dir);
  } else if (folder != nullptr && *folder != '\0') {
    options.around.model_folder = Rooted(folder, arguments.root);
  } else {
    options.around.model_folder = ModelFolder(models);
  }
  return options;
}

/// Another script for the Python that a configuration names.
Result<void> ReplaceScript(const Arguments& arguments, ServeConfig& config) {
  if (config.script) {
    config.script->entry = std::filesystem::absolute(arguments.script);
    return {};
  }
  return Error{.code = Code::kInvalidArgument,
               .message = arguments.config + " names no Python for --script",
               .id = "Config.Invalid"};
}

/// What is to be served, by the arguments or else by the environment.
Result<ServeConfig> ConfigOf(const Arguments& arguments, const Environment& environment) {
  ServeConfig config;
  const bool scripted = !arguments.script.empty();
  const bool given = scripted || !arguments.config.empty() || !arguments.model.empty();
  if (!arguments.model.empty() && (scripted || !arguments.config.empty())) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "give MODEL, or --script, or --config with or without --script"};
  }
  const bool named =
      std::getenv("AZUREML_ENTRY_SCRIPT") != nullptr || std::getenv("AML_ENTRY_SCRIPT") != nullptr;
  if (!arguments.config.empty()) {
    config = TRY(ReadConfig(arguments.config, arguments.root));
    if (scripted) TRY(ReplaceScript(arguments, config));
  } else if (scripted || (!given && named)) {
    config.script = ScriptByHand(arguments);
  } else if (!arguments.model.empty()) {
    const std::filesystem::path path = Rooted(arguments.model, arguments.root);
    const std::filesystem::path file = TRY(ModelFile(path));
    config.models.push_back({.name = arguments.name.empty() ? file.stem().string() : arguments.name,
                             .version = arguments.version,
                             .path = file});
  } else if (!environment.model_folder.empty()) {
    config.models = TRY(FindModels(Rooted(environment.model_folder, arguments.root)));
  } else {
    return Error{
        .code = Code::kInvalidArgument,
        .message = "nothing to serve: give MODEL, --script, --config or AZUREML_MODEL_DIR"};
  }
  return config;
}

/// What bounds the models: an argument comes before the environment, that before the file.
Result<void> SetLimits(const Arguments& arguments, const ServeConfig& config,
                       ScorerOptions& options) {
  options.memory_bytes = config.memory_bytes;
  options.time_limit = config.time_limit;
  if (const std::int64_t bytes = options.environment.model_memory_bytes; bytes > 0) {
    options.memory_bytes = bytes;
  }
  const bool given = !arguments.memory_limit.empty() || arguments.time_limit > 0;
  if (config.script && given) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "--memory-limit and --time-limit are of models, and a script answers",
                 .fix = "SLIPWAY_WORKER_MEMORY_MB and WORKER_TIMEOUT bound a script"};
  }
  if (!arguments.memory_limit.empty()) {
    options.memory_bytes = TRY(ParseBytes("--memory-limit", arguments.memory_limit));
  }
  if (arguments.time_limit > 0) {
    options.time_limit = TRY(TimeLimit("--time-limit", arguments.time_limit));
  }
  return {};
}

/// `deterministic`: what the configuration or the environment says.
Result<runtime::TuneOptions> TuningOf(const Arguments& arguments, bool deterministic) {
  runtime::TuneOptions tune{.deterministic = deterministic || arguments.deterministic};
  if (tune.deterministic && arguments.tune_seconds > 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "--tune measures what is to be deterministic: leave one of them out"};
  }
  tune.budget = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double>(arguments.tune_seconds));
  return tune;
}

/// An argument comes before the environment, that before the file.
Result<runtime::Precision> PrecisionOf(const Arguments& arguments, const ServeConfig& config,
                                       const Environment& environment) {
  if (arguments.precision.empty()) return environment.precision.value_or(config.precision);
  if (config.script) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "--precision is of models, and a script answers"};
  }
  auto precision = runtime::PrecisionFromName(arguments.precision);
  if (!precision) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "--precision: " + precision.error().message};
  }
  return precision;
}

Result<ServeOptions> OptionsOf(const Arguments& arguments) {
  ServeOptions options;
  TRY(ApplyConfigFile(arguments.root));
  Environment environment = TRY(ReadEnvironment(GetVariableOfProcess));
  ServeConfig config = TRY(ConfigOf(arguments, environment));
  const int port = arguments.port >= 0 ? arguments.port : config.port;
  options.listen = arguments.listen;
  if (options.listen.empty()) options.listen.push_back(fmt::format("0.0.0.0:{}", port));
  options.health_listen = arguments.health_listen;
  options.access_log = arguments.access_log;
  options.keys = TRY(ServiceKeys::Read(GetVariableOfProcess));
  if (config.script) {
    options.script = TRY(ScriptOptionsOf(arguments, *std::move(config.script), config.models));
    config.models.clear();
  }
  options.scorer = {.models = std::move(config.models),
                    .threads = arguments.threads,
                    .timeout = environment.scoring_timeout,
                    .environment = environment};
  TRY(SetLimits(arguments, config, options.scorer));
  options.scorer.precision = TRY(PrecisionOf(arguments, config, environment));
  options.scorer.tune = TRY(TuningOf(arguments, config.deterministic || environment.deterministic));
  return options;
}

int Fail(const Error& error, int status) {
  log::Failure("slipway-serve: " + error.message, {{"cause", ErrorId(error)}, {"fix", error.fix}});
  return status;
}

void Announce(Service& service) {
  const ScriptHost* script = service.script();
  log::Info("serving", {{"listen", Join(service.addresses(), ",")},
                        {"models", service.scorer().models().size()},
                        {"state", script != nullptr ? script->ready().detail
                                                    : service.scorer().ready().detail}});
}

int Serve(const Arguments& arguments) {
  auto options = OptionsOf(arguments);
  if (!options) {
    const bool use = options.error().code == Code::kInvalidArgument && options.error().id.empty();
    return Fail(options.error(), use ? kWrongUse : kInitFailed);
  }
  const std::chrono::milliseconds stop_delay = options->scorer.environment.stop_delay;
  auto service = Service::Start(*std::move(options));
  if (!service) return Fail(service.error(), kFailed);
  std::atomic<int> signal = 0;
  // init() of a script may take long, and must not keep the program from stopping.
  std::thread waiter([&signal, &service] {
    signal = http::WaitForStopSignal();
    (*service)->Interrupt();
  });
  const auto loaded = (*service)->Load();
  const bool stopped = !loaded && loaded.error().id == "Script.Stopped";
  const bool serves = loaded || loaded.error().id == "Model.WrongAnswer";
  if (loaded) Announce(**service);
  int status = loaded || stopped ? 0 : kInitFailed;
  if (!loaded && !stopped) {
    const bool failed = serves || loaded.error().id == "Port.InUse";
    status = Fail(loaded.error(), failed ? kFailed : kInitFailed);
  }
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread): it is what that thread waits for
  if (!serves && !stopped) ::pthread_kill(waiter.native_handle(), SIGTERM);
  waiter.join();
  if (!serves && !stopped) return status;
  if (!stopped && stop_delay.count() > 0) {
    (*service)->Leave();
    SystemClock().Sleep(stop_delay);
  }
  (*service)->Drain();
  log::Info("stopped", {{"signal", signal.load()}});
  return 0;
}

}  // namespace
}  // namespace slipway::server

int main(int argc, char** argv) {
  slipway::server::UsePassiveWaiting();
  slipway::http::BlockStopSignals();
  slipway::CommandLine line("Answers scoring requests with ONNX models", "slipway-serve");
  slipway::server::Arguments arguments;
  slipway::server::Describe(line, arguments);
  if (const std::optional<int> status = line.Parse(argc, argv)) return *status;
  return slipway::server::Serve(arguments);
}
