// SPDX-License-Identifier: Apache-2.0
// slipway.ByteTable: y[i] = table[x[i]], where bytes with signs count from 256 down. The pass
// `tabulate_quantized` puts it into plans; models cannot name its domain.
#include "runtime/kernels/byte_table_simd.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"
#include "runtime/op.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kEntries = 256;
constexpr std::int64_t kGrain = 16 << 10;

Result<Facts> Infer(const NodeFacts& node) {
  if (node.shape(1) != Shape{kEntries}) {
    return Invalid("a table of ", node.shape(1), " has not an entry for each byte");
  }
  return Facts{TensorFacts(node.dtype(1), node.shape(0))};
}

Result<void> RunReference(const NodeFacts&, KernelContext& context) {
  const auto* const from = static_cast<const std::uint8_t*>(context.input(0)->raw());
  const auto* const table = static_cast<const std::uint8_t*>(context.input(1)->raw());
  auto* const to = static_cast<std::uint8_t*>(context.output(0).raw());
  for (std::int64_t i = 0; i < context.input(0)->size(); ++i) to[i] = table[from[i]];
  return {};
}

Result<void> Run(const NodeFacts&, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto* const from = static_cast<const std::uint8_t*>(x.raw());
  const auto* const table = static_cast<const std::uint8_t*>(context.input(1)->raw());
  auto* const to = static_cast<std::uint8_t*>(context.output(0).raw());
  context.ParallelFor(x.size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    LookUpBytes(from + begin, table, to + begin, end - begin);
  });
  return {};
}

std::string DeclineVectors(const NodeFacts&) {
  return HasByteLookUp() ? "" : "the processor looks up bytes one by one";
}

constexpr Kernel kKernels[] = {
    {.name = "byte_table_vectors", .declines = DeclineVectors, .run = Run},
    {.name = "byte_table_reference", .run = RunReference}};
constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});

}  // namespace

OpList ops_byte_table() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "ByteTable",
            .domain = "slipway",
            .signature = "X:T1, table:T2 -> Y:T2",
            .types = kT1T2<kBytes, kBytes>,
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
