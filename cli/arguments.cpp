// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/byte_size.h"
#include "base/json.h"
#include "cli/config_file.h"

namespace slipway::cli {

Result<api::TextMap> ParsePairs(std::string_view option, const std::vector<std::string>& pairs) {
  api::TextMap map;
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    const std::string key = pair.substr(0, equals);
    if (key.empty()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = std::string(option) + " '" + pair + "' has no key",
                   .id = "Usage",
                   .fix = std::string(option) + " KEY or " + std::string(option) + " KEY=VALUE"};
    }
    map[key] = equals == std::string::npos ? "" : pair.substr(equals + 1);
  }
  return map;
}

void AddLabelOptions(Options& options, Labels& labels) {
  options.add_option("--tag", labels.tags, "Tag, may be given again")
      .type_name("K[=V]")
      .one_each_time();
  options.add_option("--property", labels.properties, "Property, may be given again; never changes")
      .type_name("K[=V]")
      .one_each_time();
  options.add_option("--description", labels.description, "What it is, for people")
      .type_name("TEXT");
}

void AddWaitOptions(Options& options, WaitOptions& wait) {
  options.add_flag("--no-wait", wait.no_wait, "Return once the operation has begun");
  options.add_option("--timeout", wait.timeout_seconds, "How long to wait")
      .type_name("SECONDS")
      .capture_default_str();
}

void AddScriptOptions(Options& options, ScriptArguments& script) {
  options.add_option("--script", script.script, "Scoring script with init() and run()")
      .type_name("FILE");
  options
      .add_option("--source-directory", script.source_directory,
                  "Folder that goes along as a whole, but for what its .amlignore or .gitignore "
                  "names; --script is a path in it")
      .type_name("DIR");
  options.add_option("--conda", script.conda, "Dependency file: what the script imports")
      .type_name("FILE");
  options
      .add_option("--dependency", script.dependencies,
                  "File or folder to put beside the script; may be given again")
      .type_name("PATH")
      .one_each_time();
  options.add_option("--docker-file", script.docker_file, "Further steps: RUN, COPY, ENV; no FROM")
      .type_name("FILE");
  options.add_option("--base", script.base, "Image to build on, instead of Debian packages")
      .type_name("REF|DIR|ARCHIVE");
  options
      .add_option("--keep", script.keep,
                  "Package to install although Slipway has a module of its own for it")
      .type_name("NAME")
      .one_each_time();
  options
      .add_option("--lock", script.lock, "Packages of an image built before: nothing is resolved")
      .type_name("FILE");
  options.add_option("--runtime", script.runtime, "python or native; python if there is a script");
  options.add_option("--python", script.python_version, "Python version, if the file names none")
      .type_name("VERSION");
  options
      .add_option("--preflight", script.preflight, "What becomes of faults found before building")
      .one_of({"strict", "warn", "off"})
      .capture_default_str();
  options.add_flag("--gpu", script.gpu, "For a machine with a GPU");
  options.add_flag("--fresh", script.fresh, "Resolve anew what was resolved today");
}

void AddImageOptions(Options& options, ImageArguments& image) {
  options.add_option("NAME", image.name, "Name of the image").required();
  options.add_option("--model", image.models, "Model to serve; may be given again")
      .type_name("NAME[:VERSION]")
      .one_each_time();
  AddScriptOptions(options, image.script);
  AddLabelOptions(options, image.labels);
}

Result<api::CreateImage> ReadImageArguments(const ImageArguments& image) {
  api::CreateImage wanted{
      .name = image.name, .models = image.models, .description = image.labels.description};
  wanted.tags = TRY(ParsePairs("--tag", image.labels.tags));
  wanted.properties = TRY(ParsePairs("--property", image.labels.properties));
  return wanted;
}

void AddVersionedName(Options& options, const std::string& kind, std::string& name) {
  options
      .add_option("NAME[:VERSION]", name, "The " + kind + "; its newest version if none is given")
      .required();
}

void AddServiceOptions(Options& options, ServiceArguments& arguments) {
  options.add_option("--target", arguments.service.target,
                     "Where it runs: process, docker, aci or kubernetes; process if nothing says");
  options
      .add_option("--port", arguments.service.port, "Port it listens on; any free one if not given")
      .within(0, 65535);
  options.add_option("--config", arguments.config, "Deployment file, YAML or JSON")
      .type_name("FILE");
}

Result<api::Object> ReadDeployment(const std::string& file, const std::filesystem::path& folder) {
  if (file.empty()) return api::Object();
  return api::Object{DumpJson(TRY(ReadConfigFile(folder / file)))};
}

Result<api::CreateService> ReadServiceArguments(const ServiceArguments& arguments,
                                                const std::filesystem::path& folder) {
  api::CreateService service = arguments.service;
  service.deployment = TRY(ReadDeployment(arguments.config, folder));
  return service;
}

void AddSessionOptions(Options& options, SessionArguments& session) {
  options.add_option("--device", session.device, "cpu or cuda").capture_default_str();
  options.add_option("--threads", session.threads, "Threads of one run; 0: one a core")
      .within(0, 4096)
      .capture_default_str();
  options.add_flag("--reference", session.reference, "Only the reference kernels");
  options.add_flag("--no-passes", session.no_passes, "Run the graph as it is in the file");
  options
      .add_option("--accuracy", session.accuracy,
                  "standard, or strict: no convolution by Winograd's way, 16-bit floats rounded at "
                  "every node")
      .capture_default_str();
  options
      .add_option("--precision", session.precision,
                  "fp32, or what products of weights are computed in where that gains: bf16, int8")
      .capture_default_str();
  options
      .add_option("--memory-limit", session.memory_limit,
                  "Most memory for weights, working memory and values, such as 512M or 2G; by "
                  "default what this process may use")
      .type_name("BYTES");
  options
      .add_option("--tune", session.tune_seconds,
                  "Measure for so long at most which kernels are the quickest here, and keep the "
                  "choices")
      .type_name("SECONDS")
      .within(0.0, 3600.0);
  options
      .add_option("--choices", session.choices,
                  "The file of these; by default MODEL.choices.json beside MODEL.onnx")
      .type_name("FILE");
  options.add_flag("--deterministic", session.deterministic,
                   "Kernels by rule alone, whatever choices are kept");
}

Result<runtime::SessionOptions> ReadSession(const SessionArguments& session) {
  const runtime::Device device = TRY(runtime::DeviceFromName(session.device));
  const runtime::Accuracy accuracy = TRY(runtime::AccuracyFromName(session.accuracy));
  const runtime::Precision precision = TRY(runtime::PrecisionFromName(session.precision));
  runtime::SessionOptions options{.device = device,
                                  .threads = session.threads,
                                  .passes = !session.no_passes,
                                  .reference = session.reference,
                                  .accuracy = accuracy,
                                  .precision = precision};
  if (!session.memory_limit.empty()) {
    Result<std::int64_t> bytes = ParseBytes("--memory-limit", session.memory_limit);
    if (!bytes) {
      Error error = std::move(bytes).error();
      error.id = "Usage";
      return error;
    }
    options.limits.memory_bytes = *bytes;
  }
  return options;
}

Result<runtime::TuneOptions> ReadTuning(const SessionArguments& session,
                                        const std::filesystem::path& folder) {
  runtime::TuneOptions tune{.deterministic = session.deterministic};
  if (session.deterministic && (session.tune_seconds > 0 || !session.choices.empty())) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "--deterministic leaves no choice: give it without --tune, --choices",
                 .id = "Usage"};
  }
  tune.budget = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double>(session.tune_seconds));
  if (session.choices.empty()) return tune;
  tune.file = folder / session.choices;
  std::error_code ignored;
  if (session.tune_seconds > 0 || std::filesystem::exists(tune.file, ignored)) return tune;
  return Error{.code = Code::kNotFound,
               .message = "there are no choices of kernels in " + tune.file.string(),
               .id = "Choices.NotFound",
               .fix = "--tune SECONDS makes them"};
}

Columns WorkspaceRows() {
  return {{"name", "name"},
          {"description", "description"},
          {"location", "location"},
          {"subscription", "subscription_id"},
          {"resource group", "resource_group"},
          {"tags", "tags", Column::Kind::kTags},
          {"created", "created_time"}};
}

Columns ModelRows() {
  return {{"id", "id"},
          {"description", "description"},
          {"framework", "framework"},
          {"main file", "main_file"},
          {"size", "size", Column::Kind::kBytes},
          {"digest", "digest"},
          {"inputs", "inputs", Column::Kind::kSignature},
          {"outputs", "outputs", Column::Kind::kSignature},
          {"tags", "kv_tags", Column::Kind::kTags},
          {"properties", "properties", Column::Kind::kTags},
          {"created", "created_time"}};
}

Columns ImageRows() {
  return {{"id", "id"},
          {"state", "state"},
          {"description", "description"},
          {"models", "models"},
          {"runtime", "runtime"},
          {"script", "script"},
          {"Python", "python_version"},
          {"size", "size", Column::Kind::kBytes},
          {"digest", "digest"},
          {"error", "error"},
          {"tags", "kv_tags", Column::Kind::kTags},
          {"properties", "properties", Column::Kind::kTags},
          {"created", "created_time"}};
}

Columns ServiceRows() {
  return {{"name", "name"},
          {"state", "state"},
          {"description", "description"},
          {"target", "target"},
          {"image", "image"},
          {"revision", "revision"},
          {"scoring URI", "scoring_uri"},
          {"keys", "auth_enabled"},
          {"cause", "cause"},
          {"detail", "detail"},
          {"restarts", "restarts"},
          {"tags", "kv_tags", Column::Kind::kTags},
          {"properties", "properties", Column::Kind::kTags},
          {"created", "created_time"}};
}

}  // namespace slipway::cli
