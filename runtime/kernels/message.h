// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/tensor.h"

namespace slipway::runtime {

inline void AppendPart(std::string& text, std::string_view part) { text += part; }
inline void AppendPart(std::string& text, const Shape& part) { text += ShapeText(part); }
inline void AppendPart(std::string& text, DType part) { text += DTypeName(part); }
inline void AppendPart(std::string& text, std::integral auto part) { text += std::to_string(part); }
inline void AppendPart(std::string& text, float part) { text += std::to_string(part); }

/// `Message("axis ", 5, " of ", shape)`: parts one after another.
template <class... Parts>
std::string Message(const Parts&... parts) {
  std::string text;
  (AppendPart(text, parts), ...);
  return text;
}

/// kInvalidArgument with that message.
template <class... Parts>
Error Invalid(const Parts&... parts) {
  return {.code = Code::kInvalidArgument, .message = Message(parts...)};
}

}  // namespace slipway::runtime
