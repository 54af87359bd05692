// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/remote.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string name, format = "spdx";
};

Result<void> Sbom(Context& context, const Arguments& arguments) {
  const VersionedName name = TRY(ParseVersionedName(arguments.name));
  Remote* remote = TRY(context.remote());
  const std::string path =
      VersionPath("images", name) + "/sbom" + Query({{"format", arguments.format}});
  return context.Print(TRY(remote->GetText(remote->InWorkspace(path))) + "\n");
}

Body Bind(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  AddVersionedName(options, "image", arguments->name);
  options.add_option("-f,--format", arguments->format, "spdx (2.3) or cyclonedx (1.5), both JSON")
      .one_of({"spdx", "cyclonedx"})
      .capture_default_str();
  return [arguments](Context& context) { return Sbom(context, *arguments); };
}

}  // namespace

Command commands_image_sbom() {
  return {.path = "image sbom",
          .summary = "Print an image's bill of materials: packages, models, files, by digest",
          .example = "slipway image sbom digits:1 --format cyclonedx",
          .bind = Bind};
}

}  // namespace slipway::cli
