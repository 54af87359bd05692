// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/turned.h"

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

Result<Tensor> Turned(const Tensor& w, std::int64_t count, std::int64_t depth, std::int64_t width) {
  Tensor turned = TRY(Tensor::Make(DType::kFloat32, {count, width, depth}));
  const float* from = w.data<float>().data();
  float* to = turned.data<float>().data();
  for (std::int64_t i = 0; i < count; ++i, from += depth * width, to += depth * width) {
    for (std::int64_t j = 0; j < width; ++j) {
      for (std::int64_t k = 0; k < depth; ++k) to[j * depth + k] = from[k * width + j];
    }
  }
  return turned;
}

}  // namespace slipway::runtime
