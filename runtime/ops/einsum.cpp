// SPDX-License-Identifier: Apache-2.0
// Einsum: opsets 12, 28. Spec: https://onnx.ai/onnx/operators/onnx__Einsum.html
#include <string>

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/einsum_equation.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/reduce.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const EinsumEquation equation = TRY(EinsumEquationOf(node));
  Shape shape;
  for (const char name : equation.output) shape.push_back(equation.sizes.at(name));
  return Facts{TensorFacts(node.dtype(0), std::move(shape))};
}

/// The loops of the sum: output names first, then those summed over.
struct Loops {
  Shape dims;
  std::vector<Strides> strides;  ///< per input
  std::int64_t outer = 1, inner = 1;
};

Loops LoopsOf(const NodeFacts& node, const EinsumEquation& equation) {
  std::string names = equation.output;
  for (const auto& [name, size] : equation.sizes) {
    if (names.find(name) == std::string::npos) names += name;
  }
  Loops loops;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::int64_t size = equation.sizes.at(names[i]);
    loops.dims.push_back(size);
    (i < equation.output.size() ? loops.outer : loops.inner) *= size;
  }
  for (std::size_t i = 0; i < equation.inputs.size(); ++i) {
    const Strides own = ContiguousStrides(node.shape(i));
    Strides strides(names.size(), 0);
    for (std::size_t d = 0; d < own.size(); ++d) {
      if (node.shape(i)[d] != 1) strides[names.find(equation.inputs[i][d])] += own[d];
    }
    loops.strides.push_back(std::move(strides));
  }
  return loops;
}

/// Moves every input on by one step of the dimensions [first, last), the last one fastest.
void Advance(const Loops& loops, std::size_t first, std::size_t last, Strides& at,
             std::vector<std::int64_t>& offsets) {
  for (std::size_t d = last; d-- > first;) {
    ++at[d];
    const bool wraps = at[d] == loops.dims[d];
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] += wraps ? loops.strides[i][d] * (1 - loops.dims[d]) : loops.strides[i][d];
    }
    if (!wraps) return;
    at[d] = 0;
  }
}

template <class T>
void Contract(const Loops& loops, std::size_t free, const std::vector<const T*>& inputs, T* out) {
  using A = Sum64<T>;
  Strides at(loops.dims.size(), 0);
  std::vector<std::int64_t> offsets(inputs.size(), 0);
  const auto work = static_cast<std::int64_t>(4 + 4 * inputs.size());
  Pause pause;
  for (std::int64_t o = 0; o < loops.outer; ++o) {
    A sum = 0;
    for (std::int64_t i = 0; i < loops.inner; ++i) {
      A product = 1;
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        product = Multiply(product, static_cast<A>(inputs[k][offsets[k]]));
      }
      sum = AddUp(sum, product);
      Advance(loops, free, loops.dims.size(), at, offsets);
      if (pause.MustStop(work)) return;
    }
    out[o] = static_cast<T>(sum);
    Advance(loops, 0, free, at, offsets);
  }
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const EinsumEquation equation = TRY(EinsumEquationOf(node));
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  const Loops loops = LoopsOf(node, equation);
  return Dispatch(NumericList{}, y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<const T*> inputs;
    for (std::size_t i = 0; i < context.inputs(); ++i) {
      inputs.push_back(context.input(i)->data<T>().data());
    }
    Contract(loops, equation.output.size(), inputs, y.data<T>().data());
  });
}

constexpr Kernel kKernels[] = {{.name = "einsum_reference", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Einsum",
          .since = since,
          .signature = "Inputs*:T -> Output:T",
          .types = types,
          .attributes = "equation!:string",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_einsum() {
  static constexpr auto kOps = Versions({Row(12, kT<kNumericTypes>), Row(28, kT<kNumericTypesB>)});
  return kOps;
}

}  // namespace slipway::runtime
