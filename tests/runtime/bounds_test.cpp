// SPDX-License-Identifier: Apache-2.0
/// Deadlines, cancelling and limits: of memory, of tensors, of text, of trips, of a model's file.
#include "runtime/bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "tests/runtime/model_files.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::int64_t kMiB = 1 << 20;

Model Parsed(const std::string& graph, std::int64_t opset = 20) {
  const std::string bytes = tiny::ModelOf(graph, opset);
  auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

/// A model of one node with inputs `a`, `b`, `c` as many as there are types.
Model OneNode(const std::string& type, const std::vector<DType>& inputs, DType output,
              std::vector<tiny::Attribute> attributes = {}, const std::string& domain = "",
              std::int64_t opset = 20) {
  std::vector<tiny::Port> ports;
  tiny::Texts names;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    names.push_back(std::string(1, static_cast<char>('a' + i)));
    ports.push_back({names.back(), inputs[i]});
  }
  return Parsed(
      tiny::GraphOf({{type, names, {"y"}, std::move(attributes), domain}}, ports, {{"y", output}}),
      opset);
}

Value Zeros(DType dtype, Shape shape) {
  Tensor tensor = *Tensor::Make(dtype, std::move(shape));
  if (dtype != DType::kString)
    std::memset(tensor.raw(), 0, static_cast<std::size_t>(tensor.bytes()));
  return Value(std::move(tensor));
}
Value ZeroFloats(Shape shape) { return Zeros(DType::kFloat32, std::move(shape)); }
Value Text(Shape shape, const std::string& text) {
  Tensor tensor = *Tensor::Make(DType::kString, std::move(shape));
  for (std::string& element : tensor.data<std::string>()) element = text;
  return Value(std::move(tensor));
}

/// Work that would take many seconds, inside one node.
struct LongWork {
  std::string name;
  std::function<Model()> model;
  std::function<Feeds()> feeds;
  SessionOptions options = {};
};

/// As many trees of one branch.
Model Stumps(std::int64_t count) {
  tiny::Ints trees, nodes, features, yes, no, leaf_trees, leaf_nodes, leaf_targets;
  tiny::Floats values, weights;
  tiny::Texts modes;
  for (std::int64_t tree = 0; tree < count; ++tree) {
    for (std::int64_t node = 0; node < 3; ++node) {
      trees.push_back(tree);
      nodes.push_back(node);
      features.push_back(0);
      values.push_back(0.5F);
      modes.emplace_back(node == 0 ? "BRANCH_LEQ" : "LEAF");
      yes.push_back(node == 0 ? 1 : 0);
      no.push_back(node == 0 ? 2 : 0);
      if (node == 0) continue;
      leaf_trees.push_back(tree);
      leaf_nodes.push_back(node);
      leaf_targets.push_back(0);
      weights.push_back(1);
    }
  }
  return OneNode("TreeEnsembleRegressor", {DType::kFloat32}, DType::kFloat32,
                 {{"n_targets", 1},
                  {"nodes_treeids", trees},
                  {"nodes_nodeids", nodes},
                  {"nodes_featureids", features},
                  {"nodes_values", values},
                  {"nodes_modes", modes},
                  {"nodes_truenodeids", yes},
                  {"nodes_falsenodeids", no},
                  {"target_treeids", leaf_trees},
                  {"target_nodeids", leaf_nodes},
                  {"target_ids", leaf_targets},
                  {"target_weights", weights}},
                 "ai.onnx.ml");
}

std::vector<LongWork> Products() {
  constexpr DType kF = DType::kFloat32;
  const auto square = [](std::int64_t n) {
    return [n] { return Feeds{{"a", ZeroFloats({n, n})}, {"b", ZeroFloats({n, n})}}; };
  };
  return {
      {"MatMul",
       [] {
         return OneNode("MatMul", {kF, kF}, kF);
       },
       square(8000)},
      {"MatMulReference",
       [] {
         return OneNode("MatMul", {kF, kF}, kF);
       },
       square(2500),
       {.reference = true}},
      {"MatMulBatch",
       [] {
         return OneNode("MatMul", {kF, kF}, kF);
       },
       [] {
         return Feeds{{"a", ZeroFloats({60, 2500, 2500})}, {"b", ZeroFloats({1, 2500, 2500})}};
       }},
      {"MatMulDouble",
       [] {
         return OneNode("MatMul", {DType::kFloat64, DType::kFloat64}, DType::kFloat64);
       },
       [] {
         return Feeds{{"a", Zeros(DType::kFloat64, {2500, 2500})},
                      {"b", Zeros(DType::kFloat64, {2500, 2500})}};
       }},
      {"Gemm",
       [] {
         return OneNode("Gemm", {kF, kF}, kF, {{"transA", 1}, {"transB", 1}});
       },
       square(8000)},
      {"GemmScaled",
       [] {
         return OneNode("Gemm", {kF, kF}, kF, {{"alpha", 2.0F}});
       },
       square(8000)},
  };
}

std::vector<LongWork> Windows() {
  constexpr DType kF = DType::kFloat32;
  return {
      {"Conv",
       [] {
         return OneNode("Conv", {kF, kF}, kF, {{"pads", tiny::Ints{1, 1, 1, 1}}});
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 512, 384, 384})}, {"b", ZeroFloats({512, 512, 3, 3})}};
       }},
      {"ConvReference",
       [] {
         return OneNode("Conv", {kF, kF}, kF, {{"pads", tiny::Ints{1, 1, 1, 1}}});
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 128, 160, 160})}, {"b", ZeroFloats({128, 128, 3, 3})}};
       },
       {.reference = true}},
      {"ConvTranspose",
       [] {
         return OneNode("ConvTranspose", {kF, kF}, kF);
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 512, 256, 256})}, {"b", ZeroFloats({512, 64, 8, 8})}};
       }},
      {"ConvTransposeOfWindowsApart",
       [] {
         return OneNode("ConvTranspose", {kF, kF}, kF, {{"strides", tiny::Ints{9, 1}}});
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 1024, 160, 160})}, {"b", ZeroFloats({1024, 32, 8, 8})}};
       }},
      {"ConvTransposeReference",
       [] {
         return OneNode("ConvTranspose", {kF, kF}, kF);
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 128, 160, 160})}, {"b", ZeroFloats({128, 64, 5, 5})}};
       },
       {.reference = true}},
      {"MaxPool",
       [] {
         return OneNode("MaxPool", {kF}, kF, {{"kernel_shape", tiny::Ints{301, 301}}});
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 64, 700, 700})}};
       }},
  };
}

std::vector<LongWork> Others() {
  constexpr DType kF = DType::kFloat32;
  const auto square = [](std::int64_t n) {
    return [n] { return Feeds{{"a", ZeroFloats({n, n})}, {"b", ZeroFloats({n, n})}}; };
  };
  const auto heads = [] {
    Feeds feeds;
    for (const char* name : {"a", "b", "c"}) feeds.emplace_back(name, ZeroFloats({1, 8, 6000, 64}));
    return feeds;
  };
  return {
      {"Attention",
       [] {
         return OneNode("Attention", {kF, kF, kF}, kF, {}, "", 23);
       },
       heads},
      {"Einsum",
       [] {
         return OneNode("Einsum", {kF, kF}, kF, {{"equation", std::string("ii,jk->jk")}});
       },
       square(2000)},
      {"Det", [] { return OneNode("Det", {kF}, kF); },
       [] {
         Tensor tensor = *Tensor::Make(kF, {2500, 2500});
         for (std::int64_t i = 0; i < tensor.size(); ++i) {
           tensor.data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i * 7919 % 1013);
         }
         return Feeds{{"a", Value(std::move(tensor))}};
       }},
      {"Regex",
       [] {
         return OneNode("RegexFullMatch", {DType::kString}, DType::kBool,
                        {{"pattern", std::string("(a|aa|aaa)*b")}});
       },
       [] {
         return Feeds{{"a", Text({40'000}, std::string(10'000, 'a'))}};
       }},
      {"StringSplit",
       [] {
         return Parsed(tiny::GraphOf({{"StringSplit", {"a"}, {"y", "n"}}}, {{"a", DType::kString}},
                                     {{"n", DType::kInt64}}));
       },
       [] {
         return Feeds{{"a", Text({600'000}, std::string(2000, 'a') + " b")}};
       }},
      {"TreeEnsemble", [] { return Stumps(3000); },
       [] {
         return Feeds{{"a", ZeroFloats({3'000'000, 1})}};
       }},
      {"Rnn",
       [] {
         return Parsed(tiny::GraphOf({{"RNN", {"a", "b", "c"}, {"y"}, {{"hidden_size", 256}}}},
                                     {{"a"}, {"b"}, {"c"}}, {{"y"}}));
       },
       [] {
         return Feeds{{"a", ZeroFloats({40'000, 1, 256})},
                      {"b", ZeroFloats({1, 256, 256})},
                      {"c", ZeroFloats({1, 256, 256})}};
       }},
  };
}

/// Numbers without an order that a sort could make use of.
Value Scattered(const Shape& shape) {
  Tensor tensor = *Tensor::Make(DType::kFloat32, shape);
  std::uint32_t state = 1;
  for (float& number : tensor.data<float>()) {
    state = state * 1664525 + 1013904223;
    number = static_cast<float>(state >> 8);
  }
  return Value(std::move(tensor));
}

/// One long row each.
std::vector<LongWork> Rows() {
  constexpr std::int64_t kLong = 12'000'000;
  const auto row = [] { return Feeds{{"a", Scattered({kLong})}}; };
  const auto top = [](std::int64_t k) {
    return [k] {
      return Parsed(
          tiny::GraphOf({{"TopK", {"a"}, {"v", "y"}, {{"k", k}}}}, {{"a"}}, {{"y", DType::kInt64}}),
          9);
    };
  };
  return {
      {"TopK", top(kLong / 2), row},
      {"Unique",
       [] {
         return Parsed(tiny::GraphOf({{"Unique", {"a"}, {"u", "y"}, {{"sorted", 0}}}}, {{"a"}},
                                     {{"y", DType::kInt64}}));
       },
       row},
      {"NonMaxSuppression",
       [] {
         return Parsed(tiny::GraphOf({{"NonMaxSuppression", {"a", "b", "c"}, {"y"}}},
                                     {{"a"}, {"b"}, {"c", DType::kInt64}}, {{"y", DType::kInt64}}));
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, kLong, 4})},
                      {"b", Scattered({1, 1, kLong})},
                      {"c", Int64s({1}, {kLong})}};
       }},
      {"Fourier",
       [] {
         return OneNode("DFT", {DType::kFloat32}, DType::kFloat32, {{"axis", 1}}, "", 17);
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 1 << 23, 1})}};
       }},
      {"FourierOfAPrimeLength",
       [] {
         return OneNode("DFT", {DType::kFloat32}, DType::kFloat32, {{"axis", 1}}, "", 17);
       },
       [] {
         return Feeds{{"a", ZeroFloats({1, 5'000'011, 1})}};
       }},
  };
}

/// Attention of many queries to many keys, by the kernel in blocks and, where nothing is a number,
/// query by query.
std::vector<LongWork> Attentions() {
  const auto model = [] {
    const std::vector<DType> floats(3, DType::kFloat32);
    return OneNode("Attention", floats, DType::kFloat32, {}, "", 23);
  };
  const auto filled = [](float number, const Shape& shape) {
    Tensor tensor = *Tensor::Make(DType::kFloat32, shape);
    std::ranges::fill(tensor.data<float>(), number);
    return Value(std::move(tensor));
  };
  return {
      {"AttentionInBlocks", model,
       [=] {
         const Value all = filled(0, {1, 8, 16'000, 64});
         return Feeds{{"a", all}, {"b", all}, {"c", all}};
       }},
      {"AttentionOfNoNumbers", model,
       [=] {
         const Value keys = filled(1, {1, 1, 40'000, 64});
         return Feeds{{"a", filled(NAN, {1, 1, 4000, 64})}, {"b", keys}, {"c", keys}};
       }},
  };
}

std::vector<LongWork> LongWorks() {
  std::vector<LongWork> all = Products();
  for (auto more : {Windows, Others, Rows, Attentions}) {
    for (LongWork& work : more()) all.push_back(std::move(work));
  }
  return all;
}

class LongNode : public ::testing::TestWithParam<std::size_t> {};

TEST_P(LongNode, EndsSoonAfterItsDeadlineAndWhenCancelled) {
  const LongWork work = LongWorks()[GetParam()];
  const auto session = MakeSession(work.model(), work.options);
  ASSERT_NE(session, nullptr);
  const Feeds feeds = work.feeds();
  const auto deadline = Clock::now() + milliseconds(150);
  const auto late = session->Run(feeds, {}, {.deadline = deadline});
  const auto over = std::chrono::duration_cast<milliseconds>(Clock::now() - deadline);
  ASSERT_FALSE(late) << "this was to take longer";
  EXPECT_EQ(late.error().id, "Run.DeadlineExceeded") << late.error().message;
  EXPECT_LT(over, milliseconds(1500));
  RecordProperty("over_ms", static_cast<int>(over.count()));

  std::atomic<bool> cancelled = false;
  Clock::time_point asked;
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(150));
    asked = Clock::now();
    cancelled = true;
  });
  const auto ended = session->Run(feeds, {}, {.cancelled = &cancelled});
  const auto returned = Clock::now();
  other.join();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().id, "Run.Cancelled") << ended.error().message;
  EXPECT_LT(returned - asked, milliseconds(1500));
}

INSTANTIATE_TEST_SUITE_P(Node, LongNode, ::testing::Range(std::size_t{0}, LongWorks().size()),
                         [](const auto& test) { return LongWorks()[test.param].name; });

TEST(Deadline, ARunThatWasToEndEndsThoughTheFlagIsTakenBack) {
  std::atomic<bool> cancelled = false;
  const Bounds bounds(nullptr, {.cancelled = &cancelled});
  EXPECT_FALSE(bounds.MustStop());
  cancelled = true;
  EXPECT_TRUE(bounds.MustStop());
  cancelled = false;
  EXPECT_TRUE(bounds.MustStop());
  const auto ended = bounds.MayGoOn();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().id, "Run.Cancelled");
}

TEST(Deadline, HoldsForWhatIsComputedWhenASessionIsMade) {
  const std::string graph =
      tiny::GraphOf({{"Constant", {}, {"n"}, {{"value_ints", tiny::Ints{3000, 3000}}}},
                     {"ConstantOfShape", {"n"}, {"a"}},
                     {"Einsum", {"a", "a"}, {"b"}, {{"equation", std::string("ij,jk->ik")}}},
                     {"Add", {"b", "x"}, {"y"}}},
                    {{"x"}}, {{"y"}});
  const Model model = Parsed(graph);
  const auto deadline = Clock::now() + milliseconds(200);
  const auto session = Session::Create(model, {}, {.deadline = deadline});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().id, "Run.DeadlineExceeded") << session.error().message;
  EXPECT_LT(Clock::now() - deadline, milliseconds(1500));
}

/// y = a b, either of them transposed, `b` fed or a constant, and `c` added by Gemm.
struct LargeProduct {
  bool gemm = false, constant = false, turned = false;
  Shape batch = {};
};

std::int64_t Elements(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) count *= dim;
  return count;
}

/// Small whole numbers: sums of them are exact in any order.
std::vector<float> SmallNumbers(const Shape& shape, std::int64_t step, std::int64_t modulus) {
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < Elements(shape); ++i) {
    numbers.push_back(static_cast<float>(i * step % modulus - modulus / 2));
  }
  return numbers;
}

void CheckLargeProduct(const LargeProduct& each, std::int64_t m, std::int64_t k, std::int64_t n) {
  SCOPED_TRACE(::testing::PrintToString(std::vector<int>{each.gemm, each.constant, each.turned}));
  Shape a_shape = each.batch;
  a_shape.insert(a_shape.end(), {each.turned ? k : m, each.turned ? m : k});
  const Shape b_shape = each.turned ? Shape{n, k} : Shape{k, n};
  const std::vector<float> a = SmallNumbers(a_shape, 31, 17);
  const std::vector<float> b = SmallNumbers(b_shape, 29, 13);
  std::vector<tiny::Node> nodes;
  std::vector<tiny::Port> ports = {{"a"}};
  Feeds feeds = {{"a", Floats(a_shape, a)}};
  if (each.constant) {
    nodes.push_back({"Constant", {}, {"flat"}, {{"value_floats", b}}});
    nodes.push_back({"Constant", {}, {"shape"}, {{"value_ints", b_shape}}});
    nodes.push_back({"Reshape", {"flat", "shape"}, {"b"}});
  } else {
    ports.push_back({"b"});
    feeds.emplace_back("b", Floats(b_shape, b));
  }
  nodes.push_back({each.gemm ? "Gemm" : "MatMul", {"a", "b"}, {"y"}});
  if (each.gemm) {
    nodes.back().inputs.push_back("c");
    nodes.back().attributes = {{"transA", std::int64_t{each.turned}},
                               {"transB", std::int64_t{each.turned}}};
    ports.push_back({"c"});
    feeds.emplace_back("c", Floats({n}, SmallNumbers({n}, 3, 101)));
  }
  const auto session = MakeSession(Parsed(tiny::GraphOf(nodes, ports, {{"y"}})), {.threads = 1});
  const auto outputs = session->Run(feeds);
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto y = (*outputs)[0].tensor()->data<float>();
  const auto at = [](const std::vector<float>& matrix, std::int64_t index) {
    return static_cast<double>(matrix[static_cast<std::size_t>(index)]);
  };
  for (std::int64_t row : {std::int64_t{0}, m / 3, m / 2, m - m / 7 - 1, m - 1}) {
    const std::int64_t image = Elements(each.batch) - 1;
    for (std::int64_t j = 0; j < n; j += j < n - 70 ? 7 : 1) {
      double sum = each.gemm ? static_cast<double>(j * 3 % 101 - 50) : 0;
      for (std::int64_t l = 0; l < k; ++l) {
        sum += at(a, image * m * k + (each.turned ? l * m + row : row * k + l)) *
               at(b, each.turned ? j * k + l : l * n + j);
      }
      ASSERT_EQ(y[static_cast<std::size_t>((image * m + row) * n + j)], static_cast<float>(sum))
          << row << ' ' << j;
    }
  }
}

TEST(Deadline, PartsOfALargeProductAreItsWhole) {
  // Large enough to be computed in parts, of rows and of columns, whose last begin early.
  for (const bool constant : {false, true}) {
    CheckLargeProduct({.constant = constant}, 901, 803, 1409);
    CheckLargeProduct({.gemm = true, .constant = constant}, 901, 803, 1409);
    CheckLargeProduct({.gemm = true, .constant = constant, .turned = true}, 877, 803, 1409);
  }
  CheckLargeProduct({}, 200, 1501, 2501);
  CheckLargeProduct({.constant = true, .batch = {3, 2}}, 411, 803, 1409);
}

TEST(Deadline, PartsOfALargeTransposedConvolutionAreItsWhole) {
  struct Case {
    Shape x, w;
    std::int64_t groups;
    tiny::Ints strides, pads, dilations, extra;
  };
  const Case cases[] = {
      {{1, 96, 90, 91}, {96, 96, 4, 4}, 1, {2, 2}, {1, 1, 1, 1}, {1, 1}, {0, 0}},
      {{1, 96, 100, 100}, {96, 48, 3, 5}, 2, {1, 2}, {1, 0, 2, 3}, {2, 1}, {0, 0}},
      {{1, 256, 5000, 1}, {256, 128, 8, 1}, 1, {4, 1}, {2, 0, 2, 0}, {1, 1}, {0, 0}},
      {{1, 96, 90, 80}, {96, 96, 4, 4}, 1, {3, 3}, {3, 0, 3, 0}, {1, 1}, {1, 2}},
      {{1, 96, 90, 80}, {96, 96, 2, 8}, 1, {3, 1}, {0, 0, 0, 0}, {1, 1}, {0, 0}},
      {{1, 96, 90, 80}, {96, 96, 2, 8}, 1, {5, 2}, {1, 0, 1, 0}, {1, 1}, {3, 1}},
      {{1, 96, 60, 80}, {96, 96, 3, 8}, 1, {7, 1}, {4, 0, 0, 0}, {2, 1}, {0, 0}},
      {{40, 64, 32, 32}, {64, 64, 3, 3}, 1, {1, 1}, {2, 2, 2, 2}, {1, 1}, {0, 0}}};
  for (const Case& each : cases) {
    SCOPED_TRACE(ShapeText(each.x));
    const Model model = OneNode(
        "ConvTranspose", {DType::kFloat32, DType::kFloat32, DType::kFloat32}, DType::kFloat32,
        {{"group", each.groups},
         {"strides", each.strides},
         {"pads", each.pads},
         {"dilations", each.dilations},
         {"output_padding", each.extra}});
    const std::vector<float> x = SmallNumbers(each.x, 7, 11);
    const std::vector<float> w = SmallNumbers(each.w, 5, 9);
    const Shape b_shape{each.groups * each.w[1]};
    const std::vector<float> b = SmallNumbers(b_shape, 3, 7);
    const auto outputs =
        MakeSession(model, {.threads = 1})
            ->Run({{"a", Floats(each.x, x)}, {"b", Floats(each.w, w)}, {"c", Floats(b_shape, b)}});
    ASSERT_TRUE(outputs) << outputs.error().message;
    const Tensor& y = *(*outputs)[0].tensor();
    const auto at = [](std::span<const float> numbers, const Shape& shape, const Shape& place) {
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < place.size(); ++d) offset = offset * shape[d] + place[d];
      return numbers[static_cast<std::size_t>(offset)];
    };
    const std::int64_t channels = each.x[1] / each.groups;
    for (std::int64_t i = 0; i < 700; ++i) {
      const Shape place{i % y.dim(0), i * 5 % y.dim(1), i * 13 % y.dim(2), i * 29 % y.dim(3)};
      const std::int64_t group = place[1] / each.w[1];
      double sum = at(b, b_shape, {place[1]});
      for (std::int64_t r = 0; r < each.w[2]; ++r) {
        for (std::int64_t s = 0; s < each.w[3]; ++s) {
          const std::int64_t row = place[2] + each.pads[0] - r * each.dilations[0];
          const std::int64_t column = place[3] + each.pads[1] - s * each.dilations[1];
          if (row < 0 || row % each.strides[0] != 0 || row / each.strides[0] >= each.x[2] ||
              column < 0 || column % each.strides[1] != 0 ||
              column / each.strides[1] >= each.x[3]) {
            continue;
          }
          for (std::int64_t c = group * channels; c < (group + 1) * channels; ++c) {
            sum += at(x, each.x, {place[0], c, row / each.strides[0], column / each.strides[1]}) *
                   at(w, each.w, {c, place[1] % each.w[1], r, s});
          }
        }
      }
      ASSERT_EQ(at(y.data<float>(), y.shape(), place), static_cast<float>(sum)) << ShapeText(place);
    }
  }
}

TEST(Deadline, PartsOfALargeConvolutionAreItsWhole) {
  struct Case {
    Shape x, w;
    tiny::Ints pads, strides;
  };
  const Case cases[] = {{{1, 64, 301, 299}, {64, 64, 3, 3}, {1, 1, 1, 1}, {1, 1}},
                        {{1, 48, 400, 402}, {96, 48, 5, 5}, {2, 2, 3, 2}, {2, 2}},
                        {{40, 32, 64, 64}, {128, 32, 3, 3}, {1, 1, 1, 1}, {1, 1}}};
  for (const Case& shape : cases) {
    const Model model = OneNode("Conv", {DType::kFloat32, DType::kFloat32}, DType::kFloat32,
                                {{"pads", shape.pads}, {"strides", shape.strides}});
    Tensor x = *Tensor::Make(DType::kFloat32, shape.x);
    Tensor w = *Tensor::Make(DType::kFloat32, shape.w);
    for (Tensor* tensor : {&x, &w}) {
      for (std::int64_t i = 0; i < tensor->size(); ++i) {
        tensor->data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i * 7 % 11 - 5);
      }
    }
    const auto outputs = MakeSession(model)->Run({{"a", Value(x)}, {"b", Value(w)}});
    ASSERT_TRUE(outputs) << outputs.error().message;
    const Tensor& y = *(*outputs)[0].tensor();
    const auto at = [](const Tensor& tensor, const Shape& place) {
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < place.size(); ++d) offset = offset * tensor.shape()[d] + place[d];
      return tensor.data<float>()[static_cast<std::size_t>(offset)];
    };
    for (std::int64_t i = 0; i < 500; ++i) {
      const Shape place{i % y.dim(0), i * 5 % y.dim(1), i * 13 % y.dim(2), i * 29 % y.dim(3)};
      double sum = 0;
      for (std::int64_t c = 0; c < shape.w[1]; ++c) {
        for (std::int64_t r = 0; r < shape.w[2]; ++r) {
          for (std::int64_t s = 0; s < shape.w[3]; ++s) {
            const std::int64_t row = place[2] * shape.strides[0] - shape.pads[0] + r;
            const std::int64_t column = place[3] * shape.strides[1] - shape.pads[1] + s;
            if (row < 0 || row >= shape.x[2] || column < 0 || column >= shape.x[3]) continue;
            sum += at(x, {place[0], c, row, column}) * at(w, {place[1], c, r, s});
          }
        }
      }
      ASSERT_EQ(at(y, place), static_cast<float>(sum)) << ShapeText(place);
    }
  }
}

/// `y` is `a` expanded to the shape that is fed.
Model Expand(DType dtype) { return OneNode("Expand", {dtype, DType::kInt64}, dtype); }

TEST(MemoryLimit, EndsARunWithOneErrorAndIsFreeAgain) {
  const auto session = MakeSession(Expand(DType::kFloat32), {.limits = {.memory_bytes = 8 * kMiB}});
  const std::int64_t before = session->MemoryBytes();
  for (int i = 0; i < 3; ++i) {
    const auto run = session->Run({{"a", Floats({1}, {1})}, {"b", Int64s({1}, {3 * kMiB})}});
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().id, "Run.MemoryLimit");
    EXPECT_EQ(run.error().code, Code::kResourceExhausted);
    EXPECT_THAT(run.error().message, HasSubstr("12582912 bytes"));
    EXPECT_FALSE(run.error().fix.empty());
    EXPECT_LE(session->MemoryBytes(), before + 4096);
  }
  const auto fits = session->Run({{"a", Floats({1}, {1})}, {"b", Int64s({1}, {kMiB})}});
  ASSERT_TRUE(fits) << fits.error().message;
  EXPECT_EQ((*fits)[0].tensor()->size(), kMiB);
}

TEST(MemoryLimit, OutputsAreTheCallersAndCountNoLonger) {
  const auto session = MakeSession(Expand(DType::kFloat32), {.limits = {.memory_bytes = 8 * kMiB}});
  std::vector<std::vector<Value>> kept;
  for (int i = 0; i < 6; ++i) {
    auto run = session->Run({{"a", Floats({1}, {1})}, {"b", Int64s({1}, {kMiB})}});
    ASSERT_TRUE(run) << run.error().message;
    kept.push_back(*std::move(run));
  }
  const std::int64_t held = session->MemoryBytes();
  kept.clear();
  EXPECT_EQ(session->MemoryBytes(), held);
}

TEST(MemoryLimit, WhatIsKeptForOtherShapesMakesRoom) {
  const std::string graph =
      tiny::GraphOf({{"Exp", {"a"}, {"b"}}, {"Neg", {"b"}, {"c"}}, {"ReduceSum", {"c"}, {"y"}}},
                    {{"a"}}, {{"y"}});
  const auto session = MakeSession(Parsed(graph), {.limits = {.memory_bytes = 10 * kMiB}});
  for (const std::int64_t size : {kMiB, kMiB - 16, kMiB - 32, kMiB}) {
    const auto run = session->Run({{"a", ZeroFloats({size})}});
    ASSERT_TRUE(run) << run.error().message;
    EXPECT_GT(session->MemoryBytes(), 0);
  }
}

TEST(MemoryLimit, IsSharedByRunsAtTheSameTime) {
  const std::string graph =
      tiny::GraphOf({{"Exp", {"a"}, {"b"}}, {"Neg", {"b"}, {"c"}}, {"ReduceSum", {"c"}, {"y"}}},
                    {{"a"}}, {{"y"}});
  // Room for one frame and a half.
  const auto session =
      MakeSession(Parsed(graph), {.threads = 1, .limits = {.memory_bytes = 12 * kMiB}});
  const Feeds feeds{{"a", ZeroFloats({kMiB})}};
  std::atomic<int> done = 0;
  std::atomic<int> refused = 0;
  std::atomic<int> other = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const auto run = session->Run(feeds);
        ++(run ? done : run.error().id == "Run.MemoryLimit" ? refused : other);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(done, 0);
  EXPECT_EQ(other, 0);
  EXPECT_LE(session->MemoryBytes(), 12 * kMiB);
  EXPECT_TRUE(session->Run(feeds));
}

TEST(MemoryLimit, CountsWeights) {
  const Model model = LoadModel("residual");
  ASSERT_GT(model.info().parameter_bytes, 100);
  const auto refused = Session::Create(model, {.limits = {.memory_bytes = 100}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Run.MemoryLimit");
  const auto session = MakeSession(model, {.limits = {.memory_bytes = 64 * kMiB}});
  EXPECT_GE(session->MemoryBytes(), model.info().parameter_bytes);
  EXPECT_FALSE(Session::Create(model, {.limits = {.memory_bytes = -1}}));
}

TEST(MemoryLimit, CountsWhatOperatorsWorkIn) {
  struct Case {
    std::string type;
    Shape shape;
    std::vector<tiny::Attribute> attributes = {};
    bool fits = false;
  };
  // The outputs alone would fit.
  const Case cases[] = {{"Det", {1024, 32, 32}},
                        {"Unique", {kMiB}},
                        {"MeanVarianceNormalization", {1, 1, 1024, 512}},
                        {"SpaceToDepth", {1, 1, 512, 1024}, {{"blocksize", 2}}, true}};
  for (const Case& each : cases) {
    SCOPED_TRACE(each.type);
    const Model model = OneNode(each.type, {DType::kFloat32}, DType::kFloat32, each.attributes);
    const Feeds feeds{{"a", Scattered(each.shape)}};
    const auto session = MakeSession(model, {.limits = {.memory_bytes = 5 * kMiB}});
    const std::int64_t before = session->MemoryBytes();
    const auto run = session->Run(feeds);
    EXPECT_EQ(run.has_value(), each.fits);
    EXPECT_EQ(run ? "Run.MemoryLimit" : run.error().id, "Run.MemoryLimit");
    EXPECT_LE(session->MemoryBytes(), before + kMiB);
    EXPECT_TRUE(MakeSession(model, {.limits = {.memory_bytes = 64 * kMiB}})->Run(feeds));
  }
}

TEST(MemoryLimit, CountsText) {
  const auto session = MakeSession(Expand(DType::kString), {.limits = {.memory_bytes = 8 * kMiB}});
  const Value word = Text({1}, std::string(100'000, 'w'));
  const auto run = session->Run({{"a", word}, {"b", Int64s({1}, {1'000'000})}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().id, "Run.MemoryLimit") << run.error().message;
  const auto some = session->Run({{"a", word}, {"b", Int64s({1}, {500})}});
  ASSERT_FALSE(some);
  EXPECT_EQ(some.error().id, "Run.MemoryLimit") << some.error().message;
  EXPECT_TRUE(session->Run({{"a", word}, {"b", Int64s({1}, {40})}}));
  EXPECT_TRUE(session->Run({{"a", word}, {"b", Int64s({1}, {40})}}));
}

TEST(Limits, OfOneTensorAndItsText) {
  const SessionLimits limits{.tensor_bytes = kMiB, .string_bytes = 1000};
  const auto floats = MakeSession(Expand(DType::kFloat32), {.limits = limits});
  const auto run = floats->Run({{"a", Floats({1}, {1})}, {"b", Int64s({1}, {kMiB})}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().id, "Tensor.TooLarge");
  const auto texts = MakeSession(Expand(DType::kString), {.limits = limits});
  const Value word = Text({1}, std::string(300, 'w'));
  const auto much = texts->Run({{"a", word}, {"b", Int64s({1}, {10})}});
  ASSERT_FALSE(much);
  EXPECT_EQ(much.error().id, "Tensor.TooLarge") << much.error().message;
  EXPECT_TRUE(texts->Run({{"a", word}, {"b", Int64s({1}, {2})}}));
}

TEST(Limits, OfLoopTrips) {
  const auto session = MakeSession(LoadModel("loop"), {.limits = {.loop_trips = 50}});
  const auto run = [&](std::int64_t trips) {
    return session->Run(
        {{"m", Int64s({}, {trips})}, {"start", Floats({2}, {0, 1})}, {"x", Floats({2}, {1, 10})}});
  };
  const auto many = run(51);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().id, "Run.TooManyTrips");
  EXPECT_THAT(many.error().message, HasSubstr("50 times"));
  EXPECT_TRUE(run(50));
  EXPECT_TRUE(run(50));
}

TEST(Limits, OfAModelsFile) {
  const auto path = ModelFile("nested");
  ASSERT_TRUE(Model::Load(path));
  const auto nodes = Model::Load(path, {.nodes = 2});
  ASSERT_FALSE(nodes);
  EXPECT_THAT(nodes.error().message, HasSubstr("more than 2 nodes"));
  const auto depth = Model::Load(path, {.depth = 1});
  ASSERT_FALSE(depth);
  EXPECT_THAT(depth.error().message, HasSubstr("deeper than 1"));
  const auto memory = Model::Load(path, {.memory_bytes = 100});
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().id, "Run.MemoryLimit");
}

TEST(UsableMemory, IsOfThisMachine) {
  EXPECT_GT(UsableMemoryBytes(), 64 * kMiB);
  EXPECT_LT(UsableMemoryBytes(), std::int64_t{1} << 50);
}

}  // namespace
}  // namespace slipway::runtime
