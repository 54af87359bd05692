// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/operators.h"

#include "base/text.h"

namespace slipway::runtime {

std::string OperatorDomain(const OperatorInfo& info) {
  return info.domain.empty() ? "ai.onnx" : info.domain;
}

std::string OperatorVersions(const OperatorInfo& info) {
  const std::string since = std::to_string(info.since);
  if (info.until == 0) return since + "+";
  return info.until == info.since ? since : since + "-" + std::to_string(info.until);
}

std::string OperatorTypes(const OperatorInfo& info) {
  std::vector<std::string> parts;
  for (const auto& [name, types] : info.types) parts.push_back(name + ": " + types);
  return Join(parts, "; ");
}

std::string OperatorsMarkdown() {
  std::string text =
      "| domain | operator | opsets | types | kernels, first choice first |\n"
      "|---|---|---|---|---|\n";
  for (const OperatorInfo& info : SupportedOperators()) {
    text += "| " + OperatorDomain(info) + " | " + info.type + " | " + OperatorVersions(info) +
            " | " + OperatorTypes(info) + " | " + Join(info.kernels, ", ") + " |\n";
  }
  return text;
}

}  // namespace slipway::runtime
