// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/per_channel.h"

#include <algorithm>

namespace slipway::runtime {
namespace {

template <class T>
Result<Tensor> Repeated(const Tensor& tensor, std::int64_t channels) {
  Tensor all = TRY(Tensor::Make(tensor.dtype(), {channels}));
  std::ranges::fill(all.data<T>(), tensor.data<T>()[0]);
  return all;
}

template <class T, class F>
Result<Tensor> Combine(const Tensor& a, const Tensor& b, const F& f) {
  Tensor result = TRY(Tensor::Make(a.dtype(), a.shape()));
  const auto x = a.data<T>();
  const auto y = b.data<T>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    result.data<T>()[i] = static_cast<T>(f(static_cast<double>(x[i]), static_cast<double>(y[i])));
  }
  return result;
}

}  // namespace

Result<std::optional<Tensor>> PerChannel(const Tensor& tensor, std::int64_t rank,
                                         std::int64_t channels) {
  const bool is_float = tensor.dtype() == DType::kFloat32;
  if (!is_float && tensor.dtype() != DType::kFloat64) return std::optional<Tensor>();
  if (tensor.size() == 1 && tensor.rank() <= rank && channels > 0) {
    return std::optional(
        TRY(is_float ? Repeated<float>(tensor, channels) : Repeated<double>(tensor, channels)));
  }
  const std::int64_t axis = tensor.rank() - rank + 1;
  if (tensor.size() != channels || axis < 0 || axis > 1 || tensor.dim(axis) != channels) {
    return std::optional<Tensor>();
  }
  return std::optional(tensor.Reshaped({channels}));
}

bool LinesUpFromTheRight(const NodeData& node) { return node.domain.empty() && node.opset >= 7; }

Result<Tensor> ProductOf(const Tensor& a, const Tensor& b) {
  const auto times = [](double x, double y) { return x * y; };
  return a.dtype() == DType::kFloat32 ? Combine<float>(a, b, times) : Combine<double>(a, b, times);
}

Result<Tensor> SumOf(const Tensor& a, const Tensor& b) {
  const auto plus = [](double x, double y) { return x + y; };
  return a.dtype() == DType::kFloat32 ? Combine<float>(a, b, plus) : Combine<double>(a, b, plus);
}

}  // namespace slipway::runtime
