// SPDX-License-Identifier: Apache-2.0
// com.microsoft: GatherBlockQuantized (1): Gather of integers, of which each block along an axis
// has a scale and a zero point. Spec:
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md Data of uint8 hold
// one element of eight bits or several of `bits` bits, the low ones first; of these the middle is
// zero where no zero points are given. Floats of eight bits are refused.
#include <bit>
#include <optional>

#include "runtime/kernels/gather.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t { kData, kIndices, kScales, kZeros };

struct Layout {
  Shape data = {}, scales = {};  ///< in elements
  Shape output = {};
  std::size_t gather_axis = 0, quantize_axis = 0;
  std::int64_t block = 0, bits = 0;
  bool is_signed = false, packed = false;  ///< packed: several elements in each uint8
};

/// A tensor of uint8 as it is unpacked along its last dimension.
Shape Unpacked(Shape shape, std::int64_t bits) {
  if (!shape.empty()) shape.back() *= 8 / bits;
  return shape;
}

Result<void> CheckBlocks(const NodeFacts& node, const Layout& layout) {
  if (layout.scales != node.shape(kScales)) {
    return Invalid("scales of ", node.shape(kScales), " are not ", layout.scales);
  }
  if (!node.Has(kZeros)) return {};
  Shape zeros = layout.scales;
  if (layout.packed) {
    const std::int64_t in_byte = 8 / layout.bits;
    zeros.back() = (zeros.back() + in_byte - 1) / in_byte;
  }
  if (node.shape(kZeros) == zeros) return {};
  return Invalid("zero points of ", node.shape(kZeros), " are not ", zeros);
}

Result<Layout> LayoutOf(const NodeFacts& node) {
  const DType dtype = node.dtype(kData);
  Layout layout{.data = node.shape(kData),
                .block = node.attributes.Int("block_size", 128),
                .bits = node.attributes.Int("bits", 4),
                .is_signed = dtype == DType::kInt4};
  if (layout.bits != 4 && (layout.bits != 8 || dtype != DType::kUint8)) {
    return Invalid("attribute `bits` is ", layout.bits, " for data of ", dtype);
  }
  if (layout.block < 16 || !std::has_single_bit(static_cast<std::uint64_t>(layout.block))) {
    return Invalid("attribute `block_size` is ", layout.block, ", not a power of two from 16 on");
  }
  layout.packed = dtype == DType::kUint8 && layout.bits < 8;
  if (layout.packed) layout.data = Unpacked(layout.data, layout.bits);
  TRY(ElementCount(layout.data));
  const std::int64_t rank = RankOf(layout.data);
  layout.gather_axis = At(TRY(NormalizeAxis(node.attributes.Int("gather_axis", 0), rank)));
  layout.quantize_axis = At(TRY(NormalizeAxis(node.attributes.Int("quantize_axis", 1), rank)));
  const bool last = layout.quantize_axis + 1 == layout.data.size();
  if (layout.packed && (!last || layout.gather_axis == layout.quantize_axis)) {
    return Invalid("data of uint8 are quantised along their last axis and gathered along another");
  }
  layout.scales = layout.data;
  std::int64_t& blocks = layout.scales[layout.quantize_axis];
  blocks = (blocks + layout.block - 1) / layout.block;
  TRY(CheckBlocks(node, layout));
  const Shape& indices = node.shape(kIndices);
  const auto axis = static_cast<std::ptrdiff_t>(layout.gather_axis);
  layout.output.assign(layout.data.begin(), layout.data.begin() + axis);
  layout.output.insert(layout.output.end(), indices.begin(), indices.end());
  layout.output.insert(layout.output.end(), layout.data.begin() + axis + 1, layout.data.end());
  TRY(ElementCount(layout.output));
  return layout;
}

Result<Facts> Infer(const NodeFacts& node) {
  return Facts{TensorFacts(node.dtype(kScales), TRY(LayoutOf(node)).output)};
}

/// Elements of four or eight bits, and which are zero.
class Numbers {
 public:
  Numbers(const Tensor& tensor, const Layout& layout, std::int64_t row, std::int64_t packed_row)
      : bytes_(reinterpret_cast<const std::uint8_t*>(tensor.raw())),
        bits_(layout.bits),
        is_signed_(layout.is_signed),
        row_(row),
        packed_row_(packed_row) {}

  int operator()(std::int64_t at) const {
    if (bits_ == 8) return bytes_[at];
    // Rows of packed bytes begin with a byte of their own.
    if (row_ != packed_row_) at = at / row_ * packed_row_ + at % row_;
    const int nibble = bytes_[at / 2] >> (at % 2 * 4) & 15;
    return is_signed_ && nibble > 7 ? nibble - 16 : nibble;
  }

 private:
  const std::uint8_t* bytes_;
  std::int64_t bits_;
  bool is_signed_;
  std::int64_t row_, packed_row_;
};

/// `count` elements that follow each other, from data element `from` on, dequantised.
struct Dequantiser {
  Numbers data;
  std::optional<Numbers> zeros;
  Doubles scales;
  std::int64_t inner = 1, dim = 1, blocks = 1, block = 1;  ///< of the quantised axis
  int middle = 0;

  double operator()(std::int64_t at) const {
    const std::int64_t place = at / inner % dim;
    const std::int64_t group = (at / inner / dim * blocks + place / block) * inner + at % inner;
    const int zero = zeros ? (*zeros)(group) : middle;
    return (data(at) - zero) * scales[At(group)];
  }
};

Dequantiser DequantiserOf(const NodeFacts& node, KernelContext& context, const Layout& layout) {
  const std::int64_t row = layout.scales.back();
  const std::int64_t packed_row = layout.packed ? row + row % 2 : row;
  Dequantiser made{.data = {*context.input(kData), layout, 1, 1},
                   .zeros = {},
                   .scales = DoublesOf(context.input(kScales))};
  if (node.Has(kZeros)) made.zeros = Numbers(*context.input(kZeros), layout, row, packed_row);
  made.inner = CountOf(layout.data, layout.quantize_axis + 1, layout.data.size());
  made.dim = layout.data[layout.quantize_axis];
  made.blocks = layout.scales[layout.quantize_axis];
  made.block = layout.block;
  if (node.dtype(kData) == DType::kUint8) made.middle = 1 << (layout.bits - 1);
  return made;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Layout layout = TRY(LayoutOf(node));
  const std::int64_t dim = layout.data[layout.gather_axis];
  const Offsets indices = TRY(NormalizedIndices(*context.input(kIndices), dim));
  const std::int64_t inner = CountOf(layout.data, layout.gather_axis + 1, layout.data.size());
  const auto count = static_cast<std::int64_t>(indices.size());
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  const Dequantiser dequantise = DequantiserOf(node, context, layout);
  Doubles out(At(y.size()));
  context.ParallelFor(y.size(), kGatherGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / inner;
      const std::int64_t from = (row / count * dim + indices[At(row % count)]) * inner + i % inner;
      out[At(i)] = dequantise(from);
    }
  });
  return StoreDoubles(context, out, y);
}

constexpr Kernel kKernels[] = {{.name = "gather_block_quantized_reference", .run = Run}};
constexpr DTypeSet kPacked = Types({DType::kInt4, DType::kUint4, DType::kUint8});
constexpr DTypeSet kReals = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});
constexpr TypeRule kRules[] = {{"T1", kPacked}, {"T2", kReals}, {"Tind", kIndexTypes}};

}  // namespace

OpList ops_ms_gather_block_quantized() {
  static constexpr OpDef kOps[] = {
      OpDef{.type = "GatherBlockQuantized",
            .domain = "com.microsoft",
            .signature = "data:T1, indices:Tind, scales:T2, zero_points?:T1 -> output:T2",
            .types = kRules,
            .attributes = "bits:int=4, block_size:int=128, gather_axis:int=0, quantize_axis:int=1",
            .infer = Infer,
            .kernels = kKernels},
  };
  return kOps;
}

}  // namespace slipway::runtime
