// SPDX-License-Identifier: Apache-2.0
// Max, Min, Sum, Mean of any number of inputs: opsets 1 and 6 (equal shapes), 8 (broadcasting),
// 12, 13. Spec: https://onnx.ai/onnx/operators/onnx__Max.html and the pages of the others.
#include <algorithm>
#include <array>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Max {
  template <class T>
  static T Join(T a, T b) {
    // What is no number differs from itself; no branch, so that loops become vectors.
    return (static_cast<int>(a > b) | static_cast<int>(a != a)) != 0 ? a : b;
  }
  template <class T>
  static T Finish(T sum, T) {
    return sum;
  }
};

struct Min {
  template <class T>
  static T Join(T a, T b) {
    // What is no number differs from itself; no branch, so that loops become vectors.
    return (static_cast<int>(a < b) | static_cast<int>(a != a)) != 0 ? a : b;
  }
  template <class T>
  static T Finish(T sum, T) {
    return sum;
  }
};

struct Sum {
  template <class T>
  static T Join(T a, T b) {
    return a + b;
  }
  template <class T>
  static T Finish(T sum, T) {
    return sum;
  }
};

struct Mean : Sum {
  template <class T>
  static T Finish(T sum, T count) {
    return sum / count;
  }
};

constexpr std::int64_t kBlock = 256;

/// One block of the output: every operand joined into `sums`, then written.
template <class F, class T>
void RunBlock(const BroadcastPlan& plan, const std::vector<const T*>& operands,
              const std::vector<std::int64_t>& from, std::int64_t skip, T* out,
              std::int64_t count) {
  std::array<Compute<T>, kBlock> sums;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const std::int64_t step = plan.inner_stride(k);
    const T* in = operands[k] + from[k] + skip * step;
    const auto first = static_cast<Compute<T>>(*in);
    if (k == 0 && step == 0) {
      std::fill_n(sums.begin(), count, first);
    } else if (k == 0) {
      for (std::int64_t i = 0; i < count; ++i) sums[At(i)] = static_cast<Compute<T>>(in[i]);
    } else if (step == 0) {
      for (std::int64_t i = 0; i < count; ++i) sums[At(i)] = F::Join(sums[At(i)], first);
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        sums[At(i)] = F::Join(sums[At(i)], static_cast<Compute<T>>(in[i]));
      }
    }
  }
  const auto inputs = static_cast<Compute<T>>(operands.size());
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<T>(F::Finish(sums[At(i)], inputs));
  }
}

template <class F, class List>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  Tensor& y = context.output(0);
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) shapes.push_back(context.input(i)->shape());
  const BroadcastPlan plan = PlanBroadcast(y.shape(), shapes);
  return Dispatch(List{}, y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<const T*> operands;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      operands.push_back(context.input(i)->data<T>().data());
    }
    T* out = y.data<T>().data();
    if (operands.size() == 2) {
      using C = Compute<T>;
      const auto join = [](C a, C b) { return F::Finish(F::Join(a, b), C{2}); };
      BinaryElements(context, plan, operands[0], operands[1], out, join);
      return;
    }
    context.ParallelFor(plan.size, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      ForEachRun(plan, begin, end,
                 [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
                   for (std::int64_t skip = 0; skip < count; skip += kBlock) {
                     RunBlock<F, T>(plan, operands, from, skip, out + at + skip,
                                    std::min(kBlock, count - skip));
                   }
                 });
    });
  });
}

Result<Facts> Infer(const NodeFacts& node) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.Has(i)) return Invalid("input ", i, " is left out");
    if (node.op->since < 8 && node.shape(i) != node.shape(0)) {
      return Invalid("input ", i, " has shape ", node.shape(i), ", input 0 has ", node.shape(0));
    }
  }
  return InferBroadcast(node);
}

template <class F, class List>
constexpr Kernel kKernels[] = {{.name = "elementwise", .run = Run<F, List>}};

consteval OpDef Row(std::string_view type, int since, std::string_view signature,
                    std::span<const TypeRule> types, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = signature,
          .types = types,
          .attributes = since == 1 ? "consumed_inputs:ints" : "",
          .infer = Infer,
          .kernels = kernels};
}

constexpr std::string_view kMaxSignature = "data_0*:T -> max:T";
constexpr std::string_view kMinSignature = "data_0*:T -> min:T";
constexpr std::string_view kSumSignature = "data_0*:T -> sum:T";
constexpr std::string_view kMeanSignature = "data_0*:T -> mean:T";

}  // namespace

OpList ops_variadic() {
  static constexpr auto kOps = Versions({
      Row("Max", 1, kMaxSignature, kT<kFloatTypes>, kKernels<Max, NumericList>),
      Row("Max", 6, kMaxSignature, kT<kFloatTypes>, kKernels<Max, NumericList>),
      Row("Max", 8, kMaxSignature, kT<kFloatTypes>, kKernels<Max, NumericList>),
      Row("Max", 12, kMaxSignature, kT<kNumericTypes>, kKernels<Max, NumericList>),
      Row("Max", 13, kMaxSignature, kT<kNumericTypesB>, kKernels<Max, NumericList>),
      Row("Min", 1, kMinSignature, kT<kFloatTypes>, kKernels<Min, NumericList>),
      Row("Min", 6, kMinSignature, kT<kFloatTypes>, kKernels<Min, NumericList>),
      Row("Min", 8, kMinSignature, kT<kFloatTypes>, kKernels<Min, NumericList>),
      Row("Min", 12, kMinSignature, kT<kNumericTypes>, kKernels<Min, NumericList>),
      Row("Min", 13, kMinSignature, kT<kNumericTypesB>, kKernels<Min, NumericList>),
      Row("Sum", 1, kSumSignature, kT<kFloatTypes>, kKernels<Sum, FloatList>),
      Row("Sum", 6, kSumSignature, kT<kFloatTypes>, kKernels<Sum, FloatList>),
      Row("Sum", 8, kSumSignature, kT<kFloatTypes>, kKernels<Sum, FloatList>),
      Row("Sum", 13, kSumSignature, kT<kFloatTypesB>, kKernels<Sum, FloatList>),
      Row("Mean", 1, kMeanSignature, kT<kFloatTypes>, kKernels<Mean, FloatList>),
      Row("Mean", 6, kMeanSignature, kT<kFloatTypes>, kKernels<Mean, FloatList>),
      Row("Mean", 8, kMeanSignature, kT<kFloatTypes>, kKernels<Mean, FloatList>),
      Row("Mean", 13, kMeanSignature, kT<kFloatTypesB>, kKernels<Mean, FloatList>),
  });
  return kOps;
}

}  // namespace slipway::runtime
