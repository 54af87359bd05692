// SPDX-License-Identifier: Apache-2.0
// FlexAttention of domain ai.onnx.preview (opset 1).
// Spec: https://github.com/onnx/onnx/blob/main/docs/Operators.md#ai.onnx.preview.FlexAttention
// Sums are in double; scores and probabilities have the element type that the graphs see.
#include <algorithm>
#include <cmath>

#include "runtime/graph/graph.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Problem {
  std::int64_t batch = 0, heads = 0, kv_heads = 0, length = 0, total = 0, head = 0, value = 0;
  double scale = 1;
  DType precision = DType::kFloat32;

  Shape scores() const { return {batch, heads, length, total}; }
  std::int64_t kv_head(std::int64_t row) const {
    const std::int64_t at = row / length;
    return at / heads * kv_heads + at % heads / (heads / kv_heads);
  }
};

Result<void> CheckGraph(const NodeFacts& node, std::string_view name) {
  const GraphData* graph = node.attributes.GraphOrNull(name);
  if (graph == nullptr || (graph->inputs.size() == 1 && graph->outputs.size() == 1)) return {};
  return Invalid("graph `", name, "` has ", graph->inputs.size(), " inputs and ",
                 graph->outputs.size(), " outputs, not one of each");
}

Result<Problem> ProblemOf(const NodeFacts& node) {
  const Shape& q = node.shape(0);
  const Shape& k = node.shape(1);
  const Shape& v = node.shape(2);
  const bool fits = q.size() == 4 && k.size() == 4 && v.size() == 4 && k[0] == q[0] &&
                    v[0] == q[0] && k[1] == v[1] && k[2] == v[2] && k[3] == q[3] && k[1] > 0 &&
                    q[1] % k[1] == 0;
  if (!fits) return Invalid("query of ", q, ", key of ", k, " and value of ", v, " do not fit");
  TRY(CheckGraph(node, "score_mod"));
  TRY(CheckGraph(node, "prob_mod"));
  Problem p{.batch = q[0],
            .heads = q[1],
            .kv_heads = k[1],
            .length = q[2],
            .total = k[2],
            .head = q[3],
            .value = v[3]};
  p.scale = node.attributes.Has("scale") ? static_cast<double>(node.attributes.Float("scale", 1))
                                         : 1 / std::sqrt(static_cast<double>(p.head));
  const DType standard = node.dtype(0) == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
  p.precision = TRY(DTypeAttribute(node, "softmax_precision", standard, kFloatTypesB));
  TRY(ElementCount(p.scores()));
  return p;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Problem p = TRY(ProblemOf(node));
  return Facts{TensorFacts(node.dtype(0), {p.batch, p.heads, p.length, p.value})};
}

/// What the graph `name` makes of `values`; they themselves where there is none.
Result<Doubles> Modified(const NodeFacts& node, KernelContext& context, const Problem& p,
                         std::string_view name, Doubles values) {
  Tensor tensor = TRY(Tensor::Make(p.precision, p.scores()));
  TRY(StoreDoubles(context, values, tensor));
  const GraphData* graph = node.attributes.GraphOrNull(name);
  if (graph == nullptr) return DoublesOf(&tensor);
  const std::vector<Value> outputs = TRY(context.RunGraph(*graph, {Value(std::move(tensor))}));
  const Tensor* changed = outputs[0].tensor();
  if (changed == nullptr || changed->shape() != p.scores() || changed->dtype() != p.precision) {
    return Invalid("graph `", name, "` does not give ", p.precision, p.scores());
  }
  return DoublesOf(changed);
}

Doubles ScoresOf(KernelContext& context, const Problem& p) {
  const Doubles q = DoublesOf(context.input(0));
  const Doubles k = DoublesOf(context.input(1));
  const std::int64_t rows = p.batch * p.heads * p.length;
  Doubles scores(At(rows * p.total));
  context.ParallelFor(rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const double* query = q.data() + row * p.head;
      for (std::int64_t i = 0; i < p.total; ++i) {
        const double* key = k.data() + (p.kv_head(row) * p.total + i) * p.head;
        double sum = 0;
        for (std::int64_t d = 0; d < p.head; ++d) sum += query[d] * key[d];
        scores[At(row * p.total + i)] = sum * p.scale;
      }
    }
  });
  return scores;
}

void Softmax(std::span<double> row) {
  if (row.empty()) return;
  const double most = *std::ranges::max_element(row);
  double sum = 0;
  for (double& x : row) sum += x = std::exp(x - most);
  for (double& x : row) x /= sum;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Problem p = TRY(ProblemOf(node));
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  Doubles probabilities = TRY(Modified(node, context, p, "score_mod", ScoresOf(context, p)));
  const std::int64_t rows = p.batch * p.heads * p.length;
  for (std::int64_t row = 0; row < rows; ++row) {
    Softmax(std::span(probabilities).subspan(At(row * p.total), At(p.total)));
  }
  probabilities = TRY(Modified(node, context, p, "prob_mod", std::move(probabilities)));
  const Doubles v = DoublesOf(context.input(2));
  Doubles out(At(y.size()));
  context.ParallelFor(rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t i = 0; i < p.total; ++i) {
        const double* value = v.data() + (p.kv_head(row) * p.total + i) * p.value;
        const double weight = probabilities[At(row * p.total + i)];
        for (std::int64_t d = 0; d < p.value; ++d) out[At(row * p.value + d)] += weight * value[d];
      }
    }
  });
  return StoreDoubles(context, out, y);
}

constexpr Kernel kKernels[] = {{.name = "flex_attention", .run = Run}};

}  // namespace

OpList ops_preview_flex_attention() {
  static constexpr OpDef kOps[] = {
      {.type = "FlexAttention",
       .domain = "ai.onnx.preview",
       .since = 1,
       .signature = "Q:T1, K:T1, V:T1 -> Y:T1",
       .types = kT1T2<kFloatTypesB, kFloatTypesB>,
       .attributes = "prob_mod:graph, scale:float, score_mod:graph, softmax_precision:int",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
