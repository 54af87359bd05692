// SPDX-License-Identifier: Apache-2.0
// com.microsoft: MatMulNBits (1): A times the transpose of B [N, K], of which each block of K has a
// scale and a zero point.
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Computed with A as it is, whatever `accuracy_level` allows. Packed weights of a device are
// refused.
#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "runtime/bounds.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/unpacked_product.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t { kA, kB, kScales, kZeros, kGroups, kBias };

/// B as it is packed.
struct Packing {
  std::int64_t n = 0, k = 0, block = 0, bits = 0, blocks = 0, blob = 0;
  bool packed_zeros = false;
};

std::int64_t RoundedUp(std::int64_t count, std::int64_t by) { return (count + by - 1) / by; }

/// Whether the elements of an input may be read as [rows, columns].
bool HasElements(const NodeFacts& node, std::size_t input, std::int64_t rows,
                 std::int64_t columns) {
  const Shape& shape = node.shape(input);
  return shape == Shape{rows, columns} || shape == Shape{rows * columns};
}

Result<Packing> PackingOf(const NodeFacts& node) {
  Packing p{.n = node.attributes.Int("N", 0),
            .k = node.attributes.Int("K", 0),
            .block = node.attributes.Int("block_size", 0),
            .bits = node.attributes.Int("bits", 4)};
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (p.n < 1 || p.k < 1 || p.n > kMost || p.k > kMost) {
    return Invalid("attributes `N` and `K` are ", p.n, " and ", p.k);
  }
  if (p.bits != 2 && p.bits != 4 && p.bits != 8) return Invalid("attribute `bits` is ", p.bits);
  const bool power = p.block > 0 && std::has_single_bit(static_cast<std::uint64_t>(p.block));
  if (!power || p.block < 16 || p.block > kMost) {
    return Invalid("attribute `block_size` is ", p.block, ", not a power of two from 16 on");
  }
  p.blocks = RoundedUp(p.k, p.block);
  p.blob = p.block * p.bits / 8;
  TRY(ElementCount({p.n, p.blocks, p.blob}));
  if (node.shape(kB) != Shape{p.n, p.blocks, p.blob}) {
    return Invalid("B of ", node.shape(kB), " is not [", p.n, ",", p.blocks, ",", p.blob, "]");
  }
  if (!HasElements(node, kScales, p.n, p.blocks)) {
    return Invalid("scales of ", node.shape(kScales), " are not [", p.n, ",", p.blocks, "]");
  }
  if (!node.Has(kZeros)) return p;
  p.packed_zeros = node.dtype(kZeros) == DType::kUint8;
  const std::int64_t columns = p.packed_zeros ? RoundedUp(p.blocks * p.bits, 8) : p.blocks;
  if (HasElements(node, kZeros, p.n, columns)) return p;
  return Invalid("zero points of ", node.shape(kZeros), " are not [", p.n, ",", columns, "]");
}

Result<Facts> Infer(const NodeFacts& node) {
  const Packing p = TRY(PackingOf(node));
  if (node.Has(kGroups) && node.shape(kGroups) != Shape{p.k} &&
      node.shape(kGroups) != Shape{p.blocks * p.block}) {
    return Invalid("g_idx of ", node.shape(kGroups), " is neither [", p.k, "] nor [",
                   p.blocks * p.block, "]");
  }
  if (node.attributes.Int("weight_prepacked", 0) != 0) {
    return Error{.code = Code::kUnimplemented,
                 .message = "attribute `weight_prepacked` is not 0: packed for another device"};
  }
  Shape y = node.shape(kA);
  if (y.empty() || y.back() != p.k) return Invalid("A of ", y, " has not rows of ", p.k);
  if (node.Has(kBias) && node.shape(kBias) != Shape{p.n}) {
    return Invalid("bias of ", node.shape(kBias), " is not [", p.n, "]");
  }
  y.back() = p.n;
  return Facts{TensorFacts(node.dtype(kA), std::move(y))};
}

/// Element `index` of numbers packed from the low bits of each byte on.
int Unpack(const std::uint8_t* bytes, std::int64_t index, std::int64_t bits) {
  const std::int64_t bit = index * bits;
  return bytes[bit / 8] >> (bit % 8) & ((1 << bits) - 1);
}

/// Of each of K which block's scale and zero point it has, where that is not its own's.
Result<std::vector<std::int64_t>> GroupsOf(const NodeFacts& node, KernelContext& context,
                                           const Packing& packing) {
  std::vector<std::int64_t> groups = IntsOf(node.Has(kGroups) ? context.input(kGroups) : nullptr);
  groups.resize(node.Has(kGroups) ? At(packing.k) : 0);
  for (const std::int64_t group : groups) {
    if (group >= 0 && group < packing.blocks) continue;
    return Invalid("g_idx ", group, " out of range [0, ", packing.blocks, ")");
  }
  return groups;
}

/// One row of B as it is multiplied, K elements.
class Weights {
 public:
  Weights(const NodeFacts& node, KernelContext& context, const Packing& packing,
          std::vector<std::int64_t> groups)
      : p_(packing),
        bytes_(context.input(kB)->data<std::uint8_t>().data()),
        groups_(std::move(groups)) {
    scales_ = DoublesOf(context.input(kScales));
    if (!node.Has(kZeros)) return;
    if (p_.packed_zeros) {
      packed_zeros_ = context.input(kZeros)->data<std::uint8_t>().data();
    } else {
      zeros_ = DoublesOf(context.input(kZeros));
    }
  }

  /// The same in float, where elements of up to four bits are looked up in a table of the block.
  void QuickRow(std::int64_t n, float* out) const {
    if (p_.bits > 4 || !groups_.empty()) return Row(n, out);
    const std::int64_t in_byte = 8 / p_.bits;
    const unsigned mask = (1U << p_.bits) - 1;
    float table[16];
    for (std::int64_t block = 0; block < p_.blocks; ++block) {
      const std::uint8_t* bytes = bytes_ + (n * p_.blocks + block) * p_.blob;
      const double scale = scales_[At(n * p_.blocks + block)];
      const double zero = ZeroOf(n, block);
      for (unsigned i = 0; i <= mask; ++i) table[i] = static_cast<float>((i - zero) * scale);
      const std::int64_t count = std::min(p_.block, p_.k - block * p_.block);
      float* to = out + block * p_.block;
      std::int64_t i = 0;
      for (; i + in_byte <= count; i += in_byte) {
        unsigned byte = *bytes++;
        for (std::int64_t part = 0; part < in_byte; ++part, byte >>= p_.bits) {
          to[i + part] = table[byte & mask];
        }
      }
      for (unsigned byte = i < count ? *bytes : 0; i < count; ++i, byte >>= p_.bits) {
        to[i] = table[byte & mask];
      }
    }
  }

  template <class T>
  void Row(std::int64_t n, T* out) const {
    if (!groups_.empty()) return GroupedRow(n, out);
    for (std::int64_t block = 0; block < p_.blocks; ++block) {
      const std::uint8_t* bytes = bytes_ + (n * p_.blocks + block) * p_.blob;
      const double scale = scales_[At(n * p_.blocks + block)];
      const double zero = ZeroOf(n, block);
      const std::int64_t count = std::min(p_.block, p_.k - block * p_.block);
      T* to = out + block * p_.block;
      for (std::int64_t i = 0; i < count; ++i) {
        to[i] = static_cast<T>((Unpack(bytes, i, p_.bits) - zero) * scale);
      }
    }
  }

 private:
  template <class T>
  void GroupedRow(std::int64_t n, T* out) const {
    const std::uint8_t* bytes = bytes_ + n * p_.blocks * p_.blob;
    for (std::int64_t k = 0; k < p_.k; ++k) {
      const std::int64_t group = groups_[At(k)];
      const double scale = scales_[At(n * p_.blocks + group)];
      out[k] = static_cast<T>((Unpack(bytes, k, p_.bits) - ZeroOf(n, group)) * scale);
    }
  }

  double ZeroOf(std::int64_t n, std::int64_t block) const {
    if (packed_zeros_ != nullptr) {
      return Unpack(packed_zeros_ + n * RoundedUp(p_.blocks * p_.bits, 8), block, p_.bits);
    }
    return zeros_.empty() ? static_cast<double>(1 << (p_.bits - 1))
                          : zeros_[At(n * p_.blocks + block)];
  }

  Packing p_;
  const std::uint8_t* bytes_;
  const std::uint8_t* packed_zeros_ = nullptr;
  Doubles scales_, zeros_;
  std::vector<std::int64_t> groups_;
};

Result<void> RunReference(const NodeFacts& node, KernelContext& context) {
  const Packing p = TRY(PackingOf(node));
  const Weights weights(node, context, p, TRY(GroupsOf(node, context, p)));
  const Doubles a = DoublesOf(context.input(kA));
  const Doubles bias = node.Has(kBias) ? DoublesOf(context.input(kBias)) : Doubles(At(p.n), 0.0);
  const std::int64_t rows = static_cast<std::int64_t>(a.size()) / p.k;
  Doubles y(At(rows * p.n));
  context.ParallelFor(p.n, 1, [&](std::int64_t begin, std::int64_t end) {
    Doubles row(At(p.k));
    for (std::int64_t n = begin; n < end; ++n) {
      weights.Row(n, row.data());
      for (std::int64_t m = 0; m < rows; ++m) {
        double sum = bias[At(n)];
        for (std::int64_t k = 0; k < p.k; ++k) sum += a[At(m * p.k + k)] * row[At(k)];
        y[At(m * p.n + n)] = sum;
      }
    }
  });
  return StoreDoubles(context, y, context.output(0));
}

std::string DeclineBlas(const NodeFacts& node) {
  return node.dtype(kA) == DType::kFloat32 ? "" : "A is not float32";
}

Result<void> RunBlas(const NodeFacts& node, KernelContext& context) {
  const Packing p = TRY(PackingOf(node));
  const Weights weights(node, context, p, TRY(GroupsOf(node, context, p)));
  const auto y = context.output(0).data<float>();
  std::ranges::fill(y, 0.0F);
  if (node.Has(kBias)) {
    const auto bias = context.input(kBias)->data<float>();
    for (std::size_t at = 0; at < y.size(); at += At(p.n)) {
      std::ranges::copy(bias.first(At(p.n)), y.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  const auto unpack = [&](std::int64_t first, std::int64_t count, float* to) {
    for (std::int64_t i = 0; i < count; ++i) weights.QuickRow(first + i, to + i * p.k);
  };
  return RunUnpackedProduct(
      {.a = *context.input(kA), .n = p.n, .k = p.k, .y = y.data(), .beta = 1, .unpack = unpack},
      context);
}

constexpr Kernel kKernels[] = {
    {.name = "matmul_nbits_blas", .declines = DeclineBlas, .run = RunBlas},
    {.name = "matmul_nbits_reference", .run = RunReference}};

constexpr DTypeSet kHalf32 = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});
constexpr TypeRule kRules[] = {{"T1", kHalf32}, {"T3", kHalf32 | Types({DType::kUint8})}};

}  // namespace

OpList ops_ms_matmul_nbits() {
  static constexpr auto kOps = Versions({
      OpDef{
          .type = "MatMulNBits",
          .domain = "com.microsoft",
          .signature = "A:T1, B:uint8, scales:T1, zero_points?:T3, g_idx?:int32, bias?:T1 -> Y:T1",
          .types = kRules,
          .attributes = "K!:int, N!:int, accuracy_level:int=0, bits:int=4, block_size!:int, "
                        "weight_prepacked:int=0",
          .infer = Infer,
          .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
