// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/dnnl_helpers.h"

namespace slipway::runtime {
std::int64_t ChannelBlock() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
      return 0;
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx2_vnni:
      return 8;
    default:
      return 16;
  }
}

Shape BlockedShape(const Shape& plain, std::int64_t block) {
  return {plain[0], (plain[1] + block - 1) / block, plain[2], plain[3], block};
}

Shape PlainShape(const Shape& shape, std::int64_t channels) {
  if (shape.size() != 5) return shape;
  return {shape[0], channels, shape[2], shape[3]};
}

}  // namespace slipway::runtime
