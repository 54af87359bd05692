// SPDX-License-Identifier: Apache-2.0
// com.microsoft: EmbedLayerNormalization, QEmbedLayerNormalization (1).
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
  /// Of the first operator alone; in the second's place, scales of the five tables and vectors,
  /// then their zero points.
  kPositionIds,
  kScales = kPositionIds
};

constexpr std::size_t kQuantised[] = {kWords, kPositions, kSegmentTable, kGamma, kBeta};

bool IsQuantised(const NodeFacts& node) { return node.op->type == "QEmbedLayerNormalization"; }

/// How the elements of an input were quantised.
struct Scale {
  double scale = 1, zero = 0;
  double Of(double element) const { return (element - zero) * scale; }
};

Scale ScaleOf(const NodeFacts& node, KernelContext& context, std::size_t input) {
  if (!IsQuantised(node)) return {};
  const auto at = static_cast<std::size_t>(std::ranges::find(kQuantised, input) - kQuantised);
  const std::size_t zero = kScales + std::size(kQuantised) + at;
  return {.scale = DoublesOf(context.input(kScales + at))[0],
          .zero = node.Has(zero) ? DoublesOf(context.input(zero))[0] : 0};
}

/// Scales and zero points are one number each, there where what they are of is.
Result<void> CheckScales(const NodeFacts& node) {
  for (std::size_t i = 0; i < std::size(kQuantised); ++i) {
    for (const std::size_t input : {kScales + i, kScales + std::size(kQuantised) + i}) {
      if (!node.Has(input) && node.Has(kQuantised[i])) {
        return Invalid("input ", input, " is missing: how input ", kQuantised[i], " was quantised");
      }
      if (node.Has(input) && TRY(ElementCount(node.shape(input))) != 1) {
        return Invalid("input ", input, " of ", node.shape(input), " is not one number");
      }
    }
  }
  return {};
}

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
  if (IsQuantised(node)) {
    TRY(CheckScales(node));
  } else if (node.Has(kPositionIds) && node.shape(kPositionIds) != ids &&
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
  const DType dtype = IsQuantised(node) ? DType::kFloat32 : node.dtype(kWords);
  return OutputFacts(node, {TensorFacts(dtype, embedded), TensorFacts(DType::kInt32, {ids[0]}),
                            TensorFacts(dtype, embedded)});
}

/// Rows of one table, by ids that are checked.
struct Lookup {
  const Tensor* table = nullptr;
  std::vector<std::int64_t> ids = {};  ///< one per token
  Scale scale = {};

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
    for (std::size_t i = 0; i < row.size(); ++i) row[i] += scale.Of(static_cast<double>(from[i]));
  }
};

struct Lookups {
  Lookup words, positions, segments;
};

Result<Lookups> LookupsOf(const NodeFacts& node, KernelContext& context) {
  Lookups all{{context.input(kWords), IntsOf(context.input(kIds))},
              {context.input(kPositions)},
              {node.Has(kSegmentTable) ? context.input(kSegmentTable) : nullptr}};
  all.words.scale = ScaleOf(node, context, kWords);
  all.positions.scale = ScaleOf(node, context, kPositions);
  if (node.Has(kSegmentTable)) all.segments.scale = ScaleOf(node, context, kSegmentTable);
  const std::int64_t length = node.shape(kIds)[1];
  const bool placed = !IsQuantised(node) && node.Has(kPositionIds);
  const auto given = placed ? IntsOf(context.input(kPositionIds)) : std::vector<std::int64_t>();
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

Doubles VectorOf(const NodeFacts& node, KernelContext& context, std::size_t input) {
  const Scale scale = ScaleOf(node, context, input);
  Doubles vector = DoublesOf(context.input(input));
  for (double& element : vector) element = scale.Of(element);
  return vector;
}

/// `Table`: of the elements of the tables.
template <class Table, class T>
void Embed(const NodeFacts& node, KernelContext& context, const Lookups& lookups) {
  const Doubles gamma = VectorOf(node, context, kGamma);
  const Doubles beta = VectorOf(node, context, kBeta);
  const auto epsilon = static_cast<double>(node.attributes.Float("epsilon", 1e-12F));
  T* y = Wanted(node, 0) ? context.output(0).data<T>().data() : nullptr;
  T* sums = Wanted(node, 2) ? context.output(2).data<T>().data() : nullptr;
  const auto tokens = static_cast<std::int64_t>(lookups.words.ids.size());
  context.ParallelFor(tokens, 1, [&](std::int64_t begin, std::int64_t end) {
    Doubles row;
    for (std::int64_t token = begin; token < end; ++token) {
      row.assign(gamma.size(), 0.0);
      lookups.words.AddTo<Table>(row, token);
      lookups.positions.AddTo<Table>(row, token);
      lookups.segments.AddTo<Table>(row, token);
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
  if (node.dtype(kWords) == DType::kInt8) {
    Embed<std::int8_t, float>(node, context, lookups);
    return {};
  }
  if (node.dtype(kWords) == DType::kUint8) {
    Embed<std::uint8_t, float>(node, context, lookups);
    return {};
  }
  return Dispatch(FloatList{}, node.dtype(kWords), [&](auto tag) {
    using T = typename decltype(tag)::type;
    Embed<T, T>(node, context, lookups);
  });
}

constexpr Kernel kKernels[] = {{.name = "embed_layer_normalization_reference", .run = Run}};
constexpr Kernel kQuantisedKernels[] = {
    {.name = "qembed_layer_normalization_reference", .run = Run}};
constexpr TypeRule kRules[] = {{"T1", Types({DType::kInt32})}, {"T", kFloatTypesB}};
constexpr TypeRule kQuantisedRules[] = {{"T1", Types({DType::kInt32})},
                                        {"T2", Types({DType::kInt8, DType::kUint8})},
                                        {"T", Types({DType::kFloat32})}};

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
      OpDef{.type = "QEmbedLayerNormalization",
            .domain = "com.microsoft",
            .signature =
                "input_ids:T1, segment_ids?:T1, word_embedding_quant:T2, "
                "position_embedding_quant:T2, segment_embedding?:T2, gamma_quant:T2, "
                "beta_quant:T2, mask?:T1, word_embedding_scale:T, position_embedding_scale:T, "
                "segment_embedding_scale?:T, gamma_scale:T, beta_scale:T, "
                "word_embedding_zero_point:T2, position_embedding_zero_point:T2, "
                "segment_embedding_zero_point?:T2, gamma_zero_point:T2, beta_zero_point:T2 -> "
                "layernorm_out:T, mask_index_out:T1",
            .types = kQuantisedRules,
            .attributes = "epsilon:float=1e-12",
            .infer = Infer,
            .kernels = kQuantisedKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
