// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/graph/made_graph.h"
#include "runtime/graph/signature.h"

/// What rules of differentiation are written with: nodes are put down one after the other, and
/// values are known by name.
namespace slipway::runtime {

class Tape;

/// A value on a tape, or none.
struct Term {
  Tape* tape = nullptr;
  std::string name = {};
  explicit operator bool() const { return !name.empty(); }
};
using Terms = std::vector<Term>;

/// What one Gradient node has come to, inside of graphs too.
struct Effort {
  std::string prefix = {};      ///< of names of values that are made
  std::int64_t most_nodes = 0;  ///< that may be made
  std::int64_t values = 0, nodes = 0, visits = 0;
  std::map<const OpDef*, Schema> schemas = {};  ///< of operators met

  /// kInvalidArgument where there were too many nodes, or they were looked at too often.
  Result<void> Check() const;
};

/// Nodes in the order they run, of one graph. Not thread-safe.
class Tape {
 public:
  using Settings = std::vector<std::pair<std::string, Attribute>>;

  /// `effort` outlives it.
  explicit Tape(Effort& effort) : effort_(effort) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The first output of a node of ai.onnx, of the version that rules are written in.
  Term Op(std::string_view type, const Terms& inputs, Settings settings = {});
  /// All outputs of such a node.
  Terms Ops(std::string_view type, const Terms& inputs, std::size_t outputs,
            Settings settings = {});
  /// A node as it is, its outputs renamed; the outputs.
  Terms Copy(MadeNode node);
  /// The nodes of a graph, for these values of its inputs; its outputs.
  Terms Run(const MadeGraph& graph, const Terms& inputs);
  Term Value(std::string name) { return {this, std::move(name)}; }
  /// A value with a name that nothing has.
  Term Fresh();
  /// Gives `term` another name.
  void Name(const Term& term, std::string name);
  Term Number(double number, const Term& like);
  Term Ints(std::vector<std::int64_t> numbers);
  Term Int(std::int64_t number);

  Effort& effort() const { return effort_; }
  std::size_t size() const { return nodes_.size(); }
  /// The nodes but for the first `begin`.
  std::vector<MadeNode> Since(std::size_t begin) const;
  std::vector<MadeNode> Take() && { return std::move(nodes_); }
  /// A graph of what is on the tape and needed.
  MadeGraph Graph(const Terms& inputs, const Terms& outputs) const;

 private:
  Effort& effort_;
  std::vector<MadeNode> nodes_;
  std::vector<std::pair<std::string, Tensor>> constants_;
};

Term operator+(const Term& a, const Term& b);
Term operator-(const Term& a, const Term& b);
Term operator*(const Term& a, const Term& b);
Term operator/(const Term& a, const Term& b);
Term operator-(const Term& a);
Term operator+(double a, const Term& b);
Term operator-(double a, const Term& b);
Term operator*(double a, const Term& b);
Term operator/(double a, const Term& b);

/// Dimensions, as a vector of integers.
Term ShapeOf(const Term& a);
/// `a` under the shape of `like`.
Term ShapedAs(const Term& a, const Term& like);
/// The transpose of broadcasting: sums of `a` that leave the shape of `like`.
Term SummedTo(const Term& a, const Term& like);
/// `a` broadcast to the shape of `like`.
Term SpreadTo(const Term& a, const Term& like);
/// Vectors one after the other.
Term Join(Tape& tape, const Terms& parts);
/// `a[from:to]` of a vector; to its end without `to`.
Term Part(const Term& a, std::int64_t from,
          std::int64_t to = std::numeric_limits<std::int64_t>::max());
/// `a` with a vector of dimensions, zeros among them as they are.
Term Reshaped(const Term& a, const Term& shape);
/// `a` of one number a channel, shaped to multiply images of `like`.
Term PerChannel(const Term& a, const Term& like);
/// Sums of images that leave one number a channel, in the shape of `like`.
Term SumOfChannels(const Term& a, const Term& like);
/// One where `condition`, else zero, in the element type of `like`.
Term Mask(const Term& condition, const Term& like);

/// Zeros of the shape of `like`.
Term Zeros(const Term& like);
/// Their sum, or the one that there is.
Term Sum(const Term& a, const Term& b);

/// Gradients by name of value.
using Gradients = std::map<std::string, Term>;

/// Reverse accumulation over `nodes`, which lie on the tape or in the graph around it: from the
/// gradients of what they make to those of `variables`, through all that is not `discrete`.
/// kUnimplemented (`Model.UnsupportedOperator`) naming an operator whose derivative is not known;
/// kInvalidArgument where that takes too much.
Result<Gradients> Accumulate(Tape& tape, const std::vector<MadeNode>& nodes, Gradients gradients,
                             const std::set<std::string>& variables,
                             const std::set<std::string>& discrete = {});

/// A node to be differentiated: what it takes and gives, and the gradients of what it gives, none
/// where nothing depends on it.
struct BackStep {
  Tape& tape;
  const MadeNode& node;
  const std::set<std::string>& active;  ///< names of values that depend on variables
  Terms in = {}, out = {}, gradient = {};

  /// Input `index`; no value where it is left out.
  Term Input(std::size_t index) const { return index < in.size() ? in[index] : Term{}; }
  Term Gradient(std::size_t output) const {
    return output < gradient.size() ? gradient[output] : Term{};
  }
  const Term& x() const { return in.front(); }
  const Term& y() const { return out.front(); }
  const Term& g() const { return gradient.front(); }
};

/// Those of the node's inputs and of what graphs inside it capture that are active.
std::set<std::string> VariablesOf(const BackStep& step);

/// The gradients of `outputs`, which are the node's under other names: what it gives itself.
Gradients GivenTo(const BackStep& step, const Terms& outputs);

/// Of a node that was spelled out on the tape, from its node `begin` on, into `outputs`: what its
/// rule gives.
Result<Terms> BackThrough(const BackStep& step, std::size_t begin, const Terms& outputs);

/// The gradients of a node's inputs, in their order, and after them of what graphs inside it
/// capture (CapturesOf); none where there is no way to one.
using Rule = Result<Terms> (*)(const BackStep& step);
using RuleTable = std::map<std::string_view, Rule>;

/// Rules of ai.onnx by operator: attention, graphs inside nodes, functions of elements, recurrent
/// nets, windows over images, normalisations, and everything else.
RuleTable AttentionRules();
RuleTable ControlRules();
RuleTable ElementRules();
RuleTable RecurrentRules();
RuleTable WindowRules();
RuleTable NormalRules();
RuleTable TensorRules();

}  // namespace slipway::runtime
