// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "runtime/device/cpu.h"
#include "runtime/op.h"

/// Products of weights in bfloat16 or in bytes, where a session asks for it: attribute `precision`
/// of `slipway.Conv` and `slipway.MatMul`, `bf16` or `int8`. Bytes are numbers divided by a scale,
/// so that the largest of them is 127, and rounded; included by .cpp files only.
namespace slipway::runtime {

/// What the node asks for; float32 where it names none.
Precision PrecisionOf(const NodeFacts& node);
/// "" if that is `precision`, else why not.
std::string DeclineUnlessAsked(const NodeFacts& node, Precision precision);

/// Of what is multiplied.
dnnl::memory::data_type DnnlTypeOf(Precision precision);

/// The scale of numbers whose largest magnitude is given: what a byte of 1 stands for. Numbers that
/// are not all finite have none: what is computed of them is no number.
float ByteScaleOf(float magnitude);

/// A matrix of constant weights, float32, whose columns have scales of their own.
struct ByteWeights {
  const Tensor& weights;
  std::int64_t columns = 0;
  bool by_columns = false;  ///< the numbers of a column lie side by side, else those of a row do
};
/// [columns], float32. Made once and shared, as packed weights are.
Result<Tensor> ScalesOf(CpuContext& cpu, const ByteWeights& weights);
/// The bytes, by these scales, in the layout `want`; `have` is their layout in the order of the
/// weights.
Result<Tensor> PackedBytesOf(CpuContext& cpu, const ByteWeights& weights, const Tensor& scales,
                             const dnnl::memory::desc& have, const dnnl::memory::desc& want);

/// The layout with elements of another type.
dnnl::memory::desc WithType(const dnnl::memory::desc& plain, dnnl::memory::data_type type);

/// Whether a product is worth the conversion: of so many sums, each of `terms` products; every
/// number that is converted is used `uses` times, and has to be `least_uses` times.
bool GainsByPrecision(double sums, std::int64_t terms, double uses, double least_uses = 64);

}  // namespace slipway::runtime
