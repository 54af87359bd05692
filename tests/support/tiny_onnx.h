// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::testing {

/// The bytes of an ONNX model of one node, `y = OP(x, x)`, over `float[N, 2]`.
struct TinyOnnx {
  std::string_view op_type = "Add";
  std::string_view graph_name = "tiny";
  std::int64_t opset = 13;
};
std::string MakeTinyOnnx(const TinyOnnx& wanted = {});

}  // namespace slipway::testing
