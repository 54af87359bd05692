// SPDX-License-Identifier: Apache-2.0
#include "tests/support/op_context.h"

#include <algorithm>
#include <cstring>

namespace slipway::test {

using runtime::DType;
using runtime::Tensor;

Result<void> OpContext::Open(const runtime::NodeFacts& node, std::int64_t scratch_bytes) {
  outputs_.resize(node.outputs_wanted.size());
  for (std::size_t i = 0; i < node.outputs.size() && i < outputs_.size(); ++i) {
    if (!node.outputs[i].shape || !node.outputs_wanted[i]) continue;
    Tensor output = TRY(Tensor::Make(node.outputs[i].dtype, *node.outputs[i].shape));
    if (output.dtype() != DType::kString && output.size() > 0) {
      std::memset(output.raw(), 0xa5, static_cast<std::size_t>(output.bytes()));
    }
    outputs_[i] = std::move(output);
  }
  scratch_ = TRY(Tensor::Make(DType::kUint8, {scratch_bytes}));
  return {};
}

const Tensor* OpContext::input(std::size_t index) {
  if (index >= inputs_.size() || inputs_[index].is_none()) return nullptr;
  return inputs_[index].tensor();
}

Result<Tensor*> OpContext::Allocate(std::size_t index, DType dtype, runtime::Shape shape) {
  outputs_[index] = TRY(Tensor::Make(dtype, std::move(shape)));
  return outputs_[index].tensor();
}

std::span<std::byte> OpContext::scratch() {
  return {static_cast<std::byte*>(scratch_.raw()), static_cast<std::size_t>(scratch_.size())};
}

void OpContext::ParallelFor(std::int64_t count, std::int64_t, const runtime::RangeBody& body) {
  std::int64_t end = count;
  for (int piece = pieces_; piece > 0 && end > 0; --piece) {
    const std::int64_t begin = piece == 1 ? 0 : end - std::max<std::int64_t>(1, end / piece - 1);
    body(begin, end);
    end = begin;
  }
}

}  // namespace slipway::test
