// SPDX-License-Identifier: Apache-2.0
// com.microsoft: RotaryEmbedding (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// `scale` has no effect, as in ONNX Runtime. `is_packed_batching` changes nothing: every token
// has its own position.
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/rotary.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// How the heads of the input lie.
struct Layout {
  std::int64_t batch = 0, heads = 0, length = 0, head = 0;
  bool heads_first = false;
};

Result<Layout> LayoutOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  if (x.size() == 4) return Layout{x[0], x[1], x[2], x[3], true};
  if (x.size() != 3) return Invalid("input of ", x, " has neither three dimensions nor four");
  std::int64_t heads = node.attributes.Int("num_heads", 0);
  if (node.shape(2).size() != 2) return Invalid("cos_cache of ", node.shape(2));
  const std::int64_t turned = 2 * node.shape(2)[1];
  if (node.attributes.Int("rotary_embedding_dim", 0) == 0 && turned > 0 && x[2] % turned == 0) {
    heads = x[2] / turned;
  }
  if (heads < 1 || x[2] % heads != 0) {
    return Invalid("attribute `num_heads` ", heads, " does not divide input of ", x);
  }
  return Layout{x[0], heads, x[1], x[2] / heads, false};
}

Result<Facts> Infer(const NodeFacts& node) {
  const Layout layout = TRY(LayoutOf(node));
  TRY(RotaryCache::Check(node.shape(2), node.shape(3), layout.head));
  const Shape& positions = node.shape(1);
  if (positions != Shape{1} && positions != Shape{layout.batch, layout.length}) {
    return Invalid("position_ids of ", positions, " are neither [1] nor ",
                   Shape{layout.batch, layout.length});
  }
  return InferSame(node);
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Layout layout = TRY(LayoutOf(node));
  const RotaryCache cache(*context.input(2), *context.input(3),
                          node.attributes.Int("interleaved", 0) != 0);
  const std::vector<std::int64_t> given = IntsOf(context.input(1));
  Doubles x = DoublesOf(context.input(0));
  const bool offset = node.shape(1) == Shape{1};
  for (std::int64_t n = 0; n < layout.batch; ++n) {
    for (std::int64_t s = 0; s < layout.length; ++s) {
      std::int64_t position = offset ? given[0] : given[At(n * layout.length + s)];
      const bool in_range = position >= 0 && position < cache.positions();
      if (offset && in_range) position += s;
      if (!in_range || position >= cache.positions()) {
        return Invalid("position ", position, " out of range [0, ", cache.positions(), ")");
      }
      for (std::int64_t h = 0; h < layout.heads; ++h) {
        const std::int64_t row = layout.heads_first ? (n * layout.heads + h) * layout.length + s
                                                    : (n * layout.length + s) * layout.heads + h;
        cache.Rotate(x.data() + row * layout.head, position);
      }
    }
  }
  return StoreDoubles(context, x, context.output(0));
}

constexpr Kernel kKernels[] = {{.name = "rotary_embedding_reference", .run = Run}};
constexpr DTypeSet kHalf32 = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});

}  // namespace

OpList ops_ms_rotary_embedding() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "RotaryEmbedding",
            .domain = "com.microsoft",
            .signature = "input:T, position_ids:int64, cos_cache:T, sin_cache:T -> output:T",
            .types = kT<kHalf32>,
            .attributes = "interleaved:int=0, is_packed_batching:int=0, num_heads:int=0, "
                          "rotary_embedding_dim:int=0, scale:float=1.0",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
