// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/attributes.h"

/// What rules of differentiation are written with: nodes are put down one after the other, and
/// values are known by name.
namespace slipway::runtime {

/// A node that a graph is to get, its values by name.
struct MadeNode {
  std::string type = {}, domain = {};
  int opset = 0;
  std::vector<std::string> inputs = {}, outputs = {};
  Attributes attributes = {};
};

class Tape;

/// A value on a tape, or none.
struct Term {
  Tape* tape = nullptr;
  std::string name = {};
  explicit operator bool() const { return !name.empty(); }
};

/// Nodes in the order they run. Made for one Gradient node; not thread-safe.
class Tape {
 public:
  using Settings = std::vector<std::pair<std::string, Attribute>>;

  /// `prefix`: of the names of values that it makes.
  explicit Tape(std::string prefix) : prefix_(std::move(prefix)) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The first output of a node of ai.onnx, of the version that rules are written in.
  Term Op(std::string_view type, const std::vector<Term>& inputs, Settings settings = {});
  /// All outputs of such a node.
  std::vector<Term> Ops(std::string_view type, const std::vector<Term>& inputs, std::size_t outputs,
                        Settings settings = {});
  /// A node as it is, its outputs renamed; the outputs.
  std::vector<Term> Copy(MadeNode node);
  Term Value(std::string name) { return {this, std::move(name)}; }
  /// Gives `term` another name.
  void Name(const Term& term, std::string name);
  Term Number(double number, const Term& like);
  Term Ints(std::vector<std::int64_t> numbers);
  Term Int(std::int64_t number);

  std::int64_t size() const { return static_cast<std::int64_t>(nodes_.size()); }
  std::vector<MadeNode> Take() && { return std::move(nodes_); }

 private:
  std::string prefix_;
  std::vector<MadeNode> nodes_;
  std::int64_t values_ = 0;
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
Term Join(Tape& tape, const std::vector<Term>& parts);
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

/// A node to be differentiated: what it takes and gives, and the gradients of what it gives, none
/// where nothing depends on it.
struct BackStep {
  Tape& tape;
  const MadeNode& node;
  std::vector<Term> in = {}, out = {}, gradient = {};

  /// Input `index`; no value where it is left out.
  Term Input(std::size_t index) const { return index < in.size() ? in[index] : Term{}; }
  const Term& x() const { return in.front(); }
  const Term& y() const { return out.front(); }
  const Term& g() const { return gradient.front(); }
};

/// The gradients of a node's inputs, in their order; none where there is no way to one.
using Rule = Result<std::vector<Term>> (*)(const BackStep& step);
using RuleTable = std::map<std::string_view, Rule>;

/// Rules of ai.onnx by operator: attention, functions of elements, windows over images,
/// normalisations, and everything else.
RuleTable AttentionRules();
RuleTable ElementRules();
RuleTable WindowRules();
RuleTable NormalRules();
RuleTable TensorRules();

}  // namespace slipway::runtime
