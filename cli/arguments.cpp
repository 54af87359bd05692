// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>

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

void AddImageOptions(CLI::App& app, ImageArguments& image) {
  app.add_option("NAME", image.name, "Name of the image")->required();
  app.add_option("--model", image.models, "Model to serve; may be given again")
      ->type_name("NAME[:VERSION]")
      ->allow_extra_args(false)
      ->required();
  AddLabelOptions(app, image.labels);
}

Result<api::CreateImage> ReadImageArguments(const ImageArguments& image) {
  return api::CreateImage{.name = image.name,
                          .models = image.models,
                          .description = image.labels.description,
                          .tags = TRY(ParsePairs("--tag", image.labels.tags)),
                          .properties = TRY(ParsePairs("--property", image.labels.properties))};
}

void AddServiceOptions(CLI::App& app, api::CreateService& service) {
  app.add_option("--target", service.target, "Where it runs: process")->capture_default_str();
  app.add_option("--port", service.port, "Port it listens on; any free one if not given")
      ->check(CLI::Range(0, 65535));
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
          {"cause", "cause"},
          {"detail", "detail"},
          {"restarts", "restarts"},
          {"tags", "kv_tags", Column::Kind::kTags},
          {"properties", "properties", Column::Kind::kTags},
          {"created", "created_time"}};
}

}  // namespace slipway::cli
