// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/digest.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/daemon.h"
#include "cli/one_shot.h"
#include "cli/script_environment.h"
#include "cli/served_image.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string model, script, name, python, conda;
  std::vector<std::string> keep;
  bool fresh = false;
  std::string memory_limit, precision;
  double time_limit = 0, tune_seconds = 0;
  bool deterministic = false;
  int port = 5001, threads = 0;
};

Result<fs::path> FindGiven(Context& context, const std::string& given) {
  std::error_code ignored;
  fs::path path = context.folder() / given;
  if (!fs::exists(path, ignored)) return SystemError(path.string(), ENOENT);
  return path.lexically_normal();
}

Error Usage(std::string message) {
  return Error{.code = Code::kInvalidArgument,
               .message = std::move(message),
               .id = "Usage",
               .fix =
                   "slipway serve model.onnx, slipway serve model.onnx --script score.py "
                   "[--conda env.yml], or slipway serve IMAGE"};
}

/// The first program of that name in the PATH, which is where a virtual environment puts its own.
std::string FindInPath(const Context& context, const std::string& name) {
  const auto search = context.environment().find("PATH");
  if (search == context.environment().end()) return {};
  for (const std::string& folder : Split(search->second, ':')) {
    const fs::path file = fs::path(folder) / name;
    if (!folder.empty() && ::access(file.c_str(), X_OK) == 0) return file.string();
  }
  return {};
}

Result<std::string> FindPython(const Context& context, const std::string& given) {
  if (given.find('/') != std::string::npos) return (context.folder() / given).string();
  const std::string name = given.empty() ? "python3" : given;
  std::string found = FindInPath(context, name);
  if (!found.empty()) return found;
  return Error{.code = Code::kNotFound,
               .message = "there is no " + name + " in the PATH",
               .id = "Python.NotFound",
               .fix = "install python3, 3.8 or newer, or name one with --python"};
}

Result<void> Link(const fs::path& target, const fs::path& link) {
  std::error_code error;
  if (fs::is_symlink(link, error) && fs::read_symlink(link, error) == target) return {};
  TRY(RemoveTree(link));
  fs::create_symlink(target, link, error);
  if (error && error != std::errc::file_exists) return SystemError(link.string(), error.value());
  return {};
}

Result<std::string> ModelName(const fs::path& model, const Arguments& arguments) {
  std::string name = arguments.name;
  if (name.empty()) name = model.has_filename() ? model.stem().string() : "model";
  if (name.find('/') != std::string::npos || name == "." || name == "..") {
    return Usage("\"" + name + "\" is no name of a model");
  }
  return name;
}

/// A folder `azureml-models/NAME/1` that leads to the model, as an image has it.
Result<fs::path> ModelFolder(Context& context, const Arguments& arguments) {
  const fs::path model = TRY(FindGiven(context, arguments.model));
  const std::string name = TRY(ModelName(model, arguments));
  const std::string key(Digest::OfText(model.string() + "\n" + name).hex());
  const fs::path named = ServeFolder(context) / key / "azureml-models" / name;
  std::error_code error;
  if (fs::is_directory(model, error)) {
    TRY(MakeFolders(named));
    TRY(Link(model, named / "1"));
  } else {
    TRY(MakeFolders(named / "1"));
    TRY(Link(model, named / "1" / model.filename()));
  }
  return named / "1";
}

Result<std::vector<std::string>> ModelWords(Context& context, const Arguments& arguments) {
  if (arguments.model.empty()) return Usage("nothing to serve: give a model, a script, or both");
  if (!arguments.python.empty()) return Usage("--python is of use with --script only");
  if (!arguments.conda.empty()) return Usage("--conda is of use with --script only");
  std::vector<std::string> words{TRY(FindGiven(context, arguments.model)).string()};
  if (!arguments.name.empty()) words.insert(words.end(), {"--name", arguments.name});
  return words;
}

/// What bounds the model and has its kernels chosen, which slipway-serve checks.
void AddLimits(const Arguments& arguments, std::vector<std::string>& words) {
  if (!arguments.memory_limit.empty()) {
    words.insert(words.end(), {"--memory-limit", arguments.memory_limit});
  }
  if (arguments.time_limit > 0) {
    words.insert(words.end(), {"--time-limit", fmt::format("{}", arguments.time_limit)});
  }
  if (arguments.tune_seconds > 0) {
    words.insert(words.end(), {"--tune", fmt::format("{}", arguments.tune_seconds)});
  }
  if (!arguments.precision.empty()) {
    words.insert(words.end(), {"--precision", arguments.precision});
  }
  if (arguments.deterministic) words.emplace_back("--deterministic");
}

Result<std::vector<std::string>> ScriptWords(Context& context, const Arguments& arguments) {
  if (!arguments.conda.empty() && !arguments.python.empty()) {
    return Usage("--conda brings its own Python, so that --python is of no use");
  }
  const fs::path script = TRY(FindGiven(context, arguments.script));
  std::vector<std::string> words{"--script", script.string()};
  if (arguments.conda.empty()) {
    const std::string python = TRY(FindPython(context, arguments.python));
    words.insert(words.end(), {"--python", python});
  } else {
    const fs::path conda = TRY(FindGiven(context, arguments.conda));
    std::string model;
    if (!arguments.model.empty()) {
      model = TRY(ModelName(context.folder() / arguments.model, arguments));
    }
    const ScriptEnvironment made = TRY(MakeScriptEnvironment(context, {.script = script,
                                                                       .conda = conda,
                                                                       .model = model,
                                                                       .keep = arguments.keep,
                                                                       .fresh = arguments.fresh}));
    words.insert(words.end(), {"--root", made.root.string(), "--config", made.config.string()});
  }
  if (arguments.model.empty()) return words;
  const fs::path folder = TRY(ModelFolder(context, arguments));
  words.insert(words.end(), {"--model-dir", folder.string()});
  return words;
}

/// Whether a variable says where things are, which in an image the image says.
bool SaysWhere(std::string_view name) {
  constexpr std::array<std::string_view, 6> kPlaces = {
      "AML_APP_ROOT",         "AML_ENTRY_SCRIPT",  "AZUREML_CONFIG_FILE",
      "AZUREML_ENTRY_SCRIPT", "AZUREML_MODEL_DIR", "AZUREML_SOURCE_DIRECTORY"};
  return name.starts_with("LD_") || name.starts_with("PYTHON") ||
         std::ranges::find(kPlaces, name) != kPlaces.end();
}

/// What an image's server is started with: our environment, and then its own.
std::vector<std::string> ImageEnvironment(const Context& context, const ServedImage& image) {
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : context.environment()) {
    if (!SaysWhere(name)) variables[name] = value;
  }
  for (const std::string& variable : image.environment) {
    const std::size_t equals = std::min(variable.find('='), variable.size());
    variables[variable.substr(0, equals)] =
        equals < variable.size() ? variable.substr(equals + 1) : std::string();
  }
  std::vector<std::string> lines;
  for (const auto& [name, value] : variables) lines.push_back(name + "=" + value);
  return lines;
}

Result<ProcessSpec> ImageProcess(Context& context, const Arguments& arguments,
                                 const GivenImage& given) {
  const bool more = !arguments.name.empty() || !arguments.script.empty() ||
                    !arguments.python.empty() || !arguments.conda.empty() ||
                    !arguments.keep.empty() || arguments.fresh;
  if (more) return Usage("an image brings its model, script and Python; give it alone");
  const ServedImage image = TRY(LayOutImage(context, given));
  return ProcessSpec{.argv = image.command,
                     .environment = ImageEnvironment(context, image),
                     .folder = image.folder};
}

Result<ProcessSpec> OwnProcess(Context& context, const Arguments& arguments) {
  ProcessSpec process;
  const fs::path program = TRY(FindProgram(context, "SLIPWAY_SERVE", "slipway-serve"));
  const std::vector<std::string> words = arguments.script.empty()
                                             ? TRY(ModelWords(context, arguments))
                                             : TRY(ScriptWords(context, arguments));
  process.argv.push_back(program.string());
  process.argv.insert(process.argv.end(), words.begin(), words.end());
  for (const auto& [name, value] : context.environment()) {
    process.environment.push_back(name + "=" + value);
  }
  return process;
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Becomes slipway-serve; returns only if that fails.
Result<void> Serve(Context& context, const Arguments& arguments) {
  const std::optional<GivenImage> image =
      arguments.model.empty() ? std::nullopt : FindGivenImage(context.folder(), arguments.model);
  ProcessSpec process =
      image ? TRY(ImageProcess(context, arguments, *image)) : TRY(OwnProcess(context, arguments));
  const std::string address = "127.0.0.1:" + std::to_string(arguments.port);
  process.argv.insert(process.argv.end(),
                      {"--listen", address, "--threads", std::to_string(arguments.threads)});
  AddLimits(arguments, process.argv);
  if (!process.folder.empty() && ::chdir(process.folder.c_str()) != 0) {
    return SystemError(process.folder.string(), errno);
  }
  const std::vector<char*> argv = Pointers(process.argv);
  const std::vector<char*> environment = Pointers(process.environment);
  context.Progress("http://" + address + "/score");
  ::execve(argv.front(), argv.data(), environment.data());
  return SystemError(argv.front(), errno);
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add_option("FILE|IMAGE", arguments->model,
                     "An .onnx file, or a folder that is the model; or an image: NAME[:VERSION] of "
                     "the workspace, an OCI archive or layout by its path");
  options
      .add_option("--script", arguments->script,
                  "A scoring script with init() and run(); without --conda this machine's Python "
                  "runs it")
      .type_name("FILE");
  options
      .add_option("--name", arguments->name,
                  "What Model.get_model_path calls the model; its file's stem if not given")
      .type_name("NAME");
  options
      .add_option("--python", arguments->python,
                  "Python of the script, 3.8 or newer; the PATH's python3 if not given")
      .type_name("PROGRAM");
  options
      .add_option(
          "--conda", arguments->conda,
          "Dependency file: the script runs in an environment that is made of it, and kept, "
          "with the Python of images")
      .type_name("FILE");
  options
      .add_option(
          "--keep", arguments->keep,
          "With --conda: package to install although Slipway has a module of its own for it")
      .type_name("NAME")
      .one_each_time();
  options.add_flag("--fresh", arguments->fresh, "With --conda: resolve anew");
  options
      .add_option("--memory-limit", arguments->memory_limit,
                  "Most memory of a model, its weights and runs, such as 512M or 2G; by default "
                  "what this process may use")
      .type_name("BYTES");
  options
      .add_option("--time-limit", arguments->time_limit,
                  "Give up on a run of a model after so long; 0: never")
      .type_name("SECONDS")
      .within(0.0, 1e9);
  options
      .add_option("--tune", arguments->tune_seconds,
                  "Measure for so long at most which kernels are the quickest here, and keep the "
                  "choices beside the model")
      .type_name("SECONDS")
      .within(0.0, 3600.0);
  options
      .add_option("--precision", arguments->precision,
                  "fp32, or what products of weights are computed in where that gains: bf16, int8")
      .type_name("NAME");
  options.add_flag("--deterministic", arguments->deterministic,
                   "Kernels by rule alone, whatever choices lie beside the model");
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
          .summary = "Score a model, a scoring script or an image at once, here, until stopped",
          .example = "slipway serve model.onnx --script score.py --name MyONNXmodel",
          .bind = Bind};
}

}  // namespace slipway::cli
