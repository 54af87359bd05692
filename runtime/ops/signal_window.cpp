// SPDX-License-Identifier: Apache-2.0
// HannWindow, HammingWindow, BlackmanWindow, MelWeightMatrix (opset 17).
// Spec: https://onnx.ai/onnx/operators/onnx__HannWindow.html and the pages of the others.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Weights of the cosines of 0, 1 and 2 turns along the window, signs left out.
using Cosines = std::array<double, 3>;
constexpr Cosines kHann{0.5, 0.5, 0};
constexpr Cosines kHamming{25.0 / 46.0, 1 - 25.0 / 46.0, 0};
constexpr Cosines kBlackman{0.42, 0.5, 0.08};

Result<DType> OutputType(const NodeFacts& node) {
  return DTypeAttribute(node, "output_datatype", DType::kFloat32, node.op->types.back().dtypes);
}

Result<std::int64_t> SizeOf(const NodeFacts& node, const Tensor* size) {
  const std::int64_t count = TRY(ScalarInt(node, size, 0, "size", 0));
  if (count < 0) return Invalid("a window of size ", count);
  return count;
}

Result<Facts> InferWindow(const NodeFacts& node) {
  const DType dtype = TRY(OutputType(node));
  if (DependsOnData(node, 0)) return Facts{TensorFacts(dtype)};
  return Facts{TensorFacts(dtype, {TRY(SizeOf(node, node.inputs[0].constant))})};
}

template <const Cosines& cosines>
Result<void> RunWindow(const NodeFacts& node, KernelContext& context) {
  const std::int64_t size = TRY(SizeOf(node, context.input(0)));
  const DType dtype = TRY(OutputType(node));
  Tensor* out = TRY(OutputOf(node, context, 0, dtype, {size}));
  const bool periodic = node.attributes.Int("periodic", 1) != 0;
  const auto turn = static_cast<double>(periodic ? size : size - 1);
  Doubles values(At(size));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / turn;
    values[i] = cosines[0] - cosines[1] * std::cos(angle) + cosines[2] * std::cos(2 * angle);
  }
  return StoreDoubles(context, values, *out);
}

struct Mel {
  std::int64_t bins = 0, length = 0, rate = 0;
  double lower = 0, upper = 0;

  std::int64_t rows() const { return length / 2 + 1; }
};

Result<Mel> MelOf(const NodeFacts& node, const std::array<const Tensor*, 5>& inputs) {
  Mel mel;
  mel.bins = TRY(ScalarInt(node, inputs[0], 0, "num_mel_bins", 0));
  mel.length = TRY(ScalarInt(node, inputs[1], 1, "dft_length", 0));
  mel.rate = TRY(ScalarInt(node, inputs[2], 2, "sample_rate", 0));
  const Doubles lower = DoublesOf(inputs[3]);
  const Doubles upper = DoublesOf(inputs[4]);
  if (lower.size() != 1 || upper.size() != 1) return Invalid("an edge is not one number");
  mel.lower = lower[0];
  mel.upper = upper[0];
  const bool right = mel.bins >= 1 && mel.length >= 1 && mel.rate >= 1 && mel.lower >= 0 &&
                     std::isfinite(mel.upper) && mel.upper >= mel.lower;
  if (right) return mel;
  return Invalid(mel.bins, " mel bins of ", mel.length, " samples at ", mel.rate, " from ",
                 static_cast<float>(mel.lower), " to ", static_cast<float>(mel.upper), " hertz");
}

Result<Facts> InferMel(const NodeFacts& node) {
  const DType dtype = TRY(OutputType(node));
  std::array<const Tensor*, 5> inputs{};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (DependsOnData(node, i)) return Facts{TensorFacts(dtype)};
    inputs[i] = node.inputs[i].constant;
  }
  const Mel mel = TRY(MelOf(node, inputs));
  return Facts{TensorFacts(dtype, {mel.rows(), mel.bins})};
}

/// The rows where each triangle begins, peaks and ends: bin i is between edges i and i + 2.
std::vector<std::int64_t> EdgesOf(const Mel& mel) {
  const auto to_mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double low = to_mel(mel.lower);
  const double step = (to_mel(mel.upper) - low) / static_cast<double>(mel.bins + 2);
  std::vector<std::int64_t> edges;
  for (std::int64_t i = 0; i < mel.bins + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (low + step * static_cast<double>(i)) / 2595) - 1);
    const double row =
        std::floor(static_cast<double>(mel.length + 1) * hertz / static_cast<double>(mel.rate));
    edges.push_back(static_cast<std::int64_t>(std::min(row, 0x1p60)));
  }
  return edges;
}

Result<void> RunMel(const NodeFacts& node, KernelContext& context) {
  const Mel mel = TRY(MelOf(node, {context.input(0), context.input(1), context.input(2),
                                   context.input(3), context.input(4)}));
  const DType dtype = TRY(OutputType(node));
  Tensor* out = TRY(OutputOf(node, context, 0, dtype, {mel.rows(), mel.bins}));
  const std::vector<std::int64_t> edges = EdgesOf(mel);
  if (edges.back() > mel.rows()) {
    return Invalid("the upper edge of ", static_cast<float>(mel.upper), " hertz is beyond row ",
                   mel.rows(), " at a sample rate of ", mel.rate);
  }
  Doubles values(At(out->size()));
  const auto set = [&](std::int64_t row, std::size_t bin, std::int64_t part, std::int64_t whole) {
    if (row >= mel.rows()) return;
    values[At(row * mel.bins) + bin] = static_cast<double>(part) / static_cast<double>(whole);
  };
  for (std::size_t bin = 0; bin < At(mel.bins); ++bin) {
    const std::int64_t begin = edges[bin];
    const std::int64_t peak = edges[bin + 1];
    const std::int64_t end = edges[bin + 2];
    if (begin == peak) set(peak, bin, 1, 1);
    for (std::int64_t row = begin; row <= peak && begin < peak; ++row) {
      set(row, bin, row - begin, peak - begin);
    }
    for (std::int64_t row = peak; row < end; ++row) set(row, bin, end - row, end - peak);
  }
  return StoreDoubles(context, values, *out);
}

template <const Cosines& cosines>
constexpr Kernel kWindow[] = {{.name = "signal_window", .run = RunWindow<cosines>}};
constexpr Kernel kMel[] = {{.name = "mel_weight_matrix", .run = RunMel}};

consteval OpDef Window(std::string_view type, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = 17,
          .signature = "size:T1 -> output:T2",
          .types = kT1T2<kIndexTypes, kNumericTypesB>,
          .attributes = "output_datatype:int=1, periodic:int=1",
          .infer = InferWindow,
          .kernels = kernels};
}

}  // namespace

OpList ops_signal_window() {
  static constexpr OpDef kOps[] = {
      Window("HannWindow", kWindow<kHann>),
      Window("HammingWindow", kWindow<kHamming>),
      Window("BlackmanWindow", kWindow<kBlackman>),
      {.type = "MelWeightMatrix",
       .since = 17,
       .signature = "num_mel_bins:T1, dft_length:T1, sample_rate:T1, lower_edge_hertz:T2, "
                    "upper_edge_hertz:T2 -> output:T3",
       .types = kT1T2T3<kIndexTypes, kFloatTypesB, kNumericTypesB>,
       .attributes = "output_datatype:int=1",
       .infer = InferMel,
       .kernels = kMel},
  };
  return kOps;
}

}  // namespace slipway::runtime
