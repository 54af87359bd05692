// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

namespace slipway::imagebuilder {

/// What was asked for cannot be an image.
inline Error SpecError(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Image.Spec"};
}

/// Stored or received image data breaks a rule.
inline Error Damaged(std::string message) {
  return {.code = Code::kDataLoss, .message = std::move(message), .id = "Image.Damaged"};
}

inline Error Cancelled() {
  return {
      .code = Code::kUnavailable, .message = "the build was cancelled", .id = "Image.Cancelled"};
}

}  // namespace slipway::imagebuilder
