// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/context.h"
#include "runtime/runtime.h"

namespace slipway::cli {
namespace {

std::string Domain(const runtime::OperatorInfo& info) {
  return info.domain.empty() ? "ai.onnx" : info.domain;
}

std::string Versions(const runtime::OperatorInfo& info) {
  const std::string since = std::to_string(info.since);
  if (info.until == 0) return since + "+";
  return info.until == info.since ? since : since + "-" + std::to_string(info.until);
}

/// `T: float, double`, one variable after another.
std::string TypesText(const runtime::OperatorInfo& info) {
  std::vector<std::string> parts;
  for (const auto& [name, types] : info.types) parts.push_back(name + ": " + types);
  return Join(parts, "; ");
}

std::string Markdown(const std::vector<runtime::OperatorInfo>& operators) {
  std::string text =
      "| domain | operator | opsets | types | kernels, first choice first |\n"
      "|---|---|---|---|---|\n";
  for (const auto& info : operators) {
    text += "| " + Domain(info) + " | " + info.type + " | " + Versions(info) + " | " +
            TypesText(info) + " | " + Join(info.kernels, ", ") + " |\n";
  }
  return text;
}

Result<void> Ops(Context& context, bool markdown) {
  const auto operators = runtime::SupportedOperators();
  if (markdown) return context.Print(Markdown(operators));
  Json items = Json::array();
  for (const auto& info : operators) {
    items.push_back({{"domain", Domain(info)},
                     {"operator", info.type},
                     {"since", info.since},
                     {"until", info.until == 0 ? Json() : Json(info.until)},
                     {"opsets", Versions(info)},
                     {"signature", info.signature},
                     {"attributes", info.attributes},
                     {"types", TypesText(info)},
                     {"kernels", info.kernels}});
  }
  return context.PrintList(items, {{"DOMAIN", "domain"},
                                   {"OPERATOR", "operator"},
                                   {"OPSETS", "opsets"},
                                   {"KERNELS", "kernels"}});
}

Body Bind(Options& options) {
  auto markdown = std::make_shared<bool>(false);
  options.add_flag("--markdown", *markdown, "As a Markdown table");
  return [markdown](Context& context) { return Ops(context, *markdown); };
}

}  // namespace

Command commands_ops() {
  return {.path = "ops",
          .summary = "List the operators that this build can run",
          .example = "slipway ops --markdown",
          .bind = Bind};
}

}  // namespace slipway::cli
