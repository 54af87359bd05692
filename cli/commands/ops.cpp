// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "runtime/runtime.h"
#include "runtime/tools/operators.h"

namespace slipway::cli {
namespace {

Result<void> Ops(Context& context, bool markdown) {
  if (markdown) return context.Print(runtime::OperatorsMarkdown());
  Json items = Json::array();
  for (const auto& info : runtime::SupportedOperators()) {
    items.push_back({{"domain", runtime::OperatorDomain(info)},
                     {"operator", info.type},
                     {"since", info.since},
                     {"until", info.until == 0 ? Json() : Json(info.until)},
                     {"opsets", runtime::OperatorVersions(info)},
                     {"signature", info.signature},
                     {"attributes", info.attributes},
                     {"types", runtime::OperatorTypes(info)},
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
