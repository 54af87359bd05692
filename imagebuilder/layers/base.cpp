// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/digest.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/python_layers.h"
#include "imagebuilder/python/tools.h"
#include "imagebuilder/python/tree_writer.h"

namespace slipway::imagebuilder {
namespace {

Result<std::optional<std::string>> Key(const BuildSpec& spec) {
  if (!spec.python || !spec.python->lock.base.empty()) return std::optional<std::string>();
  return std::optional(DebianKey(spec.python->lock));
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext& context) {
  if (context.tools == nullptr) return SpecError("there is nothing to make a base with");
  const WorkHooks hooks = HooksOf(context);
  const auto root = TRY(context.tools->DebianTree(spec.python->lock, context.scratch, hooks));
  return ListTree(root, context.cancelled);
}

}  // namespace

LayerType layers_base() {
  return {.name = "base",
          .order = 0,
          .summary = "Python and its libraries from Debian packages",
          .files = Files,
          .in_all_images = false,
          .key = Key};
}

}  // namespace slipway::imagebuilder
