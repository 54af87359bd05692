// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/run_steps.h"

namespace slipway::imagebuilder {
namespace {

Result<std::optional<std::string>> Key(const BuildSpec& spec) {
  if (!spec.python || !ChangesFiles(spec.python->steps)) return std::optional<std::string>();
  return std::optional(StepsKey(spec));
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext& context) {
  return RunSteps(spec, context);
}

}  // namespace

LayerType layers_steps() {
  return {.name = "steps",
          .order = 7,
          .summary = "what the further steps changed",
          .files = Files,
          .in_all_images = false,
          .key = Key};
}

}  // namespace slipway::imagebuilder
