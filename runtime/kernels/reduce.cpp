// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/reduce.h"

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {

std::optional<ReducedBox> ReducedBoxOf(const Shape& shape, const std::vector<bool>& reduced) {
  ReducedBox box;
  bool inside = false;
  bool behind = false;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    if (reduced[d] && behind) return std::nullopt;
    behind = inside && !reduced[d];
    inside = inside || reduced[d];
    (reduced[d] ? box.count : behind ? box.inner : box.outer) *= shape[d];
  }
  return box;
}

Result<Tensor> ReducedInside(KernelContext& context, const Tensor& x,
                             const std::vector<bool>& reduced) {
  const Strides strides = ContiguousStrides(x.shape());
  StridedBox box;
  bool inside = true;
  bool seen = false;
  for (const bool which : {false, true}) {
    for (std::size_t d = 0; d < reduced.size(); ++d) {
      if (reduced[d] != which) continue;
      box.dims.push_back(x.shape()[d]);
      box.from.push_back(strides[d]);
    }
  }
  for (std::size_t d = 0; d < reduced.size(); ++d) {
    if (x.shape()[d] == 1) continue;
    inside = inside && (reduced[d] || !seen);
    seen = seen || reduced[d];
  }
  if (inside || x.size() == 0) return x;
  Tensor ordered = TRY(Tensor::Make(x.dtype(), box.dims));
  box.to = ContiguousStrides(box.dims);
  CopyBox(context, box, x, ordered);
  return ordered;
}

}  // namespace slipway::runtime
