// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/text.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

Result<OutputType> FindOutput(std::string_view name) {
  std::vector<std::string> names;
  for (const Unit<OutputType>& unit : outputs_table()) {
    const OutputType output = unit.make();
    if (output.name == name) return output;
    names.emplace_back(output.name);
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{} is no image format", name),
               .id = "Image.UnknownFormat",
               .fix = fmt::format("use one of: {}", Join(names, ", "))};
}

}  // namespace slipway::imagebuilder
