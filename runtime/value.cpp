// SPDX-License-Identifier: Apache-2.0
#include "runtime/value.h"

#include <fmt/format.h>

namespace slipway::runtime {

std::string TypeText(const TypeInfo& type) {
  const std::string inner = type.element.empty() ? "?" : TypeText(type.element.front());
  switch (type.kind) {
    case TypeInfo::Kind::kTensor:
      return fmt::format("tensor({})", DTypeName(type.dtype));
    case TypeInfo::Kind::kSparseTensor:
      return fmt::format("sparse_tensor({})", DTypeName(type.dtype));
    case TypeInfo::Kind::kSequence:
      return fmt::format("seq({})", inner);
    case TypeInfo::Kind::kMap:
      return fmt::format("map({},{})", DTypeName(type.dtype), inner);
    case TypeInfo::Kind::kOptional:
      return fmt::format("optional({})", inner);
  }
  return "unknown";
}

std::string ShapedTypeText(const TypeInfo& type) {
  if (type.kind != TypeInfo::Kind::kTensor) return TypeText(type);
  if (!type.shape) return fmt::format("{}[...]", DTypeName(type.dtype));
  std::string text = fmt::format("{}[", DTypeName(type.dtype));
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    if (i > 0) text += ',';
    const std::int64_t dim = (*type.shape)[i];
    if (dim >= 0) {
      text += std::to_string(dim);
    } else if (i < type.symbols.size() && !type.symbols[i].empty()) {
      text += type.symbols[i];
    } else {
      text += '?';
    }
  }
  return text + "]";
}

}  // namespace slipway::runtime
