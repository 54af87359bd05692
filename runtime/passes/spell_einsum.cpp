// SPDX-License-Identifier: Apache-2.0
// Einsum of floats becomes the operators that it is made of: operands are taken from the left, two
// at a time, and are a MatMul where they are summed over names that both have, else a Mul;
// Transpose and Reshape bring the names in order. What other passes and kernels do for those serves
// it then.
#include <algorithm>
#include <string>
#include <vector>

#include "runtime/graph/planned_facts.h"
#include "runtime/graph/rewriter.h"
#include "runtime/kernels/einsum_equation.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

constexpr int kOpset = 13;

bool Has(std::string_view names, char name) { return names.find(name) != std::string_view::npos; }

/// The names of `names` that `keep` holds for.
template <class Keep>
std::string Those(std::string_view names, const Keep& keep) {
  std::string those;
  std::ranges::copy_if(names, std::back_inserter(those), keep);
  return those;
}

/// A value whose axes have these names; those of one element are left out.
struct Term {
  ValueId id = kNoValue;
  std::string names;
};

class Spelling {
 public:
  Spelling(Rewriter& graph, std::size_t index, EinsumEquation equation)
      : graph_(graph), index_(index), equation_(std::move(equation)) {}

  /// Puts the nodes in the place of the Einsum, whose inputs have these shapes.
  Result<void> Write(const std::vector<Shape>& shapes) {
    std::vector<Term> terms;
    for (std::size_t i = 0; i < shapes.size(); ++i) terms.push_back(Bare(i, shapes[i]));
    for (std::size_t i = 0; i < terms.size(); ++i)
      terms[i] = Summed(terms[i], NamesBeside(terms, i));
    Term all = terms[0];
    for (std::size_t i = 1; i < terms.size(); ++i) {
      std::string kept = equation_.output;
      for (std::size_t k = i + 1; k < terms.size(); ++k) kept += terms[k].names;
      all = Product(all, terms[i], kept);
    }
    const std::string output = Those(equation_.output, [&](char name) { return Size(name) != 1; });
    const ValueId y = Reshaped(Ordered(all, output).id, SizesOf(output), SizesOf(equation_.output));
    return Place(y);
  }

 private:
  std::int64_t Size(char name) const { return equation_.sizes.at(name); }

  Shape SizesOf(std::string_view names) const {
    Shape sizes;
    for (const char name : names) sizes.push_back(Size(name));
    return sizes;
  }

  std::int64_t CountOf(std::string_view names) const {
    std::int64_t count = 1;
    for (const char name : names) count *= Size(name);
    return count;
  }

  /// Names of the output and of all terms but one.
  std::string NamesBeside(const std::vector<Term>& terms, std::size_t index) const {
    std::string names = equation_.output;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (i != index) names += terms[i].names;
    }
    return names;
  }

  /// An input without its axes of one element.
  Term Bare(std::size_t input, const Shape& shape) {
    Term term;
    Shape dims;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] == 1) continue;
      dims.push_back(shape[d]);
      term.names += equation_.inputs[input][d];
    }
    term.id = Reshaped(graph_.Input(index_, input), shape, dims);
    return term;
  }

  /// Summed over the names that are nowhere in `others`.
  Term Summed(const Term& term, std::string_view others) {
    Shape axes;
    for (std::size_t d = 0; d < term.names.size(); ++d) {
      if (!Has(others, term.names[d])) axes.push_back(static_cast<std::int64_t>(d));
    }
    if (axes.empty()) return term;
    Attributes attributes;
    attributes.Set("keepdims", std::int64_t{0});
    const ValueId sum = Add("ReduceSum", {term.id, Numbers(axes)}, std::move(attributes));
    return {sum, Those(term.names, [&](char name) { return Has(others, name); })};
  }

  Term Ordered(const Term& term, const std::string& names) {
    if (term.names == names) return term;
    Shape perm;
    for (const char name : names) perm.push_back(static_cast<std::int64_t>(term.names.find(name)));
    Attributes attributes;
    attributes.Set("perm", std::move(perm));
    return {Add("Transpose", {term.id}, std::move(attributes)), names};
  }

  ValueId Reshaped(ValueId id, const Shape& from, const Shape& to) {
    return from == to ? id : Add("Reshape", {id, Numbers(to)}, {});
  }

  /// Whether `a` is the right one of the matrices rather than `b`: the last name of the output is
  /// the right one's. A vector goes to the side where the other need not be turned.
  static bool GoesRight(const Term& a, const Term& b, std::string_view order,
                        std::string_view summed) {
    if (order.empty()) return false;
    const auto is_vector = [&](const Term& term, const Term& other) {
      return std::ranges::none_of(
          order, [&](char name) { return Has(term.names, name) && !Has(other.names, name); });
    };
    if (is_vector(b, a)) return !Has(summed, a.names.back());
    if (is_vector(a, b)) return Has(summed, b.names.back());
    return !Has(b.names, order.back());
  }

  /// Of two terms, summed over what both have and is not `kept`, in the output's order of names as
  /// far as a matrix product has it.
  Term Product(Term a, Term b, std::string_view kept) {
    const std::string all =
        a.names + Those(b.names, [&](char name) { return !Has(a.names, name); });
    const std::string summed = Those(all, [&](char name) { return !Has(kept, name); });
    std::string order = Those(equation_.output, [&](char name) { return Has(all, name); });
    order += Those(all, [&](char name) { return Has(kept, name) && !Has(order, name); });
    if (summed.empty()) return Multiplied(a, b, order);
    if (GoesRight(a, b, order, summed)) std::swap(a, b);
    const auto in_both = [&](char name) { return Has(a.names, name) && Has(b.names, name); };
    const std::string batch = Those(order, in_both);
    const std::string rows = Those(order, [&](char name) { return !Has(b.names, name); });
    const std::string columns = Those(order, [&](char name) { return !Has(a.names, name); });
    const ValueId left = Matrices(a, batch, rows, summed);
    const ValueId right = Matrices(b, batch, summed, columns);
    const std::string names = batch + rows + columns;
    const ValueId product = Add("MatMul", {left, right}, {});
    return {Reshaped(product, MatricesShape(batch, rows, columns), SizesOf(names)), names};
  }

  /// Element by element, each with an axis of one element for what only the other has.
  Term Multiplied(const Term& a, const Term& b, const std::string& order) {
    const auto aligned = [&](const Term& term) {
      const std::string names = Those(order, [&](char name) { return Has(term.names, name); });
      Shape shape;
      for (const char name : order) shape.push_back(Has(names, name) ? Size(name) : 1);
      return Reshaped(Ordered(term, names).id, SizesOf(names), shape);
    };
    const ValueId left = aligned(a);
    return {Add("Mul", {left, aligned(b)}, {}), order};
  }

  Shape MatricesShape(std::string_view batch, std::string_view rows,
                      std::string_view columns) const {
    Shape shape = SizesOf(batch);
    shape.push_back(CountOf(rows));
    shape.push_back(CountOf(columns));
    return shape;
  }

  ValueId Matrices(const Term& term, const std::string& batch, const std::string& rows,
                   const std::string& columns) {
    const std::string names = batch + rows + columns;
    return Reshaped(Ordered(term, names).id, SizesOf(names), MatricesShape(batch, rows, columns));
  }

  std::string Name(std::size_t number) const {
    return graph_.node(index_).name + "/einsum" + std::to_string(number);
  }

  ValueId Numbers(Shape numbers) {
    const auto count = static_cast<std::int64_t>(numbers.size());
    return graph_.AddConstant(Name(nodes_.size()) + "/numbers",
                              Tensor::FromVector(DType::kInt64, {count}, std::move(numbers)));
  }

  ValueId Add(std::string_view type, std::vector<ValueId> inputs, Attributes attributes) {
    const std::string name = Name(nodes_.size());
    const ValueId made = graph_.AddResult(name);
    nodes_.push_back({.name = name,
                      .type = std::string(type),
                      .opset = kOpset,
                      .inputs = std::move(inputs),
                      .outputs = {made},
                      .attributes = std::move(attributes)});
    return made;
  }

  /// The last node makes what the Einsum made.
  Result<void> Place(ValueId y) {
    if (nodes_.empty()) Add("Identity", {y}, {});
    nodes_.back().outputs = graph_.node(index_).outputs;
    graph_.Remove(index_);
    for (NodeData& node : nodes_) TRY(graph_.Insert(index_, std::move(node)));
    return {};
  }

  Rewriter& graph_;
  std::size_t index_;
  EinsumEquation equation_;
  std::vector<NodeData> nodes_;
};

/// Whether these operators give it in as many roundings as the type allows: each product of 16-bit
/// floats has one.
bool HasType(const NodeFacts& node) {
  const DType type = node.dtype(0);
  if (type == DType::kFloat32 || type == DType::kFloat64) return true;
  return (type == DType::kFloat16 || type == DType::kBfloat16) && node.inputs.size() == 2;
}

/// Whether there are elements, and no diagonal is taken.
bool HasShapes(const NodeFacts& node, const EinsumEquation& equation) {
  for (const auto& [name, size] : equation.sizes) {
    if (size == 0) return false;
  }
  for (std::size_t i = 0; i < equation.inputs.size(); ++i) {
    const std::string& names = equation.inputs[i];
    for (std::size_t d = 0; d < names.size(); ++d) {
      if (node.shape(i)[d] != 1 && names.find(names[d], d + 1) != std::string::npos) return false;
    }
  }
  return true;
}

Result<bool> Spell(Rewriter& graph, std::size_t index) {
  const NodeData& node = graph.node(index);
  if (!node.domain.empty() || node.type != "Einsum" || node.outputs[0] == kNoValue) return false;
  const auto facts = FactsOfNode(graph, node);
  if (!facts || !HasType(*facts)) return false;
  auto equation = EinsumEquationOf(*facts);
  // What is wrong with the node is told where it runs.
  if (!equation || !HasShapes(*facts, *equation)) return false;
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < facts->inputs.size(); ++i) shapes.push_back(facts->shape(i));
  TRY(Spelling(graph, index, *std::move(equation)).Write(shapes));
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) { return Spell(graph, i); });
}

}  // namespace

Pass passes_spell_einsum() {
  return {.stage = 101,
          .summary = "writes Einsum as products of matrices",
          .per_plan = true,
          .renews_facts = true,
          .run = Run};
}

}  // namespace slipway::runtime
