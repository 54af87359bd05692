// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::testing {

/// The bytes of an ONNX model of one node, `y = OP(x, x)`, over `float[N, 2]`.
struct TinyOnnx {
  std::string_view op_type = "Add";
  std::string_view graph_name = "tiny";
  std::int64_t opset = 13;
};
std::string MakeTinyOnnx(const TinyOnnx& wanted = {});

/// The bytes of a TensorProto of floats, as golden samples hold them.
std::string MakeTinyTensor(const std::vector<std::int64_t>& dims, const std::vector<float>& values);

}  // namespace slipway::testing
