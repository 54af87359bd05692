// SPDX-License-Identifier: Apache-2.0
// Derivatives of If, Loop and Scan, against differences of the function itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime/graph/gradient_case.h"

namespace slipway::runtime::gradient {
namespace {

using ::testing::HasSubstr;
using tiny::Ints;
using tiny::Texts;

tiny::Attribute Graph(const std::string& name, const std::vector<tiny::Node>& nodes,
                      const Texts& inputs, const Texts& outputs) {
  std::vector<tiny::Port> in, out;
  for (const std::string& input : inputs) in.push_back({input, DType::kFloat64});
  for (const std::string& output : outputs) out.push_back({output, DType::kFloat64});
  return {name, tiny::GraphBytes{tiny::GraphOf(nodes, in, out)}};
}

tiny::Node Int(const std::string& name, std::int64_t number) {
  return {"Constant", {}, {name}, {{"value_int", number}}};
}

tiny::Node Gradient(const Texts& xs, const Texts& outputs, const std::string& y) {
  return {"Gradient", xs, outputs, {{"xs", xs}, {"y", y}}, std::string(kTraining)};
}

/// A scalar condition: whether the sum of x0 is on that side of zero.
std::vector<tiny::Node> Sign(const std::string& compare) {
  return {{"ReduceSum", {"x0"}, {"total"}, {{"keepdims", std::int64_t{0}}}},
          {"Sub", {"total", "total"}, {"zero"}},
          {compare, {"total", "zero"}, {"c"}}};
}

Case Branches(const std::string& compare) {
  Case each{"If " + compare, Sign(compare), {{2, 3}, {2, 3}}};
  each.nodes.push_back({"If",
                        {"c"},
                        {"a", "b"},
                        {Graph("then_branch", {{"Mul", {"x0", "x1"}, {"p"}}, {"Exp", {"p"}, {"q"}}},
                               {}, {"q", "x1"}),
                         Graph("else_branch",
                               {{"Sin", {"x1"}, {"s"}},
                                {"ArgMax", {"x1"}, {"i"}},
                                {"CastLike", {"i", "s"}, {"f"}},
                                {"Mul", {"f", "s"}, {"t"}}},
                               {}, {"s", "t"})}});
  each.nodes.push_back({"Mul", {"b", "b"}, {"bb"}});
  each.nodes.push_back({"ReduceSum", {"bb"}, {"sum"}});
  each.nodes.push_back({"Add", {"a", "sum"}, {"y"}});
  return each;
}

/// h goes to tanh(h * x1 + w[trip] * x0); h * h of each trip is given too.
std::vector<tiny::Node> Step() {
  return {{"Mul", {"h", "x1"}, {"p"}}, {"CastLike", {"trip", "h"}, {"t"}},
          {"Mul", {"x0", "t"}, {"w"}}, {"Add", {"p", "w"}, {"s"}},
          {"Tanh", {"s"}, {"next"}},   {"Mul", {"next", "next"}, {"given"}}};
}

/// What a Loop gives, a state and what its trips made, as one number each.
std::vector<tiny::Node> Ending() {
  return {{"ReduceSum", {"given_all"}, {"sum"}}, {"Add", {"last", "sum"}, {"y"}}};
}

Case Trips(std::string name, std::int64_t trips) {
  Case each{std::move(name), {Int("n", trips)}, {{2, 3}, {3}, {2, 1}}};
  each.nodes.push_back({"Add", {"x0", "x2"}, {"start"}});
  each.nodes.push_back({"Loop",
                        {"n", "", "start"},
                        {"last", "given_all"},
                        {Graph("body", Step(), {"trip", "go", "h"}, {"go", "next", "given"})}});
  for (tiny::Node& node : Ending()) each.nodes.push_back(std::move(node));
  return each;
}

Case EndedByCondition() {
  std::vector<tiny::Node> body = Step();
  body.push_back({"ReduceSumSquare", {"next"}, {"size"}, {{"keepdims", std::int64_t{0}}}});
  body.push_back({"CastLike", {"bound", "size"}, {"most"}});
  body.push_back({"Less", {"size", "most"}, {"more"}});
  Case each{"Loop ended by its condition", {Int("bound", 3)}, {{2, 3}, {3}}};
  each.nodes.push_back({"Loop",
                        {"", "", "x0"},
                        {"last", "given_all"},
                        {Graph("body", body, {"trip", "go", "h"}, {"more", "next", "given"})}});
  for (tiny::Node& node : Ending()) each.nodes.push_back(std::move(node));
  return each;
}

Case Growing() {
  return {"Loop with a state that grows",
          {Int("n", 4),
           {"Loop",
            {"n", "", "x0"},
            {"y"},
            {Graph("body",
                   {IntList("from", {-1}),
                    IntList("to", {9}),
                    {"Slice", {"h", "from", "to"}, {"end"}},
                    {"Mul", {"end", "x1"}, {"p"}},
                    {"Sin", {"p"}, {"more"}},
                    {"Concat", {"h", "more"}, {"next"}, {{"axis", std::int64_t{0}}}}},
                   {"trip", "go", "h"}, {"go", "next"})}}},
          {{2, 3}, {1, 3}}};
}

/// Row number k of x1 in trip k, k being carried; a value goes round unused.
Case Counting() {
  return {"Loop that counts",
          {Int("n", 3),
           Int("k0", 0),
           {"Loop",
            {"n", "", "x0", "k0", "x1"},
            {"y", "k_last", "same"},
            {Graph("body",
                   {Int("one", 1),
                    {"Gather", {"kept", "k"}, {"row"}},
                    {"Mul", {"h", "row"}, {"next"}},
                    {"Add", {"k", "one"}, {"k_next"}}},
                   {"trip", "go", "h", "k", "kept"}, {"go", "next", "k_next", "kept"})}}},
          {{3}, {4, 3}}};
}

/// States that change places, the second of them with no number of its own at first.
Case Exchanging() {
  return {"Loop that exchanges",
          {Int("n", 5),
           IntList("numbers", {1, 2, 3}),
           {"CastLike", {"numbers", "x0"}, {"other"}},
           {"Loop",
            {"n", "", "x0", "other"},
            {"a_last", "b_last"},
            {Graph("body", {{"Mul", {"b", "x1"}, {"next"}}}, {"trip", "go", "a", "b"},
                   {"go", "next", "a"})}},
           {"Mul", {"a_last", "b_last"}, {"y"}}},
          {{3}, {3}}};
}

/// States that become what the Loop is in, a constant, or another; one of them is given besides.
Case Handing() {
  return {"Loop that hands on",
          {Int("n", 3),
           {"Mul", {"x0", "x1"}, {"b0"}},
           {"Loop",
            {"n", "", "x0", "b0", "x1"},
            {"a_last", "b_last", "c_last", "given_all", "same_all"},
            {Graph("body",
                   {IntList("numbers", {1, 2, 3}),
                    {"CastLike", {"numbers", "c"}, {"one"}},
                    {"Mul", {"a", "c"}, {"p"}},
                    {"Add", {"p", "b"}, {"next"}}},
                   {"trip", "go", "a", "b", "c"}, {"go", "x1", "one", "next", "a", "x0"})}},
           {"ReduceSum", {"given_all"}, {"sum"}},
           {"ReduceSumSquare", {"same_all"}, {"squares"}},
           {"Mul", {"sum", "squares"}, {"m"}},
           {"Mul", {"c_last", "a_last"}, {"q"}},
           {"Add", {"q", "m"}, {"y"}}},
          {{3}, {3}}};
}

/// An If in a Loop in a Scan; each uses what lies outside of all of them.
Case Deep() {
  const std::vector<tiny::Node> loop = {
      {"ReduceSum", {"g"}, {"sum"}, {{"keepdims", std::int64_t{0}}}},
      {"Sub", {"sum", "sum"}, {"zero"}},
      {"Less", {"sum", "zero"}, {"negative"}},
      {"If",
       {"negative"},
       {"changed"},
       {Graph("then_branch", {{"Mul", {"item", "x2"}, {"a"}}, {"Sub", {"a", "g"}, {"b"}}}, {},
              {"b"}),
        Graph("else_branch", {{"Mul", {"g", "x2"}, {"d"}}}, {}, {"d"})}},
      {"Tanh", {"changed"}, {"inner_next"}}};
  return {"If in Loop in Scan",
          {Int("n", 2),
           {"Scan",
            {"x0", "x1"},
            {"last", "y"},
            {{"num_scan_inputs", std::int64_t{1}},
             Graph("body",
                   {{"Loop",
                     {"n", "", "h"},
                     {"looped"},
                     {Graph("body", loop, {"trip", "go", "g"}, {"go", "inner_next"})}},
                    {"Add", {"looped", "item"}, {"next"}}},
                   {"h", "item"}, {"next", "looped"})}}},
          {{2}, {4, 2}, {2}}};
}

/// The numbers of a seed are the same when a trip runs again.
Case Seeded() {
  return {"Loop with the numbers of a seed",
          {Int("n", 3),
           {"Loop",
            {"n", "", "x0"},
            {"y"},
            {Graph("body",
                   {{"RandomNormal",
                     {},
                     {"r"},
                     {{"seed", 3.0F}, {"dtype", std::int64_t{11}}, {"shape", Ints{2, 3}}}},
                    {"Dropout", {"r"}, {"s"}},
                    {"Sin", {"h"}, {"w"}},
                    {"Mul", {"w", "s"}, {"next"}}},
                   {"trip", "go", "h"}, {"go", "next"})}}},
          {{2, 3}}};
}

/// A Loop inside of which a Loop and an If are.
Case Nested() {
  const std::vector<tiny::Node> inner = {
      {"Mul", {"g", "x1"}, {"m"}}, {"Add", {"m", "h"}, {"o"}}, {"Sin", {"o"}, {"inner_next"}}};
  const std::vector<tiny::Node> body = {
      Int("two", 2),
      {"Loop",
       {"two", "", "h"},
       {"looped"},
       {Graph("body", inner, {"inner_trip", "inner_go", "g"}, {"inner_go", "inner_next"})}},
      {"ReduceSum", {"looped"}, {"sum"}, {{"keepdims", std::int64_t{0}}}},
      {"Sub", {"sum", "sum"}, {"zero"}},
      {"Less", {"sum", "zero"}, {"negative"}},
      {"If",
       {"negative"},
       {"next"},
       {Graph("then_branch", {{"Mul", {"looped", "x0"}, {"a"}}}, {}, {"a"}),
        Graph("else_branch", {{"Sub", {"looped", "x0"}, {"b"}}}, {}, {"b"})}}};
  return {"Loop in Loop",
          {Int("n", 3),
           {"Loop",
            {"n", "", "x0"},
            {"y"},
            {Graph("body", body, {"trip", "go", "h"}, {"go", "next"})}}},
          {{2, 3}, {3}}};
}

Case Scanned(std::string name, std::vector<Shape> shapes, std::vector<tiny::Attribute> attributes) {
  const std::vector<tiny::Node> body = {{"Mul", {"h", "a"}, {"p"}},
                                        {"Add", {"p", "b"}, {"s"}},
                                        {"Mul", {"s", "x3"}, {"t"}},
                                        {"Tanh", {"t"}, {"next"}},
                                        {"Mul", {"next", "a"}, {"given"}}};
  attributes.push_back({"num_scan_inputs", std::int64_t{2}});
  attributes.push_back(Graph("body", body, {"h", "a", "b"}, {"next", "given"}));
  return {std::move(name),
          {{"Scan", {"x0", "x1", "x2"}, {"last", "given_all"}, attributes},
           {"ReduceSum", {"last"}, {"sum"}},
           {"Add", {"given_all", "sum"}, {"y"}}},
          std::move(shapes)};
}

/// The version with batches, the second of which ends earlier.
Case ScannedBatches(bool has_lengths) {
  Case each{.name = "Scan-8", .nodes = {}, .shapes = {{2, 3}, {2, 4, 3}, {3}}};
  each.opset = 8;
  const tiny::Attribute body = Graph(
      "body", {{"Mul", {"h", "a"}, {"p"}}, {"Add", {"p", "x2"}, {"s"}}, {"Tanh", {"s"}, {"next"}}},
      {"h", "a"}, {"next", "next"});
  if (has_lengths) {
    each.name += " with lengths";
    each.shapes.push_back({2, 4, 3});
    each.nodes = {{"Shape", {"x0"}, {"dims"}},
                  {"Scan",
                   {"dims", "x0", "x1"},
                   {"last", "all"},
                   {body, {"num_scan_inputs", std::int64_t{1}}, {"directions", Ints{1}}}},
                  {"Mul", {"all", "x3"}, {"weighted"}}};
  } else {
    each.nodes = {{"Scan",
                   {"", "x0", "x1"},
                   {"last", "weighted"},
                   {body, {"num_scan_inputs", std::int64_t{1}}}}};
  }
  each.nodes.push_back({"ReduceSum", {"last"}, {"sum"}});
  each.nodes.push_back({"Add", {"weighted", "sum"}, {"y"}});
  return each;
}

/// Steps down the slope of a function, each by a Gradient of its own.
Case Descent() {
  return {"Loop of Gradients",
          {Int("n", 3),
           {"Loop",
            {"n", "", "x0"},
            {"y"},
            {Graph("body",
                   {{"Mul", {"h", "x1"}, {"p"}},
                    {"Sin", {"p"}, {"q"}},
                    Gradient({"h", "x1"}, {"slope"}, "q"),
                    {"Sub", {"h", "slope"}, {"next"}}},
                   {"trip", "go", "h"}, {"go", "next"})}}},
          {{2, 3}, {3}}};
}

/// The derivative of a case's function, of the sum of its squares so that it is not linear.
Case DerivativeOf(Case each) {
  Texts variables;
  for (std::size_t i = 0; i < each.shapes.size(); ++i) variables.push_back("x" + std::to_string(i));
  each.name = "Derivative of " + each.name;
  for (tiny::Node& node : each.nodes) {
    for (std::string& output : node.outputs) {
      if (output == "y") output = "of_" + each.name;
    }
  }
  const std::string y = "of_" + each.name;
  each.nodes.push_back({"Mul", {y, y}, {y + "^2"}});
  each.nodes.push_back(Gradient(variables, {"y"}, y + "^2"));
  return each;
}

/// The error of a model that asks for derivatives of derivatives of Loops in one another, each of
/// which carries `states` values from place to place, the last from the Loop inside; the innermost
/// takes as many sines.
std::string NestedRefusal(int depth, int states, int gradients) {
  const auto name = [](const std::string& of, int level, int i) {
    return of + std::to_string(level) + "_" + std::to_string(i);
  };
  const int most = states - 1;
  std::vector<tiny::Node> nodes;
  for (int level = depth; level >= 0; --level) {
    Texts taken = {"n", ""}, inside = {"trip", "go"}, given = {"go"}, made;
    for (int i = 0; i < states; ++i) {
      taken.push_back(level > 0 ? name("h", level - 1, i) : i == most ? "x" : "k");
      inside.push_back(name("h", level, i));
      made.push_back(name("y", level, i));
      given.push_back(i < most         ? name("h", level, i + 1)
                      : level == depth ? name("s", level, 0)
                                       : name("y", level + 1, 0));
    }
    for (int i = 0; level == depth && i < states; ++i) {
      const std::string from = i == 0 ? name("h", level, 0) : name("s", level, states - i);
      nodes.push_back({"Sin", {from}, {name("s", level, most - i)}});
    }
    const tiny::Attribute body = Graph("body", nodes, inside, given);
    nodes = {{"Loop", taken, made, {body}}};
  }
  nodes.insert(nodes.begin(), {Int("n", 2), {"Constant", {}, {"k"}, {{"value_float", 1.0F}}}});
  std::string y = name("y", 0, 0);
  for (int i = 0; i < gradients; ++i) {
    nodes.push_back(Gradient({"x"}, {"d" + std::to_string(i)}, y));
    y = nodes.back().outputs.front();
  }
  const auto model = Parse(tiny::ModelOf(tiny::GraphOf(nodes, {{"x"}}, {{y}})));
  return model ? "" : model.error().message;
}

}  // namespace

std::vector<Case> ControlCases() {
  return {
      Branches("Greater"),
      Branches("LessOrEqual"),
      Trips("Loop", 4),
      Trips("Loop of no trip", 0),
      EndedByCondition(),
      Growing(),
      Counting(),
      Exchanging(),
      Handing(),
      Deep(),
      Seeded(),
      Nested(),
      Scanned("Scan", {{2}, {4, 2}, {4, 2}, {2}}, {}),
      Scanned("Scan of nothing", {{2}, {0, 2}, {0, 2}, {2}}, {}),
      Scanned("Scan along other axes", {{2}, {2, 3}, {2, 3}, {2}},
              {{"scan_input_axes", Ints{1, -1}},
               {"scan_input_directions", Ints{1, 0}},
               {"scan_output_axes", Ints{-1}},
               {"scan_output_directions", Ints{1}}}),
      ScannedBatches(false),
      ScannedBatches(true),
      Descent(),
  };
}

TEST(GradientOfControlFlow, IsThatOfWhatRan) {
  for (const Case& each : ControlCases()) Check(each);
}

TEST(GradientOfControlFlow, HasDerivatives) {
  for (const Case& each : {Trips("Loop", 3), Growing(), Nested(), Handing(), Deep(),
                           Branches("Greater"), Scanned("Scan", {{2}, {3, 2}, {3, 2}, {2}}, {})}) {
    Check(DerivativeOf(each));
  }
  Check(DerivativeOf(DerivativeOf(Trips("Loop", 2))));
}

TEST(GradientOfControlFlow, AtOtherValuesThanTheGraphs) {
  // y = sum of four terms exp(x * z) or -x * z, where x is what `at` holds.
  std::vector<tiny::Node> nodes = {
      Int("n", 4),
      {"ReduceSum", {"x"}, {"total"}, {{"keepdims", std::int64_t{0}}}},
      {"Sub", {"total", "total"}, {"zero"}},
      {"Greater", {"total", "zero"}, {"c"}},
      {"If",
       {"c"},
       {"f"},
       {Graph("then_branch", {{"Mul", {"x", "z"}, {"p"}}, {"Exp", {"p"}, {"e"}}}, {}, {"e"}),
        Graph("else_branch", {{"Mul", {"x", "z"}, {"p"}}, {"Neg", {"p"}, {"m"}}}, {}, {"m"})}},
      {"Loop",
       {"n", "", "zero"},
       {"y"},
       {Graph("body", {{"Add", {"h", "f"}, {"next"}}}, {"trip", "go", "h"}, {"go", "next"})}},
      {"Gradient",
       {"at", "z"},
       {"d"},
       {{"xs", Texts{"x"}}, {"zs", Texts{"z"}}, {"y", "y"}},
       std::string(kTraining)}};
  const std::string bytes = tiny::ModelOf(tiny::GraphOf(
      nodes, {{"x", DType::kFloat64}, {"at", DType::kFloat64}, {"z", DType::kFloat64}},
      {{"d", DType::kFloat64}}));
  const auto slope = [&](double x, double at, double z) {
    const auto one = [](double a) { return Tensor::FromVector<double>(DType::kFloat64, {1}, {a}); };
    const auto result = RunModel(bytes, {{"x", one(x)}, {"at", one(at)}, {"z", one(z)}});
    EXPECT_TRUE(result) << result.error().message;
    return result ? result->front().tensor()->data<double>()[0] : 0;
  };
  EXPECT_NEAR(slope(-1, 0.5, 3), 4 * 3 * std::exp(1.5), 1e-9);
  EXPECT_NEAR(slope(1, -0.5, 3), -4 * 3, 1e-9);
}

TEST(GradientOfControlFlow, IsNotKnownThroughRandomNumbers) {
  const auto model = Parse(tiny::ModelOf(tiny::GraphOf(
      {Int("n", 2),
       {"Loop",
        {"n", "", "x"},
        {"y"},
        {Graph("body", {{"RandomNormalLike", {"h"}, {"r"}}, {"Mul", {"h", "r"}, {"next"}}},
               {"trip", "go", "h"}, {"go", "next"})}},
       Gradient({"x"}, {"d"}, "y")},
      {{"x"}}, {{"d"}})));
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().id, "Model.UnsupportedOperator");
  EXPECT_THAT(model.error().message, HasSubstr("RandomNormalLike"));
}

TEST(GradientOfControlFlow, OfGraphsInGraphsEnds) {
  EXPECT_EQ(NestedRefusal(3, 1, 1), "");
  EXPECT_EQ(NestedRefusal(30, 1, 1), "");
  EXPECT_THAT(NestedRefusal(2, 1, 12), HasSubstr("more than"));
  EXPECT_EQ(NestedRefusal(8, 20, 1), "");
  EXPECT_THAT(NestedRefusal(0, 1500, 1), HasSubstr("looks"));
}

}  // namespace slipway::runtime::gradient
