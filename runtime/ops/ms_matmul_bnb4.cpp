// SPDX-License-Identifier: Apache-2.0
// com.microsoft: MatMulBnb4 (1): A times B [N, K], or times its transpose as `transB` says, of
// which each block of elements has a largest magnitude, and each element one of sixteen levels.
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Levels: of FP4 those of bitsandbytes, of NF4 those of the QLoRA paper (arXiv 2305.14314, E).
#include <algorithm>
#include <array>
#include <bit>

#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/unpacked_product.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t { kA, kB, kMagnitudes };

using Levels = std::array<float, 16>;
constexpr Levels kFp4 = {
    0,     5.208333333e-03F,  0.66666667F,  1,  0.33333333F,  0.5F,  0.16666667F,  0.25F,
    -0.0F, -5.208333333e-03F, -0.66666667F, -1, -0.33333333F, -0.5F, -0.16666667F, -0.25F};
constexpr Levels kNf4 = {-1.0F,        -0.69619280F, -0.52507305F, -0.39491749F,
                         -0.28444138F, -0.18477343F, -0.09105004F, 0,
                         0.07958030F,  0.16093020F,  0.24611230F,  0.33791524F,
                         0.44070983F,  0.56261700F,  0.72295684F,  1};

/// B as it is packed: two elements a byte, the first in the high bits, blocks through all of it.
struct Packing {
  std::int64_t n = 0, k = 0, block = 0;
  bool transposed = true;
  const Levels* levels = nullptr;

  std::int64_t inner() const { return transposed ? k : n; }
  std::int64_t columns() const { return transposed ? n : k; }
};

Result<Packing> PackingOf(const NodeFacts& node) {
  const std::int64_t kind = node.attributes.Int("quant_type", 0);
  Packing p{.n = node.attributes.Int("N", 0),
            .k = node.attributes.Int("K", 0),
            .block = node.attributes.Int("block_size", 0),
            .transposed = node.attributes.Int("transB", 1) != 0,
            .levels = kind == 0 ? &kFp4 : &kNf4};
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  if (p.n < 1 || p.k < 1 || p.n > kMost || p.k > kMost) {
    return Invalid("attributes `N` and `K` are ", p.n, " and ", p.k);
  }
  if (kind != 0 && kind != 1) {
    return Invalid("attribute `quant_type` is ", kind, ", neither 0 (FP4) nor 1 (NF4)");
  }
  const bool power = p.block > 0 && std::has_single_bit(static_cast<std::uint64_t>(p.block));
  if (!power || p.block < 16 || p.block > kMost) {
    return Invalid("attribute `block_size` is ", p.block, ", not a power of two from 16 on");
  }
  const std::int64_t bytes = (p.n * p.k + 1) / 2;
  if (TRY(ElementCount(node.shape(kB))) != bytes) {
    return Invalid("B of ", node.shape(kB), " has not ", bytes, " bytes");
  }
  const std::int64_t blocks = (p.n * p.k + p.block - 1) / p.block;
  if (TRY(ElementCount(node.shape(kMagnitudes))) == blocks) return p;
  return Invalid("absmax of ", node.shape(kMagnitudes), " has not ", blocks, " elements");
}

Result<Facts> Infer(const NodeFacts& node) {
  const Packing p = TRY(PackingOf(node));
  Shape y = node.shape(kA);
  if (y.empty() || y.back() != p.inner()) {
    return Invalid("A of ", y, " has not rows of ", p.inner());
  }
  y.back() = p.columns();
  return Facts{TensorFacts(node.dtype(kA), std::move(y))};
}

/// Elements [first, first + count) of B.
template <class T>
void Unpack(const Packing& p, const std::uint8_t* bytes, const Doubles& magnitudes,
            std::int64_t first, std::int64_t count, T* out) {
  for (std::int64_t at = first; at < first + count; ++at) {
    const int both = bytes[at / 2];
    const int level = at % 2 == 0 ? both >> 4 : both & 15;
    *out++ =
        static_cast<T>(static_cast<double>((*p.levels)[At(level)]) * magnitudes[At(at / p.block)]);
  }
}

Result<void> RunReference(const NodeFacts& node, KernelContext& context) {
  const Packing p = TRY(PackingOf(node));
  const std::uint8_t* bytes = context.input(kB)->data<std::uint8_t>().data();
  const Doubles magnitudes = DoublesOf(context.input(kMagnitudes));
  const Doubles a = DoublesOf(context.input(kA));
  const std::int64_t inner = p.inner(), columns = p.columns();
  const std::int64_t rows = static_cast<std::int64_t>(a.size()) / inner;
  Doubles y(At(rows * columns));
  context.ParallelFor(columns, 1, [&](std::int64_t begin, std::int64_t end) {
    Doubles column(At(inner));
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t i = 0; i < inner; ++i) {
        const std::int64_t at = p.transposed ? n * inner + i : i * columns + n;
        Unpack(p, bytes, magnitudes, at, 1, &column[At(i)]);
      }
      for (std::int64_t m = 0; m < rows; ++m) {
        double sum = 0;
        for (std::int64_t i = 0; i < inner; ++i) sum += a[At(m * inner + i)] * column[At(i)];
        y[At(m * columns + n)] = sum;
      }
    }
  });
  return StoreDoubles(context, y, context.output(0));
}

std::string DeclineBlas(const NodeFacts& node) {
  if (node.dtype(kA) != DType::kFloat32) return "A is not float32";
  return node.attributes.Int("transB", 1) == 0 ? "B is not transposed" : "";
}

Result<void> RunBlas(const NodeFacts& node, KernelContext& context) {
  const Packing p = TRY(PackingOf(node));
  const std::uint8_t* bytes = context.input(kB)->data<std::uint8_t>().data();
  const Doubles magnitudes = DoublesOf(context.input(kMagnitudes));
  const auto unpack = [&](std::int64_t first, std::int64_t count, float* to) {
    Unpack(p, bytes, magnitudes, first * p.k, count * p.k, to);
  };
  return RunUnpackedProduct({.a = *context.input(kA),
                             .n = p.n,
                             .k = p.k,
                             .y = context.output(0).data<float>().data(),
                             .unpack = unpack},
                            context);
}

constexpr Kernel kKernels[] = {
    {.name = "matmul_bnb4_blas", .declines = DeclineBlas, .run = RunBlas},
    {.name = "matmul_bnb4_reference", .run = RunReference}};

constexpr TypeRule kRules[] = {{"T1", Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16})},
                               {"T2", Types({DType::kUint8})}};

}  // namespace

OpList ops_ms_matmul_bnb4() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "MatMulBnb4",
            .domain = "com.microsoft",
            .signature = "A:T1, B:T2, absmax:T1 -> Y:T1",
            .types = kRules,
            .attributes = "K!:int, N!:int, block_size!:int, quant_type!:int, training_mode:int=0, "
                          "transB:int=1",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
