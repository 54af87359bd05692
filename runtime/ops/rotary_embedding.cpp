// SPDX-License-Identifier: Apache-2.0
// RotaryEmbedding (opset 23). Spec: https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
// Caches of one sample serve all samples, as its body of Mul and Add has it: PyTorch writes such.
#include <algorithm>

#include "runtime/kernels/numbers.h"
#include "runtime/kernels/rotary.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Layout {
  std::int64_t batch = 0, length = 0, heads = 0, head = 0;
  std::int64_t rotated = 0;    ///< numbers of a head that are rotated, from its start
  bool heads_first = false;    ///< [batch, heads, length, head], else [batch, length, heads * head]
  bool interleaved = false;    ///< pairs lie side by side, else half of `rotated` apart
  bool shared = false;         ///< the caches have one row per token of one sample, for them all
  std::int64_t positions = 0;  ///< rows of the caches; 0 where they have one per token
};

Result<void> ReadInput(const NodeFacts& node, Layout& layout) {
  const Shape& x = node.shape(0);
  if (x.size() == 4) {
    layout = {.batch = x[0], .length = x[2], .heads = x[1], .head = x[3], .heads_first = true};
    return {};
  }
  const std::int64_t heads = node.attributes.Int("num_heads", 0);
  if (x.size() != 3 || heads < 1 || x[2] % heads != 0) {
    return Invalid("input of ", x, " with attribute `num_heads` ", heads);
  }
  layout = {.batch = x[0], .length = x[1], .heads = heads, .head = x[2] / heads};
  return {};
}

Result<Layout> LayoutOf(const NodeFacts& node) {
  Layout layout;
  TRY(ReadInput(node, layout));
  layout.interleaved = node.attributes.Int("interleaved", 0) != 0;
  layout.rotated = node.attributes.Int("rotary_embedding_dim", 0);
  if (layout.rotated == 0) layout.rotated = layout.head;
  if (layout.rotated < 0 || layout.rotated > layout.head || layout.rotated % 2 != 0) {
    return Invalid("attribute `rotary_embedding_dim` asks for ", layout.rotated, " of ",
                   layout.head, " numbers");
  }
  const Shape& cache = node.shape(1);
  const Shape per_token{layout.batch, layout.length, layout.rotated / 2};
  layout.shared = cache == Shape{1, layout.length, layout.rotated / 2};
  const bool by_position = node.Has(3) && cache.size() == 2 && cache[1] == layout.rotated / 2 &&
                           node.shape(3) == Shape{layout.batch, layout.length};
  const bool by_token = !node.Has(3) && (layout.shared || cache == per_token);
  if (node.shape(2) != cache || !(by_position || by_token)) {
    return Invalid("caches of ", cache, " and ", node.shape(2), " do not rotate ", layout.rotated,
                   " numbers of an input of ", node.shape(0));
  }
  if (by_position) layout.positions = std::max<std::int64_t>(1, cache[0]);
  return layout;
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(LayoutOf(node));
  return InferSame(node);
}

/// Row of the caches for every token.
Result<std::vector<std::int64_t>> RowsOf(const NodeFacts& node, KernelContext& context,
                                         const Layout& layout) {
  std::vector<std::int64_t> rows(At(layout.batch * layout.length));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto token = static_cast<std::int64_t>(i);
    rows[i] = layout.shared ? token % layout.length : token;
  }
  if (layout.positions == 0) return rows;
  const std::int64_t count = node.shape(1)[0];
  std::ranges::copy(context.input(3)->data<std::int64_t>(), rows.begin());
  for (std::int64_t& row : rows) {
    if (row < -count || row >= count) {
      return Invalid("position ", row, " out of range [", -count, ", ", count, ")");
    }
    if (row < 0) row += count;
  }
  return rows;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Layout layout = TRY(LayoutOf(node));
  const std::vector<std::int64_t> rows = TRY(RowsOf(node, context, layout));
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  const Tensor& cosines = *context.input(1);
  const Shape table{cosines.size() / (layout.rotated / 2), layout.rotated / 2};
  const RotaryCache cache(cosines.Reshaped(table), context.input(2)->Reshaped(table),
                          layout.interleaved);
  Doubles numbers = DoublesOf(context.input(0));
  const std::int64_t heads = layout.batch * layout.length * layout.heads;
  context.ParallelFor(heads, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t sample = i / (layout.heads * layout.length);
      const std::int64_t token =
          layout.heads_first ? i % layout.length : i / layout.heads % layout.length;
      cache.Rotate(numbers.data() + i * layout.head, rows[At(sample * layout.length + token)]);
    }
  });
  return StoreDoubles(context, numbers, y);
}

constexpr Kernel kKernels[] = {{.name = "rotary_embedding", .run = Run}};
constexpr DTypeSet kFloats = kFloat32Type | Types({DType::kFloat16, DType::kBfloat16});

}  // namespace

OpList ops_rotary_embedding() {
  static constexpr OpDef kOps[] = {
      {.type = "RotaryEmbedding",
       .since = 23,
       .signature = "X:T, cos_cache:T, sin_cache:T, position_ids?:int64 -> Y:T",
       .types = kT<kFloats>,
       .attributes = "interleaved:int=0, num_heads:int, rotary_embedding_dim:int=0",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
