// SPDX-License-Identifier: Apache-2.0
// ai.onnx.preview.training.Gradient: derivatives against differences of the function itself.
#include "runtime/graph/gradient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/runtime/graph/gradient_case.h"

namespace slipway::runtime::gradient {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tiny::Ints;
using tiny::Texts;

double Total(const std::vector<Value>& values) {
  double sum = 0;
  for (const double number : values.front().tensor()->data<double>()) sum += number;
  return sum;
}

/// The case's nodes and z = y * w, so that every element of y counts for something else.
struct Problem {
  std::vector<tiny::Node> nodes;
  std::vector<tiny::Port> ports;
  Texts variables;
  Feeds feeds;

  explicit Problem(const Case& each) : nodes(each.nodes) {
    for (std::size_t i = 0; i < each.shapes.size(); ++i) {
      variables.push_back("x" + std::to_string(i));
      ports.push_back({variables.back(), DType::kFloat64});
      feeds.emplace_back(variables.back(), Numbers(each.shapes[i], each.from, each.to, i));
    }
    const auto y = RunModel(
        tiny::ModelOf(tiny::GraphOf(nodes, ports, {{"y", DType::kFloat64}}), each.opset), feeds);
    EXPECT_TRUE(y) << each.name << ": " << y.error().message;
    if (!y) return;
    nodes.push_back({"Mul", {"y", "w"}, {"z"}});
    ports.push_back({"w", DType::kFloat64});
    feeds.emplace_back("w", Numbers(y->front().tensor()->shape(), 0.5, 1.5, 9));
  }
};

/// Changes of the sum of z where one element of a variable changes.
std::vector<double> Differences(Session& session, Feeds feeds, std::size_t variable) {
  constexpr double kStep = 1e-5;
  const Tensor x = *feeds[variable].second.tensor();
  std::vector<double> slopes;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto at = [&](double change) {
      std::vector<double> numbers(x.data<double>().begin(), x.data<double>().end());
      numbers[static_cast<std::size_t>(i)] += change;
      feeds[variable].second = Tensor::FromVector(DType::kFloat64, x.shape(), std::move(numbers));
      const auto z = session.Run(feeds);
      EXPECT_TRUE(z) << z.error().message;
      return z ? Total(*z) : 0;
    };
    slopes.push_back((at(kStep) - at(-kStep)) / (2 * kStep));
  }
  return slopes;
}

}  // namespace

Tensor Numbers(const Shape& shape, double from, double to, std::size_t salt) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) count *= dim;
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < count; ++i) {
    const double turns =
        (static_cast<double>(i) + 1) * 0.61803398875 + static_cast<double>(salt) * 0.277;
    numbers.push_back(from + (to - from) * (turns - std::floor(turns)));
  }
  return Tensor::FromVector(DType::kFloat64, shape, std::move(numbers));
}

tiny::Node IntList(const std::string& name, tiny::Ints numbers) {
  return {"Constant", {}, {name}, {{"value_ints", std::move(numbers)}}};
}

Result<Model> Parse(const std::string& bytes) {
  return Model::Parse(std::as_bytes(std::span(bytes)));
}

Result<std::vector<Value>> RunModel(const std::string& bytes, const Feeds& feeds, bool reference) {
  const Model model = TRY(Parse(bytes));
  SessionOptions options;
  options.threads = 1;
  options.reference = reference;
  const auto session = TRY(Session::Create(model, options));
  return session->Run(feeds);
}

void Check(const Case& each) {
  SCOPED_TRACE(each.name);
  Problem problem(each);
  if (::testing::Test::HasFailure()) return;
  const std::string plain = tiny::ModelOf(
      tiny::GraphOf(problem.nodes, problem.ports, {{"z", DType::kFloat64}}), each.opset);
  const auto model = Parse(plain);
  ASSERT_TRUE(model) << model.error().message;
  const auto session = Session::Create(*model, {.threads = 1});
  ASSERT_TRUE(session) << session.error().message;

  Texts outputs, inputs = problem.variables;
  std::vector<tiny::Port> results;
  for (const std::string& name : problem.variables) {
    outputs.push_back("d" + name);
    results.push_back({outputs.back(), DType::kFloat64});
  }
  inputs.push_back("w");
  std::vector<tiny::Node> nodes = problem.nodes;
  nodes.push_back({"Gradient",
                   inputs,
                   outputs,
                   {{"xs", problem.variables}, {"zs", Texts{"w"}}, {"y", "z"}},
                   std::string(kTraining)});
  const std::string bytes = tiny::ModelOf(tiny::GraphOf(nodes, problem.ports, results), each.opset);
  for (const bool reference : {false, true}) {
    const auto gradients = RunModel(bytes, problem.feeds, reference);
    ASSERT_TRUE(gradients) << gradients.error().message;
    for (std::size_t v = 0; v < problem.variables.size(); ++v) {
      const Tensor& gradient = *(*gradients)[v].tensor();
      EXPECT_EQ(gradient.shape(), each.shapes[v]);
      const std::vector<double> expected = Differences(**session, problem.feeds, v);
      ASSERT_EQ(gradient.data<double>().size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(gradient.data<double>()[i], expected[i], 1e-5 * (1 + std::abs(expected[i])))
            << problem.variables[v] << "[" << i << "]";
      }
    }
  }
}

Result<Model> Twice(const Case& each) {
  tiny::Texts variables;
  std::vector<tiny::Port> ports;
  for (std::size_t i = 0; i < each.shapes.size(); ++i) {
    variables.push_back("x" + std::to_string(i));
    ports.push_back({variables.back(), DType::kFloat64});
  }
  std::vector<tiny::Node> nodes = each.nodes;
  nodes.push_back(
      {"Gradient", variables, {"d"}, {{"xs", variables}, {"y", "y"}}, std::string(kTraining)});
  nodes.push_back({"Mul", {"d", "d"}, {"square"}});
  nodes.push_back({"Gradient",
                   variables,
                   {"dd"},
                   {{"xs", variables}, {"y", "square"}},
                   std::string(kTraining)});
  return Parse(tiny::ModelOf(tiny::GraphOf(nodes, ports, {{"dd", DType::kFloat64}}), each.opset));
}

namespace {

Case Of(std::string type, std::vector<Shape> shapes, std::vector<tiny::Attribute> attributes = {},
        double from = -1.3, double to = 1.7, std::int64_t opset = 20) {
  Texts inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) inputs.push_back("x" + std::to_string(i));
  const std::string name = type + "-" + std::to_string(opset);
  return {
      name, {{std::move(type), inputs, {"y"}, std::move(attributes)}}, std::move(shapes), from, to,
      opset};
}

/// Of one input and constant integers after it.
Case With(std::string type, Shape shape, const std::vector<Ints>& lists,
          std::vector<tiny::Attribute> attributes = {}, std::int64_t opset = 20) {
  Case each{.name = type + "-" + std::to_string(opset), .nodes = {}, .shapes = {std::move(shape)}};
  each.opset = opset;
  Texts inputs = {"x0"};
  for (const Ints& list : lists) {
    inputs.push_back("c" + std::to_string(inputs.size()));
    each.nodes.push_back(IntList(inputs.back(), list));
  }
  each.nodes.push_back({std::move(type), inputs, {"y"}, std::move(attributes)});
  return each;
}

std::vector<Case> ElementCases() {
  const Shape s = {2, 3};
  std::vector<Case> cases;
  for (const char* type : {"Neg",   "Abs",     "Exp",       "Erf",         "Sin",
                           "Cos",   "Atan",    "Sinh",      "Cosh",        "Tanh",
                           "Asinh", "Sigmoid", "Relu",      "Softplus",    "Softsign",
                           "Elu",   "Selu",    "LeakyRelu", "HardSigmoid", "HardSwish",
                           "Gelu",  "Mish",    "Identity",  "Tan",         "ThresholdedRelu",
                           "Shrink"}) {
    cases.push_back(Of(type, {s}));
  }
  cases.push_back(Of("Gelu", {s}, {{"approximate", "tanh"}}));
  cases.push_back(Of("Swish", {s}, {}, -2, 2, 24));
  cases.push_back(Of("Celu", {s}, {}, -2, 2, 28));
  for (const char* type : {"Log", "Sqrt", "Reciprocal"}) cases.push_back(Of(type, {s}, {}, 0.3, 2));
  for (const char* type : {"Asin", "Acos", "Atanh"}) cases.push_back(Of(type, {s}, {}, -0.9, 0.9));
  cases.push_back(Of("Acosh", {s}, {}, 1.1, 3));
  for (const char* type : {"Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"}) {
    cases.push_back(Of(type, {{2, 3}, {4, 1, 3}}));
  }
  for (const char* type : {"Div", "Pow"}) cases.push_back(Of(type, {{2, 1}, {3}}, {}, 0.4, 2));
  cases.push_back(Of("Sum", {{2, 3}, {3}, {}}));
  cases.push_back(Of("PRelu", {{2, 3}, {3}}));
  cases.push_back(Of("Clip", {s, {}, {}}, {}, -1, 1));
  cases.back().nodes = {{"Neg", {"x0"}, {"n"}},
                        {"Constant", {}, {"low"}, {{"value_floats", tiny::Floats{-0.5F}}}},
                        {"CastLike", {"low", "n"}, {"bound"}},
                        {"Clip", {"n", "bound"}, {"y"}}};
  cases.back().shapes.resize(1);
  cases.push_back({"Where",
                   {{"Greater", {"x0", "x1"}, {"c"}}, {"Where", {"c", "x0", "x1"}, {"y"}}},
                   {{2, 3}, {1, 3}}});
  cases.push_back({"Round", {{"Round", {"x0"}, {"r"}}, {"Mul", {"r", "x0"}, {"y"}}}, {s}});
  return cases;
}

/// What has no slope, times what it is made of.
Case Flat(std::string type, std::vector<tiny::Attribute> attributes, double from, double to) {
  Case each = Of(std::move(type), {{2, 3}}, std::move(attributes), from, to);
  each.nodes.front().outputs = {"r"};
  each.nodes.push_back({"Mul", {"r", "x0"}, {"y"}});
  return each;
}

std::vector<Case> FlatCases() {
  const tiny::Attribute seed{"seed", 3.0F};
  return {Flat("RandomNormalLike", {seed}, -1, 1),
          Flat("RandomUniformLike", {seed, {"low", -1.0F}}, -1, 1),
          Flat("Bernoulli", {seed}, 0.1, 0.9), Flat("EyeLike", {}, -1, 1),
          Flat("Floor", {}, -1.2, 2.3)};
}

std::vector<Case> TensorCases() {
  std::vector<Case> cases = {
      With("Reshape", {2, 3, 2}, {{3, 4}}),
      Of("Flatten", {{2, 3, 2}}),
      With("Squeeze", {2, 1, 3}, {{1}}),
      With("Unsqueeze", {2, 3}, {{0, 3}}),
      Of("Transpose", {{2, 3, 4}}, {{"perm", Ints{2, 0, 1}}}),
      With("Expand", {3, 1}, {{2, 3, 4}}),
      Of("Concat", {{2, 3}, {2, 1}, {2, 2}}, {{"axis", std::int64_t{1}}}),
      With("Slice", {4, 5}, {{1, -1}, {4, -6}, {0, 1}, {2, -2}}),
      With("Gather", {4, 3}, {{2, 0, 2, -1}}),
      With("Gather", {2, 4}, {{3, 3}}, {{"axis", std::int64_t{1}}}),
      With("Pad", {2, 3}, {{1, 0, 2, 1}}),
      With("Pad", {2, 3}, {{0, 2, 0, 1}}, {{"mode", "reflect"}}),
      Of("Pad", {{2, 3}}, {{"pads", Ints{1, 0, 2, 1}}}, -1, 1, 2),
      With("Tile", {2, 3}, {{2, 3}}),
      Of("DepthToSpace", {{1, 4, 2, 3}}, {{"blocksize", std::int64_t{2}}}),
      Of("SpaceToDepth", {{1, 1, 4, 2}}, {{"blocksize", std::int64_t{2}}}),
      Of("Trilu", {{3, 4}}),
      Of("MatMul", {{2, 3}, {3, 4}}),
      Of("MatMul", {{3}, {3, 4}}),
      Of("MatMul", {{2, 3}, {3}}),
      Of("MatMul", {{3}, {3}}),
      Of("MatMul", {{5, 1, 2, 3}, {4, 3, 2}}),
      Of("MatMul", {{3}, {2, 3, 2}}),
      Of("Gemm", {{2, 3}, {3, 4}, {4}}),
      Of("Gemm", {{3, 2}, {4, 3}, {2, 1}},
         {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}}),
      Of("Einsum", {{2, 3}, {3, 4}}, {{"equation", "ij,jk->ki"}}),
      Of("Einsum", {{2, 3, 4}}, {{"equation", "b i j -> jbi"}}),
      Of("Softmax", {{2, 3, 4}}, {{"axis", std::int64_t{1}}}),
      Of("Softmax", {{2, 3, 4}}, {}, -1, 1, 11),
      Of("LogSoftmax", {{2, 5}}),
      Of("LogSoftmax", {{2, 3, 4}}, {}, -1, 1, 11),
      Of("Dropout", {{2, 3}}),
      With("CumSum", {2, 4}, {{1}}),
      With("CumSum", {3, 2}, {{0}}, {{"exclusive", std::int64_t{1}}, {"reverse", std::int64_t{1}}}),
      With("ReduceSum", {2, 3, 4}, {{0, 2}}, {{"keepdims", std::int64_t{0}}}),
      Of("ReduceSum", {{2, 3, 4}}, {{"axes", Ints{1}}}, -1, 1, 11),
      With("ReduceMean", {2, 3, 4}, {{1}}),
      Of("ReduceMean", {{2, 3, 4}}, {{"keepdims", std::int64_t{0}}}),
  };
  for (const char* type :
       {"ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"}) {
    cases.push_back(With(type, {2, 3, 2}, {{1}}, {{"keepdims", std::int64_t{0}}}));
  }
  for (const char* type : {"ReduceProd", "ReduceLogSum"}) {
    cases.push_back(Of(type, {{2, 3}}, {{"axes", Ints{1}}}, 0.3, 2, 13));
  }
  cases.push_back(With("GatherElements", {5}, {{3, 0, 3}}));
  cases.push_back({"ScatterElements",
                   {IntList("i", {3, 0, 3}),
                    {"ScatterElements", {"x0", "i", "x1"}, {"y"}, {{"reduction", "add"}}}},
                   {{5}, {3}}});
  for (Case each :
       {With("TopK", {2, 5}, {{3}}),
        Of("TopK", {{4, 3}}, {{"k", std::int64_t{2}}, {"axis", std::int64_t{0}}}, -1, 1, 1)}) {
    each.nodes.back().outputs.push_back("i");
    cases.push_back(std::move(each));
  }
  cases.push_back({"ScatterElementsThatStay",
                   {IntList("i", {3, 0, 4}), {"ScatterElements", {"x0", "i", "x1"}, {"y"}}},
                   {{5}, {3}}});
  for (const char* reduction : {"none", "add"}) {
    cases.push_back({std::string("ScatterND-") + reduction,
                     {IntList("flat", {3, 0}),
                      IntList("shape", {2, 1}),
                      {"Reshape", {"flat", "shape"}, {"i"}},
                      {"ScatterND", {"x0", "i", "x1"}, {"y"}, {{"reduction", reduction}}}},
                     {{4, 2}, {2, 2}}});
  }
  cases.push_back(With("GatherND", {4, 3}, {{1, 2}}));
  cases.push_back(With("ReverseSequence", {3, 2}, {{2, 3}}));
  cases.push_back({"Compress",
                   {IntList("c", {1, 0, 1}),
                    {"Cast", {"c"}, {"kept"}, {{"to", std::int64_t{9}}}},
                    {"Compress", {"x0", "kept"}, {"y"}, {{"axis", std::int64_t{0}}}}},
                   {{3, 2}}});
  cases.push_back({"Split",
                   {{"Split",
                     {"x0"},
                     {"a", "b"},
                     {{"num_outputs", std::int64_t{2}}, {"axis", std::int64_t{1}}}},
                    {"Exp", {"b"}, {"y"}}},
                   {{2, 4}}});
  cases.push_back({"Reuse", {{"Mul", {"x0", "x0"}, {"s"}}, {"Add", {"s", "x0"}, {"y"}}}, {{3}}});
  for (const char* reduction : {"mean", "sum", "none"}) {
    cases.push_back(With("SoftmaxCrossEntropyLoss", {3, 4}, {{1, 0, 3}},
                         {{"reduction", reduction}, {"ignore_index", std::int64_t{3}}}));
    cases.push_back(
        With("NegativeLogLikelihoodLoss", {3, 4}, {{1, 0, 3}}, {{"reduction", reduction}}));
  }
  return cases;
}

std::vector<Case> ConvolutionCases() {
  const tiny::Attribute two{"strides", Ints{2, 2}};
  const std::vector<tiny::Attribute> uneven = {
      {"strides", Ints{2, 3}}, {"pads", Ints{1, 0, 2, 1}}, {"dilations", Ints{2, 1}}};
  std::vector<Case> cases = {
      Of("Conv", {{2, 3, 5}, {4, 3, 2}, {4}}),
      Of("Conv", {{2, 2, 8, 6}, {3, 2, 3, 2}, {3}}, uneven),
      Of("Conv", {{2, 4, 5, 4}, {6, 2, 2, 3}},
         {{"group", std::int64_t{2}}, two, {"pads", Ints{0, 1, 1, 1}}}),
      Of("Conv", {{1, 3, 6, 6}, {3, 1, 3, 3}}, {{"group", std::int64_t{3}}, two}),
      Of("Conv", {{1, 2, 3, 4, 3}, {2, 2, 2, 2, 2}},
         {{"strides", Ints{1, 2, 1}}, {"pads", Ints{1, 0, 0, 0, 1, 1}}}),
      Of("Conv", {{1, 2, 7, 6}, {2, 2, 3, 3}}, {{"auto_pad", "SAME_UPPER"}, two}),
      Of("Conv", {{1, 2, 8, 7}, {2, 2, 3, 2}}, {{"auto_pad", "SAME_LOWER"}, two}),
      Of("Conv", {{1, 2, 6, 5}, {2, 2, 3, 2}}, {{"auto_pad", "VALID"}, two}),
      Of("Conv", {{1, 2, 9}, {2, 2, 2}}, {{"strides", Ints{4}}}, -1, 1, 1),
      Of("ConvTranspose", {{2, 3, 4}, {3, 2, 3}, {2}}, {{"strides", Ints{2}}}),
      Of("ConvTranspose", {{1, 4, 3, 4}, {4, 3, 2, 3}},
         {{"group", std::int64_t{2}}, two, {"pads", Ints{1, 0, 0, 2}}, {"dilations", Ints{1, 2}}}),
      Of("ConvTranspose", {{1, 2, 3, 3}, {2, 1, 3, 2}},
         {two, {"output_padding", Ints{1, 1}}, {"pads", Ints{1, 1, 1, 1}}}),
      Of("ConvTranspose", {{1, 2, 3, 3}, {2, 1, 3, 3}}, {two, {"output_shape", Ints{8, 6}}}),
      Of("ConvTranspose", {{1, 2, 3, 3}, {2, 1, 3, 3}},
         {two, {"output_shape", Ints{6, 6}}, {"auto_pad", "SAME_UPPER"}}),
      Of("ConvTranspose", {{1, 2, 3, 3}, {2, 1, 3, 3}}, {two, {"auto_pad", "SAME_LOWER"}}),
      Of("ConvTranspose", {{1, 2, 3, 3}, {2, 1, 1, 2}}, {{"strides", Ints{3, 3}}}),
  };
  cases.push_back({"ConvOfOneInputTwice", {{"Conv", {"x0", "x0"}, {"y"}}}, {{2, 2, 3}}});
  return cases;
}

std::vector<Case> PoolCases() {
  const tiny::Attribute kernel{"kernel_shape", Ints{3, 2}};
  const tiny::Attribute strides{"strides", Ints{2, 2}};
  const tiny::Attribute pads{"pads", Ints{1, 0, 1, 1}};
  const tiny::Attribute ceil{"ceil_mode", std::int64_t{1}};
  const tiny::Attribute all{"count_include_pad", std::int64_t{1}};
  const Shape image = {2, 2, 6, 5};
  std::vector<Case> cases = {
      Of("MaxPool", {{2, 2, 5, 5}},
         {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 0, 0}}}),
      Of("AveragePool", {image}, {kernel}),
      Of("AveragePool", {image}, {kernel, strides, pads}),
      Of("AveragePool", {image}, {kernel, strides, pads, ceil}),
      Of("AveragePool", {image}, {kernel, strides, pads, all}),
      Of("AveragePool", {image}, {kernel, strides, pads, ceil, all}),
      Of("AveragePool", {image}, {kernel, {"dilations", Ints{2, 1}}, all}),
      Of("AveragePool", {image}, {kernel, strides, {"auto_pad", "SAME_UPPER"}}),
      Of("AveragePool", {image}, {kernel, strides, {"auto_pad", "SAME_LOWER"}}, -1, 1, 7),
      Of("AveragePool", {{1, 2, 7}}, {{"kernel_shape", Ints{2}}, {"strides", Ints{3}}}),
      Of("LpPool", {image}, {kernel, strides, pads}),
      Of("LpPool", {image}, {kernel, {"p", std::int64_t{3}}}),
      Of("LpPool", {image}, {kernel, {"p", std::int64_t{1}}, {"auto_pad", "SAME_UPPER"}}),
      Of("GlobalLpPool", {image}),
      Of("GlobalLpPool", {image}, {{"p", 3.0F}}, -1, 1, 1),
      Of("GlobalAveragePool", {{2, 3, 2, 2}}),
      Of("GlobalMaxPool", {{2, 3, 2, 2}}),
      Of("LRN", {{2, 5, 2, 2}}, {{"size", std::int64_t{3}}, {"alpha", 0.7F}}),
      Of("LRN", {{2, 6, 3}}, {{"size", std::int64_t{4}}, {"alpha", 0.9F}, {"bias", 2.0F}}),
      With("Resize", {1, 2, 3, 2}, {}),
      With("Upsample", {1, 2, 3, 2}, {}, {{"scales", tiny::Floats{1, 1, 2, 3}}}, 7),
  };
  cases[cases.size() - 2].nodes = {
      IntList("sizes", {1, 2, 5, 1}),
      {"Resize", {"x0", "", "", "sizes"}, {"y"}, {{"mode", "nearest"}}}};
  cases.push_back({"MaxUnpool",
                   {IntList("flat", {5, 0, 7, 10}),
                    IntList("shape", {1, 1, 2, 2}),
                    {"Reshape", {"flat", "shape"}, {"at"}},
                    {"MaxUnpool", {"x0", "at"}, {"y"}, {kernel, strides}}},
                   {{1, 1, 2, 2}}});
  return cases;
}

tiny::Node FloatList(const std::string& name, tiny::Floats numbers) {
  return {"Constant", {}, {name}, {{"value_floats", std::move(numbers)}}};
}

std::vector<Case> InterpolationCases() {
  const auto resize = [](std::string name, Shape shape, std::vector<tiny::Node> nodes, Texts more,
                         std::vector<tiny::Attribute> attributes) {
    Texts inputs = {"x0"};
    inputs.insert(inputs.end(), more.begin(), more.end());
    nodes.push_back({"Resize", inputs, {"y"}, std::move(attributes)});
    return Case{.name = "Resize " + name, .nodes = std::move(nodes), .shapes = {std::move(shape)}};
  };
  const tiny::Attribute linear{"mode", "linear"}, cubic{"mode", "cubic"};
  const tiny::Attribute antialias{"antialias", std::int64_t{1}};
  const tiny::Attribute asymmetric{"coordinate_transformation_mode", "asymmetric"};
  const tiny::Attribute corners{"coordinate_transformation_mode", "align_corners"};
  const tiny::Attribute crops{"coordinate_transformation_mode", "tf_crop_and_resize"};
  return {
      resize("linear", {1, 2, 3, 4}, {IntList("n", {1, 2, 5, 3})}, {"", "", "n"}, {linear}),
      resize("linear corners", {2, 3}, {IntList("n", {4, 5})}, {"", "", "n"}, {linear, corners}),
      resize("linear of scales", {2, 3, 5}, {FloatList("s", {1, 1.7F, 0.6F})}, {"", "s"}, {linear}),
      resize("linear shrunk", {7, 6}, {IntList("n", {3, 2})}, {"", "", "n"}, {linear, antialias}),
      resize("cubic", {1, 1, 4, 5}, {IntList("n", {1, 1, 7, 3})}, {"", "", "n"}, {cubic}),
      resize("cubic inside", {1, 1, 4, 5}, {FloatList("s", {1, 1, 1.5F, 2})}, {"", "s"},
             {cubic, {"exclude_outside", std::int64_t{1}}, {"cubic_coeff_a", -0.5F}}),
      resize("cubic shrunk", {9, 4}, {IntList("n", {4})}, {"", "", "n"},
             {cubic, antialias, {"axes", Ints{0}}}),
      resize("cubic of a part", {3, 4},
             {FloatList("r", {0.2F, -0.3F, 0.9F, 1.2F}), IntList("n", {4, 6})}, {"r", "", "n"},
             {cubic, crops, {"extrapolation_value", 3.0F}}),
      resize("linear not larger", {3, 4}, {IntList("n", {6, 6})}, {"", "", "n"},
             {linear, {"keep_aspect_ratio_policy", "not_larger"}}),
      {"Resize's own derivative",
       {IntList("n", {4, 5}),
        {"Resize", {"x0", "", "", "n"}, {"r"}, {cubic, asymmetric}},
        {"Mul", {"r", "r"}, {"q"}},
        {"Gradient", {"x0"}, {"y"}, {{"xs", Texts{"x0"}}, {"y", "q"}}, std::string(kTraining)}},
       {{2, 3}}},
      Of("Upsample", {{1, 2, 3, 2}}, {{"mode", "linear"}, {"scales", tiny::Floats{1, 1, 2, 1.5F}}},
         -1, 1, 7),
  };
}

std::vector<Case> AttentionCases() {
  const auto attention = [](std::string name, std::vector<Shape> shapes,
                            std::vector<tiny::Attribute> attributes, std::int64_t opset = 23) {
    Case each = Of("Attention", std::move(shapes), std::move(attributes), -1, 1, opset);
    each.name += " " + name;
    return each;
  };
  const tiny::Attribute causal{"is_causal", std::int64_t{1}};
  const tiny::Attribute two{"q_num_heads", std::int64_t{2}}, one{"kv_num_heads", std::int64_t{1}};
  std::vector<Case> cases = {
      attention("plain", {{2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}}, {}),
      attention("causal", {{1, 2, 4, 3}, {1, 2, 4, 3}, {1, 2, 4, 2}}, {causal, {"scale", 0.7F}}),
      attention("of shared keys", {{1, 4, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 3}}, {}),
      attention("of packed heads", {{2, 3, 4}, {2, 5, 2}, {2, 5, 3}}, {two, one}),
      attention("masked", {{2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {2, 1, 3, 5}}, {}),
      attention("masked alike", {{2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {3, 5}}, {}),
      attention("masked beyond", {{2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {2, 1, 3, 4}}, {}),
      attention("masked beyond, alike", {{1, 4, 3, 4}, {1, 2, 5, 4}, {1, 2, 5, 3}, {3, 2}}, {}),
      attention("masked by query", {{2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {2, 3, 1}}, {}),
      attention("in a window", {{1, 1, 5, 3}, {1, 1, 5, 3}, {1, 1, 5, 2}},
                {{"left_window_size", std::int64_t{1}}}, 25),
  };
  Case past = attention("of a past",
                        {{1, 2, 2, 3}, {1, 2, 2, 3}, {1, 2, 2, 4}, {1, 2, 3, 3}, {1, 2, 3, 4}}, {});
  past.nodes.front().inputs = {"x0", "x1", "x2", "", "x3", "x4"};
  cases.push_back(past);
  // What comes of the keys and values beside the answer.
  past.name += ", all outputs";
  past.nodes.front().outputs = {"a", "k", "v"};
  past.nodes.push_back({"ReduceSum", {"k"}, {"sum_k"}});
  past.nodes.push_back({"Mul", {"v", "v"}, {"vv"}});
  past.nodes.push_back({"ReduceSum", {"vv"}, {"sum_v"}});
  past.nodes.push_back({"Mul", {"a", "sum_k"}, {"b"}});
  past.nodes.push_back({"Add", {"b", "sum_v"}, {"y"}});
  cases.push_back(std::move(past));
  const tiny::Attribute cap{"softcap", 0.6F};
  cases.push_back(attention("capped", {{2, 2, 3, 4}, {2, 2, 5, 4}, {2, 2, 5, 3}, {3, 5}}, {cap}));
  for (std::int64_t stage = 0; stage < 4; ++stage) {
    Case scores = attention("with scores of stage " + std::to_string(stage),
                            {{1, 4, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 3}, {3, 4}},
                            {cap, {"qk_matmul_output_mode", stage}});
    scores.nodes.front().outputs = {"a", "", "", "scores"};
    scores.nodes.push_back({"Mul", {"scores", "scores"}, {"squares"}});
    cases.push_back(scores);
    // Alone, and of those that a mask takes out.
    cases.back().name += " alone";
    cases.back().nodes.front().attributes.push_back({"is_causal", std::int64_t{1}});
    cases.back().nodes.push_back({"Exp", {"scores"}, {"y"}});
    scores.nodes.push_back({"ReduceSum", {"squares"}, {"sum"}});
    scores.nodes.push_back({"Mul", {"a", "sum"}, {"y"}});
    cases.push_back(std::move(scores));
  }
  return cases;
}

std::vector<Case> NormalCases() {
  const tiny::Attribute groups{"num_groups", std::int64_t{2}};
  const tiny::Attribute training{"training_mode", std::int64_t{1}};
  return {
      Of("LayerNormalization", {{2, 3, 4}, {4}, {4}}),
      Of("LayerNormalization", {{2, 3, 4}, {3, 4}}, {{"axis", std::int64_t{1}}}),
      Of("RMSNormalization", {{2, 3, 4}, {4}}, {}, -1, 1, 23),
      Of("RMSNormalization", {{2, 3, 4}, {3, 4}}, {{"axis", std::int64_t{-2}}}, -1, 1, 23),
      Of("InstanceNormalization", {{2, 3, 2, 2}, {3}, {3}}),
      Of("GroupNormalization", {{2, 4, 3}, {2}, {2}}, {groups}, -1, 1, 18),
      Of("GroupNormalization", {{2, 4, 2, 2}, {4}, {4}}, {groups}, -1, 1, 21),
      Of("BatchNormalization", {{2, 3, 4}, {3}, {3}, {3}, {3}}, {}, 0.2, 1),
      Of("BatchNormalization", {{2, 3, 4}, {3}, {3}, {3}, {3}}, {training}, 0.2, 1),
      Of("MeanVarianceNormalization", {{2, 2, 2, 3}}),
      Of("MeanVarianceNormalization", {{2, 3, 4}}, {{"axes", Ints{1}}}),
      Of("LpNormalization", {{2, 3, 2}}, {{"axis", std::int64_t{1}}}),
      Of("LpNormalization", {{3, 4}}, {{"p", std::int64_t{1}}}),
  };
}

std::vector<Case> AllCases() {
  std::vector<Case> all = ElementCases();
  for (auto more : {FlatCases, TensorCases, ConvolutionCases, PoolCases, InterpolationCases,
                    AttentionCases, NormalCases, ControlCases, RecurrentCases}) {
    for (Case& each : more()) all.push_back(std::move(each));
  }
  return all;
}

TEST(Gradient, OfFunctionsOfElements) {
  for (const Case& each : ElementCases()) Check(each);
}

TEST(Gradient, OfFunctionsThatAreFlat) {
  for (const Case& each : FlatCases()) Check(each);
}

TEST(Gradient, OfTensorFunctions) {
  for (const Case& each : TensorCases()) Check(each);
}

TEST(Gradient, OfConvolutions) {
  for (const Case& each : ConvolutionCases()) Check(each);
}

TEST(Gradient, OfPools) {
  for (const Case& each : PoolCases()) Check(each);
}

TEST(Gradient, OfAttention) {
  for (const Case& each : AttentionCases()) Check(each);
}

TEST(Gradient, OfInterpolations) {
  for (const Case& each : InterpolationCases()) Check(each);
}

TEST(Gradient, OfNormalisations) {
  for (const Case& each : NormalCases()) Check(each);
}

TEST(Gradient, OfAGradient) {
  // y = x^3: its second derivative is 6 x.
  const std::string cube = tiny::ModelOf(tiny::GraphOf(
      {{"Mul", {"x", "x"}, {"s"}},
       {"Mul", {"s", "x"}, {"y"}},
       {"Gradient", {"x"}, {"d"}, {{"xs", Texts{"x"}}, {"y", "y"}}, std::string(kTraining)},
       {"Gradient", {"x"}, {"dd"}, {{"xs", Texts{"x"}}, {"y", "d"}}, std::string(kTraining)}},
      {{"x", DType::kFloat64}}, {{"dd", DType::kFloat64}}));
  const auto result =
      RunModel(cube, {{"x", Tensor::FromVector<double>(DType::kFloat64, {2}, {2, -0.5})}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->front().tensor()->data<double>(), ElementsAre(12, -3));
}

TEST(Gradient, OfGradientsOfAllRules) {
  // Derivatives are made of operators that have derivatives.
  for (const Case& each : AllCases()) {
    SCOPED_TRACE(each.name);
    const auto model = Twice(each);
    EXPECT_TRUE(model) << model.error().message;
  }
}

TEST(Gradient, AtOtherValuesThanTheGraphs) {
  // d(exp(x) * z)/dx where x is what `at` holds, and of an intermediate value.
  const std::string bytes = tiny::ModelOf(
      tiny::GraphOf({{"Exp", {"x"}, {"e"}},
                     {"Mul", {"e", "z"}, {"y"}},
                     {"Gradient",
                      {"at", "z"},
                      {"d"},
                      {{"xs", Texts{"x"}}, {"zs", Texts{"z"}}, {"y", "y"}},
                      std::string(kTraining)},
                     {"Gradient",
                      {"e", "at"},
                      {"f", "g"},
                      {{"xs", Texts{"e", "z"}}, {"y", "y"}},
                      std::string(kTraining)}},
                    {{"x", DType::kFloat64}, {"at", DType::kFloat64}, {"z", DType::kFloat64}},
                    {{"d", DType::kFloat64}, {"f", DType::kFloat64}, {"g", DType::kFloat64}}));
  const auto one = [](double x) { return Tensor::FromVector<double>(DType::kFloat64, {1}, {x}); };
  const auto result = RunModel(bytes, {{"x", one(5)}, {"at", one(0)}, {"z", one(7)}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_DOUBLE_EQ((*result)[0].tensor()->data<double>()[0], 7);
  EXPECT_DOUBLE_EQ((*result)[1].tensor()->data<double>()[0], 0);
  EXPECT_DOUBLE_EQ((*result)[2].tensor()->data<double>()[0], std::exp(5));
}

TEST(Gradient, AtOtherValuesThatWholeNumbersComeOf) {
  // y = z[argmax(x)], and of z that one element where `at` is the greatest.
  const std::string bytes = tiny::ModelOf(
      tiny::GraphOf({{"ArgMax", {"x"}, {"i"}},
                     {"Gather", {"z", "i"}, {"y"}},
                     {"Gradient",
                      {"z", "at"},
                      {"d"},
                      {{"xs", Texts{"z"}}, {"zs", Texts{"x"}}, {"y", "y"}},
                      std::string(kTraining)}},
                    {{"x", DType::kFloat64}, {"at", DType::kFloat64}, {"z", DType::kFloat64}},
                    {{"d", DType::kFloat64}}));
  const auto three = [](double a, double b, double c) {
    return Tensor::FromVector<double>(DType::kFloat64, {3}, {a, b, c});
  };
  const auto result =
      RunModel(bytes, {{"x", three(9, 1, 1)}, {"at", three(1, 1, 9)}, {"z", three(5, 6, 7)}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->front().tensor()->data<double>(), ElementsAre(0, 0, 1));
}

TEST(Gradient, DoesNotGoThroughOtherVariables) {
  // y = a * b of x = [a, b]: where a is a variable of its own, x has b alone.
  const std::string bytes = tiny::ModelOf(tiny::GraphOf(
      {{"Split", {"x"}, {"a", "b"}, {{"num_outputs", std::int64_t{2}}}},
       {"Mul", {"a", "b"}, {"y"}},
       {"Gradient",
        {"x", "a"},
        {"of_x", "of_a"},
        {{"xs", Texts{"x", "a"}}, {"y", "y"}},
        std::string(kTraining)}},
      {{"x", DType::kFloat64}}, {{"of_x", DType::kFloat64}, {"of_a", DType::kFloat64}}));
  const auto result =
      RunModel(bytes, {{"x", Tensor::FromVector<double>(DType::kFloat64, {2}, {3, 5})}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT((*result)[0].tensor()->data<double>(), ElementsAre(0, 3));
  EXPECT_THAT((*result)[1].tensor()->data<double>(), ElementsAre(5));
}

TEST(Gradient, OfWhatDoesNotDependIsZero) {
  const std::string bytes = tiny::ModelOf(tiny::GraphOf({{"Neg", {"z"}, {"y"}},
                                                         {"Gradient",
                                                          {"x", "z"},
                                                          {"d"},
                                                          {{"xs", Texts{"x", "z"}}, {"y", "y"}},
                                                          std::string(kTraining)}},
                                                        {{"x"}, {"z"}}, {{"d"}}));
  const Tensor two = Tensor::FromVector<float>(DType::kFloat32, {2}, {1, 2});
  const auto result = RunModel(bytes, {{"x", two}, {"z", two}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->front().tensor()->data<float>(), ElementsAre(0, 0));
}

Error Refusal(std::vector<tiny::Node> nodes, Texts inputs, Texts outputs,
              std::vector<tiny::Attribute> attributes) {
  nodes.push_back({"Gradient", std::move(inputs), std::move(outputs), std::move(attributes),
                   std::string(kTraining)});
  const auto model = Parse(tiny::ModelOf(tiny::GraphOf(nodes, {{"x"}}, {{"d"}})));
  EXPECT_FALSE(model);
  return model ? Error{} : model.error();
}

TEST(Gradient, RefusesWhatItCannotDo) {
  const std::vector<tiny::Node> det = {{"Det", {"x"}, {"y"}}};
  Error error = Refusal(det, {"x"}, {"d"}, {{"xs", Texts{"x"}}, {"y", "y"}});
  EXPECT_EQ(error.id, "Model.UnsupportedOperator");
  EXPECT_THAT(error.message, HasSubstr("derivative of ai.onnx.Det (opset 20)"));
  const auto message = [](std::vector<tiny::Node> nodes) {
    return Refusal(std::move(nodes), {"x"}, {"d"}, {{"xs", Texts{"x"}}, {"y", "y"}}).message;
  };
  EXPECT_THAT(message({{"BatchNormalization",
                        {"x", "x", "x", "x", "x"},
                        {"n", "y", "v"},
                        {{"training_mode", std::int64_t{1}}}}}),
              HasSubstr("no derivative"));
  EXPECT_THAT(message({IntList("i", {0}),
                       {"ScatterElements", {"x", "i", "x"}, {"y"}, {{"reduction", "mul"}}}}),
              HasSubstr("reductions `none` and `add`"));
  const std::vector<tiny::Node> neg = {{"Neg", {"x"}, {"y"}}};
  EXPECT_THAT(Refusal(neg, {"x"}, {"d"}, {{"xs", Texts{"x"}}, {"y", "q"}}).message,
              HasSubstr("no value 'q'"));
  EXPECT_THAT(Refusal(neg, {"x"}, {"d"}, {{"xs", Texts{"x", "y"}}, {"y", "y"}}).message,
              HasSubstr("1 inputs and 1 outputs for 2 and 2 variables"));
  EXPECT_THAT(Refusal(neg, {"x"}, {"d", "e"}, {{"xs", Texts{"x"}}, {"y", "y"}}).message,
              HasSubstr("1 inputs and 2 outputs"));
  EXPECT_THAT(Refusal(neg, {"x"}, {"d"}, {{"xs", Texts{"x"}}}).message, HasSubstr("'y'"));
}

TEST(Gradient, OfGradientsOfGradientsEnds) {
  std::vector<tiny::Node> nodes = {{"Softmax", {"x"}, {"d0"}}};
  for (int i = 0; i < 12; ++i) {
    nodes.push_back({"Gradient",
                     {"x"},
                     {"d" + std::to_string(i + 1)},
                     {{"xs", Texts{"x"}}, {"y", "d" + std::to_string(i)}},
                     std::string(kTraining)});
  }
  const auto deep = Parse(tiny::ModelOf(tiny::GraphOf(nodes, {{"x"}}, {{"d12"}})));
  ASSERT_FALSE(deep);
  EXPECT_THAT(deep.error().message, HasSubstr("more than"));
}

TEST(Gradient, OfAllOfALargeGraphEnds) {
  std::vector<tiny::Node> nodes;
  for (int i = 0; i < 8000; ++i) {
    const std::string number = std::to_string(i);
    nodes.push_back({"Neg", {"x"}, {"y" + number}});
    nodes.push_back({"Gradient",
                     {"x"},
                     {"d" + number},
                     {{"xs", Texts{"x"}}, {"y", "y" + number}},
                     std::string(kTraining)});
  }
  const auto many = Parse(tiny::ModelOf(tiny::GraphOf(nodes, {{"x"}}, {{"d0"}})));
  ASSERT_FALSE(many);
  EXPECT_THAT(many.error().message, HasSubstr("too many nodes of its kind"));
}

TEST(Gradient, EveryRuleIsTried) {
  // Their derivative is zero, or the gradient itself; or no model can have them.
  std::set<std::string> tried = {"Cast",    "Ceil", "Floor",          "Fold",    "Hardmax",
                                 "Scatter", "Sign", "ResizeGradient", "StackOf", "ItemsOf"};
  for (const Case& each : AllCases()) {
    for (const tiny::Node& node : each.nodes) tried.insert(node.type);
  }
  for (const std::string& name : DifferentiableOperators()) {
    EXPECT_TRUE(tried.contains(name)) << name;
  }
}

}  // namespace
}  // namespace slipway::runtime::gradient
