// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <nlohmann/json.hpp>

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

void AddLabelOptions(CLI::App& app, Labels& labels) {
  app.add_option("--tag", labels.tags, "Tag, may be given again")
      ->type_name("K[=V]")
      ->allow_extra_args(false);
  app.add_option("--property", labels.properties, "Property, may be given again; never changes")
      ->type_name("K[=V]")
      ->allow_extra_args(false);
  app.add_option("--description", labels.description, "What it is, for people")->type_name("TEXT");
}

void AddWaitOptions(CLI::App& app, WaitOptions& wait) {
  app.add_flag("--no-wait", wait.no_wait, "Return once the operation has begun");
  app.add_option("--timeout", wait.timeout_seconds, "How long to wait")
      ->type_name("SECONDS")
      ->capture_default_str();
}

void AddScriptOptions(CLI::App& app, ScriptArguments& script) {
  app.add_option("--script", script.script, "Scoring script with init() and run()")
      ->type_name("FILE");
  app.add_option("--conda", script.conda, "Dependency file: what the script imports")
      ->type_name("FILE");
  app.add_option("--dependency", script.dependencies,
                 "File or folder to put beside the script; may be given again")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_option("--docker-file", script.docker_file, "Further steps: RUN, COPY, ENV; no FROM")
      ->type_name("FILE");
  app.add_option("--base", script.base, "Image to build on, instead of Debian packages")
      ->type_name("REF|DIR|ARCHIVE");
  app.add_option("--keep", script.keep,
                 "Package to install although Slipway has a module of its own for it")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--lock", script.lock, "Packages of an image built before: nothing is resolved")
      ->type_name("FILE");
  app.add_option("--runtime", script.runtime, "python or native; python if there is a script");
  app.add_option("--python", script.python_version, "Python version, if the file names none")
      ->type_name("VERSION");
  app.add_option("--preflight", script.preflight, "What becomes of faults found before building")
      ->check(CLI::IsMember({"strict", "warn", "off"}))
      ->capture_default_str();
  app.add_flag("--gpu", script.gpu, "For a machine with a GPU");
  app.add_flag("--fresh", script.fresh, "Resolve anew what was resolved today");
}

void AddImageOptions(CLI::App& app, ImageArguments& image) {
  app.add_option("NAME", image.name, "Name of the image")->required();
  app.add_option("--model", image.models, "Model to serve; may be given again")
      ->type_name("NAME[:VERSION]")
      ->allow_extra_args(false);
  AddScriptOptions(app, image.script);
  AddLabelOptions(app, image.labels);
}

Result<api::CreateImage> ReadImageArguments(const ImageArguments& image) {
  return api::CreateImage{.name = image.name,
                          .models = image.models,
                          .description = image.labels.description,
                          .tags = TRY(ParsePairs("--tag", image.labels.tags)),
                          .properties = TRY(ParsePairs("--property", image.labels.properties))};
}

void AddServiceOptions(CLI::App& app, ServiceArguments& arguments) {
  app.add_option("--target", arguments.service.target,
                 "Where it runs: process, docker, aci or kubernetes; process if nothing says");
  app.add_option("--port", arguments.service.port, "Port it listens on; any free one if not given")
      ->check(CLI::Range(0, 65535));
  app.add_option("--config", arguments.config, "Deployment file, YAML or JSON")->type_name("FILE");
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

void AddSessionOptions(CLI::App& app, SessionArguments& session) {
  app.add_option("--device", session.device, "cpu or cuda")->capture_default_str();
  app.add_option("--threads", session.threads, "Threads of one run; 0: one a core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_flag("--reference", session.reference, "Only the reference kernels");
  app.add_flag("--no-passes", session.no_passes, "Run the graph as it is in the file");
}

Result<runtime::SessionOptions> ReadSession(const SessionArguments& session) {
  return runtime::SessionOptions{.device = TRY(runtime::DeviceFromName(session.device)),
                                 .threads = session.threads,
                                 .passes = !session.no_passes,
                                 .reference = session.reference};
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
