// SPDX-License-Identifier: Apache-2.0
/// Passes on nodes with graphs inside: take_known_branches, spread_scans.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runtime/passes/run_with.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

using tiny::Attribute;
using tiny::GraphBytes;
using tiny::GraphOf;
using tiny::Ints;
using tiny::ModelOf;
using tiny::Node;
using tiny::Texts;

constexpr float kExact = 0;

GraphBytes Branch(const std::vector<Node>& nodes, const Texts& outputs) {
  std::vector<tiny::Port> ports;
  for (const std::string& output : outputs) ports.push_back({output});
  return {GraphOf(nodes, {}, ports)};
}

Node If(const std::string& condition, Texts outputs, GraphBytes then_branch,
        GraphBytes else_branch) {
  return {"If",
          {condition},
          std::move(outputs),
          {{"then_branch", std::move(then_branch)}, {"else_branch", std::move(else_branch)}}};
}

Node Constant(const std::string& name, const Ints& numbers) {
  return {"Constant", {}, {name}, {{"value_ints", numbers}}};
}

/// Nodes that make `name` true where dimension `axis` of `of` is 1.
std::vector<Node> IsOne(const std::string& name, const std::string& of, std::int64_t axis) {
  return {{"Shape", {of}, {name + "_shape"}},
          Constant(name + "_axis", {axis}),
          Constant(name + "_one", {1}),
          {"Gather", {name + "_shape", name + "_axis"}, {name + "_dim"}},
          {"Equal", {name + "_dim", name + "_one"}, {name}}};
}

std::vector<Node> Joined(std::initializer_list<std::vector<Node>> lists) {
  std::vector<Node> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

/// Every value has the same name in both branches, and another If further inside knows it by that.
std::string NestedModel() {
  const auto inner = [](const std::string& type) {
    return Branch({{type, {"t"}, {"deep"}}}, {"deep"});
  };
  const auto branch = [&](const std::string& type) {
    return Branch(Joined({{{type, {"x"}, {"t"}}},
                          IsOne("narrow", "t", 1),
                          {If("narrow", {"u"}, inner("Exp"), inner("Neg"))},
                          {{"Add", {"u", "t"}, {"v"}}}}),
                  {"v", "t", "v", "x"});
  };
  const auto nodes = Joined({IsOne("single", "x", 0),
                             {If("single", {"a", "b", "c", "d"}, branch("Abs"), branch("Sin"))},
                             {{"Mul", {"a", "b"}, {"e"}}, {"Add", {"e", "d"}, {"f"}}}});
  return ModelOf(GraphOf(nodes, {{"x"}}, {{"f"}, {"b"}, {"c"}, {"d"}}));
}

TEST(TakeKnownBranches, WhereShapesDecide) {
  std::uint32_t seed = 0;
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 3}, Shape{2, 1}, Shape{2, 3}}) {
    ExpectPass(NestedModel(), {{"x", Random(shape, ++seed)}}, "take_known_branches", 2, kExact);
  }
}

TEST(TakeKnownBranches, LeavesNoneBehind) {
  const std::string bytes = NestedModel();
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model) << model.error().message;
  auto session = MakeSession(*model);
  const auto text = session->Explain({{"x", Random({1, 3}, 1)}});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(text->find("If '"), std::string::npos) << *text;
  EXPECT_NE(text->find("Neg '"), std::string::npos) << *text;
  EXPECT_EQ(text->find("Exp '"), std::string::npos) << *text;
}

/// The If that data decides stays, and knows what the branch around it had.
TEST(TakeKnownBranches, KeepsThoseThatDataDecides) {
  const auto inner = [](const std::string& type) {
    return Branch({{type, {"t", "x"}, {"deep"}}}, {"deep"});
  };
  const auto outer = [&](const std::string& type) {
    return Branch(
        {{type, {"x"}, {"t"}}, If("c", {"u"}, inner("Add"), inner("Sub")), {"Neg", {"u"}, {"v"}}},
        {"v", "t"});
  };
  const auto nodes = Joined({IsOne("single", "x", 0),
                             {If("single", {"a", "b"}, outer("Abs"), outer("Exp"))},
                             {{"Add", {"a", "b"}, {"y"}}}});
  const std::string bytes = ModelOf(GraphOf(nodes, {{"c", DType::kBool}, {"x"}}, {{"y"}, {"b"}}));
  for (const bool condition : {true, false}) {
    for (const Shape& shape : {Shape{1, 4}, Shape{3, 2}}) {
      ExpectPass(bytes, {{"c", Bool(condition)}, {"x", Random(shape, 3)}}, "take_known_branches", 1,
                 kExact);
    }
  }
}

/// Two branches one after the other have values of the same name, and a third node captures both.
TEST(TakeKnownBranches, KeepsApartWhatIsCalledTheSame) {
  const auto branch = [](const std::string& type) {
    return Branch({{type, {"x"}, {"t"}}, {"Neg", {"t"}, {"s"}}}, {"s"});
  };
  const auto both = [](const std::string& type) {
    return Branch({{type, {"a", "b"}, {"t"}}}, {"t"});
  };
  const auto nodes = Joined({IsOne("single", "x", 0),
                             {If("single", {"a"}, branch("Abs"), branch("Exp")),
                              If("single", {"b"}, branch("Sin"), branch("Cos")),
                              If("c", {"y"}, both("Sub"), both("Div"))}});
  const std::string bytes = ModelOf(GraphOf(nodes, {{"c", DType::kBool}, {"x"}}, {{"y"}}));
  for (const bool condition : {true, false}) {
    ExpectPass(bytes, {{"c", Bool(condition)}, {"x", Random({1, 5}, 9)}}, "take_known_branches", 2,
               kExact);
  }
}

TEST(TakeKnownBranches, DeeperThanFactsAreRenewed) {
  constexpr int kDepth = 40;
  const GraphBytes other = Branch({{"Exp", {"x"}, {"other"}}}, {"other"});
  GraphBytes body = Branch({{"Neg", {"x"}, {"y0"}}}, {"y0"});
  for (int depth = 1; depth < kDepth; ++depth) {
    const std::string before = "y" + std::to_string(depth - 1), name = "y" + std::to_string(depth);
    const std::string condition = "c" + std::to_string(depth);
    auto nodes = IsOne(condition, "x", 0);
    nodes.push_back(If(condition, {before + "_out"}, other, body));
    nodes.push_back({"Abs", {before + "_out"}, {name}});
    body = Branch(nodes, {name});
  }
  auto nodes = IsOne("c", "x", 0);
  nodes.push_back(If("c", {"y"}, other, body));
  const std::string bytes = ModelOf(GraphOf(nodes, {{"x"}}, {{"y"}}));
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model) << model.error().message;
  const Feeds feeds = {{"x", Random({2, 2}, 1)}};
  ExpectNear(RunWith(*model, feeds, {.enabled = false}).outputs, RunWith(*model, feeds, {}).outputs,
             kExact);
}

/// A Scan over `n` whose body is these nodes, with state `s` and what they make of a step.
struct ScanOf {
  std::vector<Node> body;
  Texts outputs;  ///< of the body
  std::vector<Attribute> attributes = {};
  std::int64_t opset = 18;

  std::string Bytes() const {
    std::vector<tiny::Port> ports;
    for (const std::string& output : outputs) ports.push_back({output});
    std::vector<Attribute> all = attributes;
    all.push_back({"num_scan_inputs", std::int64_t{1}});
    all.push_back({"body", GraphBytes{GraphOf(body, {{"s"}, {"n"}}, ports)}});
    const Node scan{"Scan", {"x", "rows"}, {"state", "made"}, all};
    return ModelOf(GraphOf({scan, {"Neg", {"made"}, {"y"}}}, {{"x"}, {"rows"}}, {{"y"}, {"state"}}),
                   opset);
  }
};

Feeds Rows(const Shape& x, const Shape& rows) {
  return {{"x", Random(x, 1)}, {"rows", Random(rows, 2)}};
}

std::vector<Node> Distance() {
  return {{"Identity", {"s"}, {"same"}},
          {"Sub", {"s", "n"}, {"d"}},
          Constant("axes", {1}),
          {"ReduceSumSquare", {"d", "axes"}, {"r"}, {{"keepdims", std::int64_t{0}}}},
          {"Identity", {"r"}, {"out"}}};
}

TEST(SpreadScans, DistancesOfAllPairs) {
  const std::string bytes = ScanOf{.body = Distance(), .outputs = {"same", "out"}}.Bytes();
  for (const std::int64_t rows : {1, 2, 7}) {
    ExpectPass(bytes, Rows({3, 5}, {rows, 5}), "spread_scans", 1, 1e-6F);
  }
}

TEST(SpreadScans, AxesAsAttributes) {
  for (const Ints& axes : {Ints{1}, Ints{-1}, Ints{0, 1}, Ints{}}) {
    std::vector<Attribute> attributes;
    if (!axes.empty()) attributes.push_back({"axes", axes});
    const std::vector<Node> body = {{"Sub", {"s", "n"}, {"d"}},
                                    {"ReduceL1", {"d"}, {"out"}, attributes}};
    ExpectPass(ScanOf{.body = body, .outputs = {"s", "out"}, .opset = 11}.Bytes(),
               Rows({3, 5}, {4, 5}), "spread_scans", 1, 1e-6F);
  }
}

/// Steps of fewer axes than what they meet, one of which is computed from the state alone.
TEST(SpreadScans, LinesUpAxes) {
  const std::vector<Node> body = {{"Abs", {"s"}, {"far"}},
                                  {"Mul", {"n", "n"}, {"square"}},
                                  {"Less", {"square", "far"}, {"near"}},
                                  {"Where", {"near", "n", "far"}, {"out"}}};
  ExpectPass(ScanOf{.body = body, .outputs = {"s", "out"}}.Bytes(), Rows({2, 3, 5}, {4, 5}),
             "spread_scans", 1, kExact);
}

TEST(SpreadScans, LeavesOthersAlone) {
  const std::vector<Node> sums = {{"Add", {"s", "n"}, {"next"}}, {"Abs", {"next"}, {"out"}}};
  const std::vector<Node> constant = {{"Abs", {"s"}, {"out"}}};
  const std::vector<Node> running = {{"Abs", {"n"}, {"a"}}, {"CumSum", {"a", "axis"}, {"out"}}};
  const std::vector<Node> plain = {{"Abs", {"n"}, {"out"}}};
  std::vector<Node> with_axis = running;
  with_axis.insert(with_axis.begin(), {"Constant", {}, {"axis"}, {{"value_int", std::int64_t{0}}}});
  const ScanOf cases[] = {
      {.body = sums, .outputs = {"next", "out"}},
      {.body = constant, .outputs = {"s", "out"}},
      {.body = with_axis, .outputs = {"s", "out"}},
      {.body = plain, .outputs = {"s", "out"}, .attributes = {{"scan_input_axes", Ints{1}}}},
      {.body = plain, .outputs = {"s", "out"}, .attributes = {{"scan_output_axes", Ints{1}}}},
      {.body = plain, .outputs = {"s", "out"}, .attributes = {{"scan_input_directions", Ints{1}}}},
      {.body = plain, .outputs = {"s", "out"}, .attributes = {{"scan_output_directions", Ints{1}}}},
  };
  for (const ScanOf& scan : cases) {
    ExpectPass(scan.Bytes(), Rows({3, 5}, {5, 5}), "spread_scans", 0, 1e-6F);
  }
}

TEST(SpreadScans, KeepsStepsApartWhereTheyTakeMuchRoom) {
  const std::string bytes = ScanOf{.body = Distance(), .outputs = {"same", "out"}}.Bytes();
  ExpectPass(bytes, Rows({1 << 8, 64}, {1 << 6, 64}), "spread_scans", 1, 1e-6F);
  ExpectPass(bytes, Rows({1 << 8, 64}, {65, 64}), "spread_scans", 0, 1e-6F);
}

}  // namespace
}  // namespace slipway::runtime
