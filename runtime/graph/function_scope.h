// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "runtime/graph/onnx_proto.h"

namespace slipway::runtime {

/// One call of a model-local function while it is being inlined: what its names and attributes
/// stand for where it is called. Null stands for the model's own graph.
struct FunctionCall {
  const proto::Function* function = nullptr;
  const FunctionCall* caller = nullptr;
  std::string prefix;  ///< of names that are the function's own
  std::map<std::string_view, std::string> names = {};

  struct Bound {
    const proto::Attribute* attribute = nullptr;
    const FunctionCall* scope = nullptr;  ///< where names inside its graphs resolve
  };
  std::map<std::string_view, Bound> attributes = {};
};

/// What `name`, as the function's body writes it, is called in the graph it is inlined into.
std::string NameIn(const FunctionCall* call, std::string_view name);

/// The attribute that `attribute` stands for: itself, or the one it refers to in the call; null
/// where that is not given.
FunctionCall::Bound ResolveAttribute(const FunctionCall* call, const proto::Attribute& attribute);

/// Whether `function` is being inlined already.
bool IsRunning(const FunctionCall* call, const proto::Function& function);

/// Model-local functions by domain, name and overload.
using FunctionTable = std::map<std::tuple<std::string_view, std::string_view, std::string_view>,
                               const proto::Function*>;

/// The call of `function` by `node`, whose names resolve in `caller`. kInvalidArgument if the
/// node has more inputs, outputs or other attributes than the function.
Result<FunctionCall> BindCall(const proto::Function& function, const proto::Node& node,
                              const FunctionCall* caller, std::string prefix);

}  // namespace slipway::runtime
