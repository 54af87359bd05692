// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/function_scope.h"

#include <fmt/format.h>

#include <algorithm>

namespace slipway::runtime {

std::string NameIn(const FunctionCall* call, std::string_view name) {
  if (call == nullptr || name.empty()) return std::string(name);
  const auto known = call->names.find(name);
  return known != call->names.end() ? known->second : call->prefix + std::string(name);
}

FunctionCall::Bound ResolveAttribute(const FunctionCall* call, const proto::Attribute& attribute) {
  if (attribute.reference.empty()) return {.attribute = &attribute, .scope = call};
  if (call == nullptr) return {};
  const auto bound = call->attributes.find(attribute.reference);
  return bound != call->attributes.end() ? bound->second : FunctionCall::Bound{};
}

bool IsRunning(const FunctionCall* call, const proto::Function& function) {
  for (; call != nullptr; call = call->caller) {
    if (call->function == &function) return true;
  }
  return false;
}

Result<FunctionCall> BindCall(const proto::Function& function, const proto::Node& node,
                              const FunctionCall* caller, std::string prefix) {
  if (node.inputs.size() > function.inputs.size() ||
      node.outputs.size() > function.outputs.size()) {
    return proto::Invalid(fmt::format(
        "node {} '{}' has {} inputs and {} outputs, its function {} and {}", node.type, node.name,
        node.inputs.size(), node.outputs.size(), function.inputs.size(), function.outputs.size()));
  }
  FunctionCall call{.function = &function, .caller = caller, .prefix = std::move(prefix)};
  for (std::size_t i = 0; i < function.outputs.size(); ++i) {
    if (i < node.outputs.size() && !node.outputs[i].empty()) {
      call.names[function.outputs[i]] = NameIn(caller, node.outputs[i]);
    }
  }
  for (std::size_t i = 0; i < function.inputs.size(); ++i) {
    call.names[function.inputs[i]] =
        i < node.inputs.size() ? NameIn(caller, node.inputs[i]) : std::string();
  }
  for (const proto::Attribute& fallback : function.defaults) {
    call.attributes[fallback.name] = {.attribute = &fallback, .scope = nullptr};
  }
  for (const proto::Attribute& attribute : node.attributes) {
    const bool declared =
        std::ranges::find(function.attributes, attribute.name) != function.attributes.end() ||
        call.attributes.contains(attribute.name);
    if (!declared) {
      return proto::Invalid(fmt::format("node {} '{}': its function has no attribute '{}'",
                                        node.type, node.name, attribute.name));
    }
    const auto bound = ResolveAttribute(caller, attribute);
    if (bound.attribute != nullptr) call.attributes[attribute.name] = bound;
  }
  return call;
}

}  // namespace slipway::runtime
