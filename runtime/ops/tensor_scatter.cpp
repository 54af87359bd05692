// SPDX-License-Identifier: Apache-2.0
// TensorScatter (opset 24). Spec: https://onnx.ai/onnx/operators/onnx__TensorScatter.html
#include "runtime/kernels/in_place.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// The sequence axis, after checks of shapes and mode.
Result<std::size_t> AxisOf(const NodeFacts& node) {
  const Shape& cache = node.shape(0);
  const Shape& update = node.shape(1);
  const std::int64_t axis = TRY(NormalizeAxis(node.attributes.Int("axis", -2), RankOf(cache)));
  if (axis == 0) return Invalid("attribute `axis` names the batch");
  bool fits = update.size() == cache.size();
  for (std::size_t d = 0; fits && d < cache.size(); ++d) {
    fits = d == At(axis) ? update[d] <= cache[d] : update[d] == cache[d];
  }
  if (!fits) return Invalid("an update of ", update, " does not fit a cache of ", cache);
  if (node.Has(2) && node.shape(2) != Shape{cache[0]}) {
    return Invalid("write indices of ", node.shape(2), " for a batch of ", cache[0]);
  }
  const std::string_view mode = node.attributes.String("mode", "linear");
  if (mode != "linear" && mode != "circular") {
    return Invalid("attribute `mode` is `", mode, "`, neither `linear` nor `circular`");
  }
  return At(axis);
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(AxisOf(node));
  return InferSame(node);
}

/// Where the update of a sample begins in a sequence of `most`.
Result<std::int64_t> StartOf(std::int64_t index, std::int64_t count, std::int64_t most,
                             bool circular) {
  if (circular && most > 0) return (index % most + most) % most;
  if (index >= 0 && index <= most - count) return index;
  return Invalid("write index ", index, " with ", count, " new entries in a cache of ", most);
}

Result<void> Scatter(const NodeFacts& node, const Tensor& update, const Tensor* indices,
                     Tensor& cache) {
  const std::size_t axis = TRY(AxisOf(node));
  const bool circular = node.attributes.String("mode", "linear") == "circular";
  const std::int64_t most = cache.shape()[axis];
  const std::int64_t count = update.shape()[axis];
  const std::int64_t rows = CountOf(cache.shape(), 1, axis);
  const std::int64_t row = CountOf(cache.shape(), axis + 1, cache.shape().size());
  for (std::int64_t sample = 0; sample < cache.dim(0); ++sample) {
    const std::int64_t given = indices != nullptr ? indices->data<std::int64_t>()[At(sample)] : 0;
    const std::int64_t start = TRY(StartOf(given, count, most, circular));
    const std::int64_t before_end = std::min(count, most - start);
    for (std::int64_t i = sample * rows; i < (sample + 1) * rows; ++i) {
      CopyElements(update, i * count * row, cache, (i * most + start) * row, before_end * row);
      CopyElements(update, (i * count + before_end) * row, cache, i * most * row,
                   (count - before_end) * row);
    }
  }
  return {};
}

class Scattering final : public Executable, public WorksInPlace {
 public:
  explicit Scattering(const NodeFacts& node) : node_(node) {}

  std::optional<std::size_t> InputUnder(std::size_t /*index*/) const override { return 0; }

  Result<void> Run(KernelContext& context) const override {
    const Tensor* indices = node_.Has(2) ? context.input(2) : nullptr;
    const Tensor& update = *context.input(1);
    Tensor& out = context.output(0);
    if (!IsPacked(out.dtype())) {
      CopyAll(*context.input(0), out);
      return out.size() == 0 ? Result<void>() : Scatter(node_, update, indices, out);
    }
    Tensor bytes = TRY(Unpacked(*context.input(0)));
    const Tensor update_bytes = TRY(Unpacked(update));
    TRY(Scatter(node_, update_bytes, indices, bytes));
    PackInto(bytes, out);
    return {};
  }

 private:
  const NodeFacts& node_;
};

Result<std::unique_ptr<Executable>> Prepare(const NodeFacts& node, DeviceContext& /*device*/) {
  return std::unique_ptr<Executable>(new Scattering(node));
}

constexpr Kernel kKernels[] = {{.name = "tensor_scatter", .prepare = Prepare}};

}  // namespace

OpList ops_tensor_scatter() {
  static constexpr OpDef kOps[] = {
      {.type = "TensorScatter",
       .since = 24,
       .signature = "past_cache:T, update:T, write_indices?:int64 -> present_cache:T",
       .types = kT<kTypes24>,
       .attributes = "axis:int=-2, mode:string=linear",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
