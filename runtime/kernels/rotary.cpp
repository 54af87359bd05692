// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/rotary.h"

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

Result<void> RotaryCache::Check(const Shape& cosines, const Shape& sines, std::int64_t head) {
  if (cosines.size() == 2 && cosines == sines && cosines[1] > 0 && cosines[1] <= head / 2) {
    return {};
  }
  return Invalid("cos_cache of ", cosines, " and sin_cache of ", sines, " do not fit heads of ",
                 head);
}

RotaryCache::RotaryCache(const Tensor& cosines, const Tensor& sines, bool interleaved)
    : cosines_(cosines),
      sines_(sines),
      positions_(cosines.dim(0)),
      pairs_(cosines.dim(1)),
      interleaved_(interleaved) {}

void RotaryCache::Rotate(double* head, std::int64_t position) const {
  (void)Dispatch(FloatList{}, cosines_.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* cosines = cosines_.data<T>().data() + position * pairs_;
    const T* sines = sines_.data<T>().data() + position * pairs_;
    for (std::int64_t p = 0; p < pairs_; ++p) {
      double& real = head[interleaved_ ? 2 * p : p];
      double& imaginary = head[interleaved_ ? 2 * p + 1 : p + pairs_];
      const auto cosine = static_cast<double>(cosines[p]);
      const auto sine = static_cast<double>(sines[p]);
      const double turned = real * cosine - imaginary * sine;
      imaginary = real * sine + imaginary * cosine;
      real = turned;
    }
  });
}

}  // namespace slipway::runtime
