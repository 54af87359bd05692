// SPDX-License-Identifier: Apache-2.0
// Einsum: opsets 12, 28. Spec: https://onnx.ai/onnx/operators/onnx__Einsum.html
#include <algorithm>
#include <cctype>
#include <map>
#include <string>

#include "base/limits.h"
#include "base/text.h"
#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/reduce.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Dimensions of an ellipsis are named by the control characters from 1 on, the last one first.
constexpr char kFirstEllipsis = 1;
constexpr std::size_t kEllipsisMost = 31;

struct Equation {
  std::vector<std::string> inputs;  ///< one name per dimension
  std::string output;
  std::map<char, std::int64_t> sizes;
};

/// A term with its ellipsis written out as `count` names; without one where it must have none.
Result<std::string> Expanded(std::string_view term, std::size_t count) {
  std::string names;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(term[i])) != 0) {
      names += term[i];
      continue;
    }
    if (term.substr(i, 3) != "...") return Invalid("term `", term, "` of the equation");
    for (std::size_t k = count; k > 0; --k) names += static_cast<char>(kFirstEllipsis + k - 1);
    i += 2;
  }
  return names;
}

/// The output's names where the equation does not give them: those of an ellipsis, then those
/// that occur once, in alphabetical order.
std::string ImpliedOutput(const std::vector<std::string>& inputs) {
  std::map<char, int> counts;
  for (const std::string& input : inputs) {
    for (const char name : input) ++counts[name];
  }
  std::string ellipsis;
  std::string once;
  for (const auto& [name, count] : counts) {
    if (name <= static_cast<char>(kEllipsisMost)) {
      ellipsis.insert(ellipsis.begin(), name);
    } else if (count == 1) {
      once += name;
    }
  }
  return ellipsis + once;
}

Result<void> BindSizes(const NodeFacts& node, Equation& equation) {
  for (std::size_t i = 0; i < equation.inputs.size(); ++i) {
    const std::string& names = equation.inputs[i];
    const Shape& shape = node.shape(i);
    if (names.size() != shape.size()) {
      return Invalid("term ", i, " of the equation names ", names.size(), " dimensions, input is ",
                     shape);
    }
    for (std::size_t d = 0; d < names.size(); ++d) {
      const auto [found, added] = equation.sizes.emplace(names[d], shape[d]);
      if (added || found->second == shape[d] || shape[d] == 1) continue;
      if (found->second != 1) {
        return Invalid("input ", i, " of ", shape, " does not fit the equation: dimension ", d,
                       " is ", found->second, " elsewhere");
      }
      found->second = shape[d];
    }
  }
  return {};
}

Result<Equation> EquationOf(const NodeFacts& node) {
  std::string text(node.attributes.String("equation", ""));
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  const std::vector<std::string> terms = Split(text.substr(0, arrow), ',');
  if (terms.size() != node.inputs.size()) {
    return Invalid("equation `", text.substr(0, 80), "` has ", terms.size(), " terms for ",
                   node.inputs.size(), " inputs");
  }
  std::size_t wide = 0;
  Equation equation;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const bool dots = terms[i].find("...") != std::string::npos;
    const std::size_t named = terms[i].size() - (dots ? 3 : 0);
    const std::size_t rank = node.shape(i).size();
    if (rank < named) return Invalid("term `", terms[i], "` for input of ", node.shape(i));
    const std::size_t count = dots ? rank - named : 0;
    if (count > kEllipsisMost) return Invalid("an ellipsis stands for ", count, " dimensions");
    wide = std::max(wide, count);
    equation.inputs.push_back(TRY(Expanded(terms[i], count)));
  }
  equation.output = arrow == std::string::npos ? ImpliedOutput(equation.inputs)
                                               : TRY(Expanded(text.substr(arrow + 2), wide));
  TRY(BindSizes(node, equation));
  std::int64_t steps = 1;
  for (const auto& [name, size] : equation.sizes) {
    steps = TRY(CheckedMul(steps, size, "the equation's number of steps"));
  }
  for (std::size_t i = 0; i < equation.output.size(); ++i) {
    const char name = equation.output[i];
    if (!equation.sizes.contains(name) || equation.output.find(name, i + 1) != std::string::npos) {
      return Invalid("equation `", text.substr(0, 80), "` has an output that does not follow");
    }
  }
  return equation;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Equation equation = TRY(EquationOf(node));
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

Loops LoopsOf(const NodeFacts& node, const Equation& equation) {
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
  const Equation equation = TRY(EquationOf(node));
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
