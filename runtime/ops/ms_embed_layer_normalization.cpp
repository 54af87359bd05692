// SPDX-License-Identifier: Apache-2.0
// com.microsoft: EmbedLayerNormalization (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// The mask index is the position of the first 0 of each row of the mask, the length where there
// is none, and 0 without a mask.
#include <algorithm>
#include <cmath>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t {
  kIds,
  kSegments,
  kWords,
  kPositions,
  kSegmentTable,
  kGamma,
  kBeta,
  kMask,
  kPositionIds
};

Result<void> CheckTable(const NodeFacts& node, std::size_t input, std::int64_t width) {
  const Shape& shape = node.shape(input);
  if (shape.size() == 2 && shape[1] == width) return {};
  return Invalid("embedding ", input, " of ", shape, " has not rows of ", width);
}

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& ids = node.shape(kIds);
  if (ids.size() != 2) return Invalid("input_ids of ", ids, " are not [batch, length]");
  if (node.shape(kWords).size() != 2) return Invalid("word embedding of ", node.shape(kWords));
  const std::int64_t width = node.shape(kWords)[1];
  TRY(CheckTable(node, kPositions, width));
  if (node.Has(kSegments) != node.Has(kSegmentTable)) {
    return Invalid("segment_ids and segment_embedding are not given together");
  }
  if (node.Has(kSegmentTable)) TRY(CheckTable(node, kSegmentTable, width));
  for (const Input input : {kSegments, kMask}) {
    if (node.Has(input) && node.shape(input) != ids) {
      return Invalid("input ", static_cast<int>(input), " of ", node.shape(input), " is not ", ids);
    }
  }
  if (node.Has(kPositionIds) && node.shape(kPositionIds) != ids &&
      node.shape(kPositionIds) != Shape{1, ids[1]}) {
    return Invalid("position_ids of ", node.shape(kPositionIds), " do not fit ", ids);
  }
  for (const Input input : {kGamma, kBeta}) {
    if (node.shape(input) != Shape{width}) {
      return Invalid("input ", static_cast<int>(input), " of ", node.shape(input), " is not [",
                     width, "]");
    }
  }
  const Shape embedded{ids[0], ids[1], width};
  return OutputFacts(
      node, {TensorFacts(node.dtype(kWords), embedded), TensorFacts(DType::kInt32, {ids[0]}),
             TensorFacts(node.dtype(kWords), embedded)});
}

/// Rows of one table, by ids that are checked.
struct Lookup {
  const Tensor* table = nullptr;
  std::vector<std::int64_t> ids = {};  ///< one per token

  Result<void> Check(std::string_view name) const {
    if (table == nullptr) return {};
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= table->dim(0)) {
        return Invalid(name, " ", id, " out of range [0, ", table->dim(0), ")");
      }
    }
    return {};
  }

  template <class T>
  void AddTo(Doubles& row, std::int64_t token) const {
    if (table == nullptr) return;
    const T* from = table->data<T>().data() + ids[At(token)] * table->dim(1);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] += static_cast<double>(from[i]);
  }
};

struct Lookups {
  Lookup words, positions, segments;
};

Result<Lookups> LookupsOf(const NodeFacts& node, KernelContext& context) {
  Lookups all{{context.input(kWords), IntsOf(context.input(kIds))},
              {context.input(kPositions)},
              {node.Has(kSegmentTable) ? context.input(kSegmentTable) : nullptr}};
  const std::int64_t length = node.shape(kIds)[1];
  const auto given =
      node.Has(kPositionIds) ? IntsOf(context.input(kPositionIds)) : std::vector<std::int64_t>();
  for (std::size_t i = 0; i < all.words.ids.size(); ++i) {
    const std::int64_t column = static_cast<std::int64_t>(i) % length;
    all.positions.ids.push_back(given.empty() ? column : given[i % given.size()]);
  }
  if (node.Has(kSegments)) all.segments.ids = IntsOf(context.input(kSegments));
  TRY(all.words.Check("input_ids has"));
  TRY(all.positions.Check("position_ids has"));
  TRY(all.segments.Check("segment_ids has"));
  return all;
}

void StoreMaskIndex(const NodeFacts& node, KernelContext& context) {
  const std::int64_t length = node.shape(kIds)[1];
  auto out = context.output(1).data<std::int32_t>();
  for (std::size_t n = 0; n < out.size(); ++n) {
    out[n] = 0;
    if (!node.Has(kMask)) continue;
    const std::int32_t* row =
        context.input(kMask)->data<std::int32_t>().data() + static_cast<std::int64_t>(n) * length;
    out[n] = static_cast<std::int32_t>(std::find(row, row + length, 0) - row);
  }
}

template <class T>
void Embed(const NodeFacts& node, KernelContext& context, const Lookups& lookups) {
  const Doubles gamma = DoublesOf(context.input(kGamma));
  const Doubles beta = DoublesOf(context.input(kBeta));
  const auto epsilon = static_cast<double>(node.attributes.Float("epsilon", 1e-12F));
  T* y = Wanted(node, 0) ? context.output(0).data<T>().data() : nullptr;
  T* sums = Wanted(node, 2) ? context.output(2).data<T>().data() : nullptr;
  const auto tokens = static_cast<std::int64_t>(lookups.words.ids.size());
  context.ParallelFor(tokens, 1, [&](std::int64_t begin, std::int64_t end) {
    Doubles row;
    for (std::int64_t token = begin; token < end; ++token) {
      row.assign(gamma.size(), 0.0);
      lookups.words.AddTo<T>(row, token);
      lookups.positions.AddTo<T>(row, token);
      lookups.segments.AddTo<T>(row, token);
      double mean = 0;
      double variance = 0;
      for (const double x : row) mean += x / static_cast<double>(row.size());
      for (const double x : row) variance += (x - mean) * (x - mean);
      const double inverse = 1 / std::sqrt(variance / static_cast<double>(row.size()) + epsilon);
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::size_t at = At(token) * row.size() + i;
        if (sums != nullptr) sums[at] = static_cast<T>(row[i]);
        if (y != nullptr) y[at] = static_cast<T>((row[i] - mean) * inverse * gamma[i] + beta[i]);
      }
    }
  });
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Lookups lookups = TRY(LookupsOf(node, context));
  if (Wanted(node, 1)) StoreMaskIndex(node, context);
  return Dispatch(FloatList{}, node.dtype(kWords),
                  [&](auto tag) { Embed<typename decltype(tag)::type>(node, context, lookups); });
}

constexpr Kernel kKernels[] = {{.name = "embed_layer_normalization_reference", .run = Run}};
constexpr TypeRule kRules[] = {{"T1", Types({DType::kInt32})}, {"T", kFloatTypesB}};

}  // namespace

OpList ops_ms_embed_layer_normalization() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "EmbedLayerNormalization",
            .domain = "com.microsoft",
            .signature =
                "input_ids:T1, segment_ids?:T1, word_embedding:T, position_embedding:T, "
                "segment_embedding?:T, gamma:T, beta:T, mask?:T1, position_ids?:T1 -> output:T, "
                "mask_index?:T1, embedding_sum?:T",
            .types = kRules,
            .attributes = "epsilon:float=1e-12, mask_index_type:int",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
