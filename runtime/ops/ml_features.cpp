// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: ArrayFeatureExtractor, FeatureVectorizer (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html and the other's.
#include <algorithm>

#include "base/limits.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/ml_scores.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferExtractor(const NodeFacts& node) {
  Shape shape = node.shape(0);
  if (shape.empty()) return Invalid("input `X` has no features: it is a scalar");
  const std::int64_t count = TRY(ElementCount(node.shape(1)));
  if (shape.size() == 1) shape.insert(shape.begin(), 1);
  shape.back() = count;
  return Facts{TensorFacts(node.dtype(0), std::move(shape))};
}

Result<void> RunExtractor(const NodeFacts&, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto chosen = context.input(1)->data<std::int64_t>();
  const std::int64_t width = x.shape().back();
  for (const std::int64_t feature : chosen) {
    if (feature < 0 || feature >= width) {
      return Invalid("feature ", feature, " out of range [0, ", width, ")");
    }
  }
  Tensor& z = context.output(0);
  const std::int64_t rows = CountOf(x.shape(), 0, x.shape().size() - 1);
  std::int64_t to = 0;
  for (std::int64_t row = 0; row < rows && !chosen.empty(); ++row) {
    for (const std::int64_t feature : chosen) CopyElements(x, row * width + feature, z, to++, 1);
  }
  return {};
}

Result<std::vector<std::int64_t>> WidthsOf(const NodeFacts& node) {
  std::vector<std::int64_t> widths = node.attributes.Ints("inputdimensions", {});
  if (widths.empty()) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      widths.push_back(TRY(ExamplesOf(node.shape(i))).features);
    }
  }
  if (widths.size() == node.inputs.size()) return widths;
  return Invalid("attribute `inputdimensions` has ", widths.size(), " entries for ",
                 node.inputs.size(), " inputs");
}

Result<Facts> InferVectorizer(const NodeFacts& node) {
  const std::int64_t rows = TRY(ExamplesOf(node.shape(0))).rows;
  std::int64_t width = 0;
  for (const std::int64_t part : TRY(WidthsOf(node))) {
    width = TRY(CheckedAdd(width, part, "the sum of `inputdimensions`"));
  }
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (TRY(ExamplesOf(node.shape(i))).rows != rows) {
      return Invalid("input ", i, " of ", node.shape(i), " has not ", rows, " rows");
    }
  }
  return Facts{TensorFacts(DType::kFloat32, {rows, width})};
}

Result<void> RunVectorizer(const NodeFacts& node, KernelContext& context) {
  const std::vector<std::int64_t> widths = TRY(WidthsOf(node));
  Tensor& y = context.output(0);
  FillWith(y, nullptr);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const Examples from = TRY(ExamplesOf(node.shape(i)));
    const Doubles x = DoublesOf(context.input(i));
    const std::int64_t count = std::min(widths[i], from.features);
    for (std::int64_t row = 0; row < from.rows; ++row) {
      float* to = y.data<float>().data() + row * y.dim(1) + offset;
      for (std::int64_t f = 0; f < count; ++f) {
        to[f] = static_cast<float>(x[At(row * from.features + f)]);
      }
    }
    offset += widths[i];
  }
  return {};
}

constexpr Kernel kExtractor[] = {{.name = "feature_extractor_reference", .run = RunExtractor}};
constexpr Kernel kVectorizer[] = {{.name = "feature_vectorizer_reference", .run = RunVectorizer}};

constexpr DTypeSet kFeatures =
    Types({DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32});

}  // namespace

OpList ops_ml_features() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "ArrayFeatureExtractor",
            .domain = "ai.onnx.ml",
            .signature = "X:T, Y:int64 -> Z:T",
            .types = kT<kFeatures | kStringType>,
            .infer = InferExtractor,
            .kernels = kExtractor},
      OpDef{.type = "FeatureVectorizer",
            .domain = "ai.onnx.ml",
            .signature = "X*:T1 -> Y:float",
            .types = kT1T2<kFeatures, kFeatures>,
            .attributes = "inputdimensions:ints",
            .infer = InferVectorizer,
            .kernels = kVectorizer},
  });
  return kOps;
}

}  // namespace slipway::runtime
