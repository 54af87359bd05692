// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/stack.h"

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

/// A box over all elements of `piece`, which is one step of `whole` along `axis`.
StridedBox StepBox(const Tensor& whole, const Tensor& piece, std::int64_t axis) {
  const Strides strides = ContiguousStrides(whole.shape());
  StridedBox box{.dims = piece.shape(), .from = {}, .to = {}};
  for (std::size_t d = 0; d < whole.shape().size(); ++d) {
    if (static_cast<std::int64_t>(d) != axis) box.from.push_back(strides[d]);
  }
  box.to = ContiguousStrides(piece.shape());
  return box;
}

}  // namespace

Result<Tensor> SliceAt(KernelContext& context, const Tensor& tensor, std::int64_t axis,
                       std::int64_t index) {
  if (IsPacked(tensor.dtype())) return Invalid("elements of ", tensor.dtype(), " are packed");
  Shape shape = tensor.shape();
  shape.erase(shape.begin() + axis);
  Tensor piece = TRY(Tensor::Make(tensor.dtype(), std::move(shape)));
  StridedBox box = StepBox(tensor, piece, axis);
  box.from_offset = index * ContiguousStrides(tensor.shape())[At(axis)];
  CopyBox(context, box, tensor, piece);
  return piece;
}

Result<Tensor> StepOf(KernelContext& context, const Tensor& tensor, std::int64_t axis,
                      std::int64_t index) {
  if (axis != 0 || IsPacked(tensor.dtype())) return SliceAt(context, tensor, axis, index);
  const std::int64_t bytes = tensor.bytes() / tensor.dim(0);
  return Tensor::Wrap(tensor.dtype(), Shape(tensor.shape().begin() + 1, tensor.shape().end()),
                      tensor.owner(),
                      const_cast<std::byte*>(tensor.raw_bytes().data()) + index * bytes);
}

Result<Tensor> StackTensors(KernelContext& context, const std::vector<Value>& items,
                            std::int64_t axis, bool reversed) {
  const Tensor* first = items.front().tensor();
  if (first == nullptr) return Invalid("only tensors can be stacked");
  if (IsPacked(first->dtype())) return Invalid("elements of ", first->dtype(), " are packed");
  const std::int64_t at = TRY(NormalizeAxis(axis, first->rank() + 1));
  Shape shape = first->shape();
  shape.insert(shape.begin() + at, static_cast<std::int64_t>(items.size()));
  Tensor whole = TRY(Tensor::Make(first->dtype(), std::move(shape)));
  const std::int64_t step = ContiguousStrides(whole.shape())[At(at)];
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Tensor* item = items[i].tensor();
    if (item == nullptr || item->dtype() != first->dtype() || item->shape() != first->shape()) {
      return Invalid("item ", i, " differs from the first in type or shape ", first->shape());
    }
    const auto place = static_cast<std::int64_t>(reversed ? items.size() - 1 - i : i);
    if (at == 0) {
      CopyElements(*item, 0, whole, place * step, item->size());
      continue;
    }
    StridedBox box = StepBox(whole, *item, at);
    std::swap(box.from, box.to);
    box.to_offset = place * step;
    CopyBox(context, box, *item, whole);
  }
  return whole;
}

Result<Tensor> StackOfNone(const ValueInfo& declared, std::int64_t axis) {
  if (declared.type.kind != TypeInfo::Kind::kTensor || declared.type.dtype == DType::kUndefined) {
    return Invalid("output `", declared.name, "` has no declared element type to make none of");
  }
  Shape shape = declared.type.shape.value_or(Shape{});
  for (std::int64_t& dim : shape) dim = dim < 0 ? 0 : dim;
  const std::int64_t at = TRY(NormalizeAxis(axis, RankOf(shape) + 1));
  shape.insert(shape.begin() + at, 0);
  return Tensor::Make(declared.type.dtype, std::move(shape));
}

}  // namespace slipway::runtime
