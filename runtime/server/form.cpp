// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/form.h"

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::server {

void SetFeed(std::string name, runtime::Value value, runtime::Feeds& feeds) {
  for (auto& [known, old] : feeds) {
    if (known == name) {
      old = std::move(value);
      return;
    }
  }
  feeds.emplace_back(std::move(name), std::move(value));
}

Result<const runtime::ValueInfo*> InputNamed(const runtime::Model& model, std::string_view name) {
  std::vector<std::string> known;
  for (const auto& list : {model.inputs(), model.overridable_initializers()}) {
    for (const runtime::ValueInfo& input : list) {
      if (input.name == name) return &input;
    }
  }
  for (const runtime::ValueInfo& input : model.inputs()) known.push_back(input.name);
  return Error{
      .code = Code::kInvalidArgument,
      .message = fmt::format("the model has no input '{}', it has: {}", name, Join(known, ", ")),
      .id = "Input.Unknown"};
}

std::vector<std::string> OutputNames(const runtime::Model& model,
                                     const std::vector<std::string>& wanted) {
  if (!wanted.empty()) return wanted;
  std::vector<std::string> names;
  for (const runtime::ValueInfo& output : model.outputs()) names.push_back(output.name);
  return names;
}

}  // namespace slipway::server
