// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/digest.h"
#include "base/file.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/python_layers.h"
#include "imagebuilder/python/tools.h"
#include "imagebuilder/python/tree_writer.h"

namespace slipway::imagebuilder {
namespace {

Result<std::optional<std::string>> Key(const BuildSpec& spec) {
  if (!spec.python || spec.python->lock.wheels.empty()) return std::optional<std::string>();
  return std::optional(WheelsKey(spec.python->lock));
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext& context) {
  if (context.tools == nullptr) return SpecError("there is nothing to install wheels with");
  const WorkHooks hooks = HooksOf(context);
  const PythonLock& lock = spec.python->lock;
  const std::filesystem::path root =
      lock.base.empty() ? TRY(context.tools->DebianTree(lock, context.scratch, hooks))
                        : spec.python->base_root;
  const std::filesystem::path tree = TRY(MakeTempFolder(context.scratch, "python-env-"));
  TRY(context.tools->InstallWheels(lock, root, tree, context.scratch, hooks));
  return ListTree(tree, context.cancelled);
}

}  // namespace

LayerType layers_python_env() {
  return {.name = "python_env",
          .order = 5,
          .summary = "the Python packages",
          .files = Files,
          .in_all_images = false,
          .key = Key};
}

}  // namespace slipway::imagebuilder
