// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernels/blocked.h"
#include "runtime/tuning.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;
using tiny::Net;

std::vector<float> Numbers(std::int64_t count, std::uint32_t seed) {
  return FloatsOf(Random({count}, seed));
}

/// A convolution of stride 1 whose output is as large as its input, or a product of rows and a
/// matrix: the same with one position an image and a kernel of 1.
struct Problem {
  std::int64_t images = 1, in = 0, out = 0, height = 1, width = 1, kernel = 1;

  std::int64_t image() const { return in * height * width; }
  std::int64_t terms() const { return in * kernel * kernel; }
  std::int64_t inputs() const { return images * image(); }
  std::int64_t weights() const { return out * terms(); }
};

float Largest(const float* from, std::int64_t count) {
  float most = 0;
  for (std::int64_t i = 0; i < count; ++i) most = std::max(most, std::abs(from[i]));
  return most;
}

/// Sums in double, and how far from them those of rounded numbers may be. w: [out, in, k, k].
struct Exact {
  std::vector<double> sums, bounds;
};

Exact ExactOf(const Problem& p, const std::vector<float>& x, const std::vector<float>& w,
              Precision precision) {
  Exact exact;
  // Of float32 sums of so many terms, and of what is done to them after.
  const double own = static_cast<double>(p.terms() + 8) * 0x1p-23;
  const std::int64_t size = p.height * p.width;
  for (std::int64_t n = 0; n < p.images; ++n) {
    const double x_half = Largest(x.data() + n * p.image(), p.image()) / 127.0 / 2;
    for (std::int64_t m = 0; m < p.out; ++m) {
      const double w_half = Largest(w.data() + m * p.terms(), p.terms()) / 127.0 / 2;
      for (std::int64_t at = 0; at < size; ++at) {
        double sum = 0, bound = 0;
        for (std::int64_t t = 0; t < p.terms(); ++t) {
          const std::int64_t c = t / (p.kernel * p.kernel), tap = t % (p.kernel * p.kernel);
          const std::int64_t i = at / p.width + tap / p.kernel - p.kernel / 2;
          const std::int64_t j = at % p.width + tap % p.kernel - p.kernel / 2;
          if (i < 0 || j < 0 || i >= p.height || j >= p.width) continue;
          const double a = x[static_cast<std::size_t>(n * p.image() + c * size + i * p.width + j)];
          const double b = w[static_cast<std::size_t>(m * p.terms() + t)];
          // Eight binary digits are off by 2^-9 of a number at most; bytes by half a step.
          const bool bytes = precision == Precision::kInt8;
          const double a_off = bytes ? x_half : std::abs(a) * 0x1p-9;
          const double b_off = bytes ? w_half : std::abs(b) * 0x1p-9;
          sum += a * b;
          bound += std::abs(a) * b_off + std::abs(b) * a_off + a_off * b_off;
          bound += own * (std::abs(a) + a_off) * (std::abs(b) + b_off);
        }
        exact.sums.push_back(sum);
        exact.bounds.push_back(bound + 0x1p-100);
      }
    }
  }
  return exact;
}

std::string Constant(Net& net, const tiny::Ints& shape, std::vector<float> elements) {
  const std::string flat = net.Add("Constant", {}, {{"value_floats", std::move(elements)}});
  return net.Add("Reshape", {flat, net.Add("Constant", {}, {{"value_ints", shape}})});
}

std::string Convolve(Net& net, const Problem& p, const std::string& x,
                     const std::vector<float>& w) {
  return net.Add("Conv", {x, Constant(net, {p.out, p.in, p.kernel, p.kernel}, w)},
                 {{"pads", tiny::Ints(4, p.kernel / 2)}});
}

class LowProducts : public ::testing::TestWithParam<Precision> {
 protected:
  Precision precision() const { return GetParam(); }
  std::string pass() const { return "products_" + std::string(PrecisionName(precision())); }

  Ran RunLow(const Model& model, const Feeds& feeds) {
    return RunWith(model, feeds, {.choice = {.precision = precision()}});
  }

  /// What it gives is within the bounds of rounding, and none but rounded sums: another than
  /// without. Where the processor has no instructions for it, it is the same.
  void Expect(const Model& model, const Feeds& feeds, const std::vector<double>& sums,
              const std::vector<double>& bounds, std::int64_t places = 1) {
    const Ran low = RunLow(model, feeds);
    const bool has = HasPrecision(precision());
    EXPECT_EQ(low.changes.at(pass()), has ? places : 0);
    const std::vector<float> actual = FloatsOf(low.outputs[0]);
    const std::vector<float> single = FloatsOf(RunWith(model, feeds, {}).outputs[0]);
    EXPECT_EQ(actual == single, !has);
    ASSERT_EQ(actual.size(), sums.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      ASSERT_NEAR(actual[i], sums[i], bounds[i]) << i;
    }
    EXPECT_EQ(FloatsOf(RunLow(model, feeds).outputs[0]), actual);
  }
};

TEST_P(LowProducts, ConvolutionsAreWithinTheBoundsOfRounding) {
  std::uint32_t seed = 0;
  for (const Problem& p : {Problem{1, 64, 144, 9, 7, 1}, Problem{3, 32, 64, 8, 10, 7},
                           Problem{2, 16, 24, 12, 12, 7}, Problem{1, 80, 130, 14, 3, 7}}) {
    const std::vector<float> x = Numbers(p.inputs(), ++seed), w = Numbers(p.weights(), ++seed);
    Net net(1);
    const Model model = ParseModel(net.Model({Convolve(net, p, "x", w)}));
    const Exact exact = ExactOf(p, x, w, precision());
    Expect(model, {{"x", Floats({p.images, p.in, p.height, p.width}, x)}}, exact.sums,
           exact.bounds);
  }
}

TEST_P(LowProducts, SumsBiasesAndActivationsComeAfterThem) {
  const Problem p{2, 64, 64, 10, 9, 7};
  const std::vector<float> x = Numbers(p.inputs(), 1);
  const std::vector<float> first = Numbers(p.weights(), 2), second = Numbers(p.weights(), 3);
  const std::vector<float> bias = Numbers(p.out, 4);
  Net net(1);
  const std::string left =
      net.Add("Add", {Convolve(net, p, "x", first), Constant(net, {1, p.out, 1, 1}, bias)});
  const std::string y = net.Add("Relu", {net.Add("Add", {left, Convolve(net, p, "x", second)})});
  const Model model = ParseModel(net.Model({y}));
  Exact exact = ExactOf(p, x, first, precision());
  const Exact other = ExactOf(p, x, second, precision());
  for (std::size_t i = 0; i < exact.sums.size(); ++i) {
    const std::size_t channel = i / 90 % 64;
    exact.sums[i] = std::max(0.0, exact.sums[i] + other.sums[i] + bias[channel]);
    exact.bounds[i] += other.bounds[i] + 1e-5;
  }
  const Feeds feeds = {{"x", Floats({2, 64, 10, 9}, x)}};
  Expect(model, feeds, exact.sums, exact.bounds, 2);
  EXPECT_EQ(RunLow(model, feeds).changes.at("block_layouts") > 0, ChannelBlock() > 0);
}

TEST_P(LowProducts, MatricesAreWithinTheBoundsOfRounding) {
  std::uint32_t seed = 10;
  for (const std::int64_t rows : {1, 3, 37}) {
    for (const bool gemm : {false, true}) {
      const Problem p{rows, 520, 1030};
      const std::vector<float> x = Numbers(p.inputs(), ++seed), w = Numbers(p.weights(), ++seed);
      const std::vector<float> row = Numbers(p.out, ++seed);
      Net net(1);
      std::string y;
      if (gemm) {
        y = net.Add("Gemm", {"x", Constant(net, {p.out, p.in}, w), Constant(net, {p.out}, row)},
                    {{"transB", 1}});
      } else {
        std::vector<float> turned(w.size());
        for (std::size_t i = 0; i < w.size(); ++i) turned[i % 520 * 1030 + i / 520] = w[i];
        y = net.Add("MatMul", {"x", Constant(net, {p.in, p.out}, turned)});
      }
      y = net.Add("LeakyRelu", {y}, {{"alpha", 0.5F}});
      const Model model = ParseModel(net.Model({y}));
      Exact exact = ExactOf(p, x, w, precision());
      for (std::size_t i = 0; i < exact.sums.size(); ++i) {
        double& sum = exact.sums[i];
        if (gemm) sum += row[i % 1030];
        exact.bounds[i] += 0x1p-22 * std::abs(sum);
        if (sum < 0) sum *= 0.5;
      }
      Expect(model, {{"x", Floats({rows, p.in}, x)}}, exact.sums, exact.bounds);
    }
  }
}

TEST_P(LowProducts, WhatDoesNotGainStaysAsItIs) {
  Net net(3);
  const auto weights = [&](const tiny::Ints& shape) { return net.Weights(shape, -1, 1); };
  std::string v = net.Convolve("x", {.in = 3, .out = 64});
  v = net.Convolve(v, {.in = 64, .out = 64, .group = 64});
  v = net.Add("Flatten", {net.Add("GlobalAveragePool", {v})});
  v = net.Add("MatMul", {v, weights({64, 10})});
  const Model model = ParseModel(net.Model({v}));
  const Feeds feeds = {{"x", Random({2, 3, 30, 30}, 7)}};
  const Ran low = RunLow(model, feeds);
  EXPECT_EQ(low.changes.at(pass()), 0);
  EXPECT_EQ(FloatsOf(low.outputs[0]), FloatsOf(RunWith(model, feeds, {}).outputs[0]));
}

TEST_P(LowProducts, ReferenceKernelsAndGraphsAsTheyAreKnowNoneOfIt) {
  const Problem p{2, 256, 1024};
  Net net(1);
  const std::string w = Constant(net, {p.in, p.out}, Numbers(p.weights(), 1));
  const Model model = ParseModel(net.Model({net.Add("MatMul", {"x", w})}));
  const Feeds feeds = {{"x", Random({2, 256}, 2)}};
  for (const bool reference : {false, true}) {
    SessionOptions options{.passes = reference, .reference = reference};
    const auto plain = MakeSession(model, options)->Run(feeds);
    options.precision = precision();
    const auto low = MakeSession(model, options)->Run(feeds);
    ASSERT_TRUE(plain && low);
    EXPECT_EQ(FloatsOf((*plain)[0]), FloatsOf((*low)[0]));
  }
}

TEST_P(LowProducts, SessionsTellWhatIsComputedHow) {
  const Problem p{2, 256, 1024};
  Net net(1);
  const std::string w = Constant(net, {p.in, p.out}, Numbers(p.weights(), 1));
  const Model model = ParseModel(net.Model({net.Add("MatMul", {"x", w})}));
  const std::string name(PrecisionName(precision()));
  const auto tuned = OpenTuned(model, {}, {.precision = precision()}, {});
  ASSERT_TRUE(tuned) << tuned.error().message;
  const auto text = tuned->session->Explain({{"x", Random({2, 256}, 2)}});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("precision " + name));
  if (HasPrecision(precision())) {
    EXPECT_THAT(*text, HasSubstr(" matmul_" + name));
    EXPECT_EQ(tuned->warning, "");
  } else {
    EXPECT_THAT(tuned->warning, HasSubstr("precision " + name + ": this processor has no"));
  }
}

TEST_P(LowProducts, ContradictStrictAccuracy) {
  const auto refused = Session::Create(LoadModel("residual"),
                                       {.accuracy = Accuracy::kStrict, .precision = precision()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_EQ(refused.error().id, "Usage");
  EXPECT_THAT(refused.error().message, HasSubstr(std::string(PrecisionName(precision()))));
}

INSTANTIATE_TEST_SUITE_P(Precisions, LowProducts,
                         ::testing::Values(Precision::kBfloat16, Precision::kInt8),
                         [](const auto& test) { return std::string(PrecisionName(test.param)); });

/// In bytes, a row and an image have the same bits whatever comes with them.
TEST(LowProductsOfBytes, DoNotDependOnTheBatch) {
  for (const Problem& p : {Problem{5, 300, 900}, Problem{4, 32, 64, 9, 8, 3}}) {
    const std::vector<float> w = Numbers(p.weights(), 2);
    const bool rows = p.kernel == 1;
    Net net(1);
    const std::string y =
        rows ? net.Add("MatMul", {"x", Constant(net, {p.in, p.out}, w)}) : Convolve(net, p, "x", w);
    const auto session = MakeSession(ParseModel(net.Model({y})), {.precision = Precision::kInt8});
    std::vector<float> x = Numbers(p.inputs(), 3);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] *= static_cast<float>(static_cast<std::int64_t>(i) / p.image() + 1);
    const auto run = [&](std::int64_t images, std::vector<float> numbers) {
      const Shape shape = rows ? Shape{images, p.in} : Shape{images, p.in, p.height, p.width};
      const auto outputs = session->Run({{"x", Floats(shape, std::move(numbers))}});
      EXPECT_TRUE(outputs);
      return FloatsOf((*outputs)[0]);
    };
    const std::vector<float> all = run(p.images, x);
    const auto size = static_cast<std::ptrdiff_t>(all.size()) / p.images;
    for (std::int64_t n = 0; n < p.images && HasPrecision(Precision::kInt8); ++n) {
      const auto from = x.begin() + n * p.image();
      const std::vector<float> one = run(1, {from, from + p.image()});
      EXPECT_EQ(one, std::vector<float>(all.begin() + n * size, all.begin() + (n + 1) * size));
    }
  }
}

TEST(LowProductsOfBytes, OfWhatIsNoNumberAreNone) {
  const Problem p{4, 300, 900};
  Net net(1);
  const std::string w = Constant(net, {p.in, p.out}, Numbers(p.weights(), 2));
  const Model model = ParseModel(net.Model({net.Add("MatMul", {"x", w})}));
  std::vector<float> x = Numbers(p.inputs(), 3);
  x[7] = std::numeric_limits<float>::infinity();
  x[310] = std::numeric_limits<float>::quiet_NaN();
  std::fill(x.begin() + 600, x.begin() + 900, 0.0F);
  const auto outputs = MakeSession(model, {.precision = Precision::kInt8})
                           ->Run({{"x", Floats({p.images, p.in}, x)}});
  ASSERT_TRUE(outputs);
  const std::vector<float> y = FloatsOf((*outputs)[0]);
  for (std::size_t j = 0; j < 900; ++j) {
    EXPECT_FALSE(std::isfinite(y[j])) << j;
    EXPECT_TRUE(std::isnan(y[900 + j])) << j;
    EXPECT_EQ(y[1800 + j], 0) << j;
    EXPECT_TRUE(std::isfinite(y[2700 + j])) << j;
  }
}

TEST(PrecisionNames, AreThree) {
  for (const char* name : {"fp32", "bf16", "int8"}) {
    const auto precision = PrecisionFromName(name);
    ASSERT_TRUE(precision);
    EXPECT_EQ(PrecisionName(*precision), name);
  }
  EXPECT_TRUE(HasPrecision(Precision::kFloat32));
  const auto refused = PrecisionFromName("fp16");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Usage");
  EXPECT_EQ(refused.error().message, "precision 'fp16' is none of fp32, bf16, int8");
}

}  // namespace
}  // namespace slipway::runtime
