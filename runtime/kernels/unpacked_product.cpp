// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/unpacked_product.h"

#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sgemm.h"

namespace slipway::runtime {

Result<void> RunUnpackedProduct(const UnpackedProduct& p, KernelContext& context) {
  constexpr std::int64_t kPanel = 64, kRowsAtLeast = 8;
  CountedVector<float> panel(At(kPanel * p.k));
  for (std::int64_t first = 0; first < p.n; first += kPanel) {
    const std::int64_t count = std::min(kPanel, p.n - first);
    context.ParallelFor(count, kRowsAtLeast, [&](std::int64_t begin, std::int64_t end) {
      p.unpack(first + begin, end - begin, panel.data() + begin * p.k);
    });
    TRY(Sgemm({.a = p.a.data<float>().data(),
               .b = panel.data(),
               .y = p.y + first,
               .m = p.a.size() / p.k,
               .n = count,
               .k = p.k,
               .lda = p.k,
               .ldb = p.k,
               .ldy = p.n,
               .trans_b = true,
               .beta = p.beta}));
  }
  return {};
}

}  // namespace slipway::runtime
