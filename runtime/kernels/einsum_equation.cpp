// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/einsum_equation.h"

#include <algorithm>
#include <cctype>

#include "base/limits.h"
#include "base/text.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Dimensions of an ellipsis are named by the control characters from 1 on, the last one first.
constexpr char kFirstEllipsis = 1;
constexpr std::size_t kEllipsisMost = 31;

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

Result<void> BindSizes(const NodeFacts& node, EinsumEquation& equation) {
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

}  // namespace

Result<EinsumEquation> EinsumEquationOf(const NodeFacts& node) {
  std::string text(node.attributes.String("equation", ""));
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  const std::vector<std::string> terms = Split(text.substr(0, arrow), ',');
  if (terms.size() != node.inputs.size()) {
    return Invalid("equation `", text.substr(0, 80), "` has ", terms.size(), " terms for ",
                   node.inputs.size(), " inputs");
  }
  std::size_t wide = 0;
  EinsumEquation equation;
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

}  // namespace slipway::runtime
