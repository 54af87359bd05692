// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/kernels/byte_dot_simd.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

/// What bytes stand for.
struct Bytes {
  float scale = 0.1F;
  std::int64_t zero = 0;
  DType dtype = DType::kUint8;
};

/// A network with quantised tensors between its nodes, as quantisers write them.
class QuantizedNet : public Net {
 public:
  using Net::Net;

  std::string Number(float number) { return Add("Constant", {}, {{"value_float", number}}); }
  std::string Zero(const Bytes& bytes) {
    const std::string number = Add("Constant", {}, {{"value_int", bytes.zero}});
    return Add("Cast", {number}, {{"to", bytes.dtype == DType::kInt8 ? std::int64_t{3} : 2}});
  }
  std::string Quantize(const std::string& x, const Bytes& bytes) {
    return Add("QuantizeLinear", {x, Number(bytes.scale), Zero(bytes)});
  }
  std::string Dequantize(const std::string& x, const Bytes& bytes) {
    return Add("DequantizeLinear", {x, Number(bytes.scale), Zero(bytes)});
  }
  /// Both: numbers that are bytes.
  std::string Round(const std::string& x, const Bytes& bytes) {
    return Dequantize(Quantize(x, bytes), bytes);
  }
  struct Rounded {
    std::string weights, scales;
  };
  /// Weights around zero, with a scale for each index of `axis`, or for all.
  Rounded RoundWeights(const tiny::Ints& shape, std::int64_t axis) {
    const std::string w = Weights(shape, -1, 1);
    if (axis < 0) {
      const Bytes bytes{.scale = 1 / 127.0F, .dtype = DType::kInt8};
      return {Round(w, bytes), Number(bytes.scale)};
    }
    const std::string scales = Weights({shape[static_cast<std::size_t>(axis)]}, 0.01F, 0.02F);
    const std::string zeros =
        Add("Cast", {Add("ConstantOfShape", {Add("Shape", {scales})})}, {{"to", std::int64_t{3}}});
    const std::string bytes = Add("QuantizeLinear", {w, scales, zeros}, {{"axis", axis}});
    return {Add("DequantizeLinear", {bytes, scales, zeros}, {{"axis", axis}}), scales};
  }
  /// A bias of 32 bits, in steps of the sums.
  std::string RoundBias(std::int64_t channels, const Rounded& w, const Bytes& x) {
    const std::string steps =
        Add("Cast", {Weights({channels}, -2000, 2000)}, {{"to", std::int64_t{6}}});
    const std::string scales = Add("Mul", {w.scales, Number(x.scale)});
    return Add("DequantizeLinear", {steps, scales}, {{"axis", std::int64_t{0}}});
  }
  std::string Convolution(const Bytes& x, const Rounded& w, const std::string& bias,
                          std::int64_t group = 1, std::int64_t stride = 2) {
    return Add("Conv", {Round("x", x), w.weights, bias},
               {{"pads", tiny::Ints(4, 1)}, {"strides", tiny::Ints(2, stride)}, {"group", group}});
  }
};

constexpr Bytes kIn = {.scale = 0.05F, .zero = 117};
constexpr Bytes kOut = {.scale = 0.2F, .zero = 0};

/// The pass joins `count` nodes; answers differ by a step at most, and few of them do.
void ExpectJoined(const Net& net, const std::string& output, std::int64_t count, float step,
                  const Shape& shape) {
  const Model model = ParseModel(net.Model({output}));
  const Feeds feeds = {{"x", Random(shape, 1)}};
  const Ran without = RunWith(model, feeds, {.enabled = false});
  const Ran with = RunWith(model, feeds, {});
  EXPECT_EQ(with.changes.at("join_quantized"), count);
  const auto a = FloatsOf(without.outputs[0]), b = FloatsOf(with.outputs[0]);
  ASSERT_EQ(a.size(), b.size());
  std::size_t other = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], step * 1.001F);
    if (a[i] != b[i]) ++other;
  }
  EXPECT_LE(other, a.size() / 200);
  const Ran strict = RunWith(model, feeds, {.choice = {.strict = true}});
  EXPECT_EQ(strict.changes.at("join_quantized"), 0);
}

TEST(JoinQuantized, ConvolutionsWithBiasesAndRelu) {
  for (const std::int64_t axis : {-1, 0}) {
    for (const bool float_bias : {false, true}) {
      QuantizedNet net(1);
      const Bytes out = {.scale = float_bias ? 1.0F : 0.2F, .zero = 0};
      const auto w = net.RoundWeights({40, 16, 3, 3}, axis);
      const std::string bias = float_bias ? net.Weights({40}, -3, 3) : net.RoundBias(40, w, kIn);
      const std::string v = net.Add("Relu", {net.Convolution(kIn, w, bias)});
      ExpectJoined(net, net.Round(v, out), 1, out.scale, {2, 16, 9, 7});
    }
  }
}

TEST(JoinQuantized, ClipThatTheRangeOfBytesHolds) {
  const auto expect = [](float most, const Bytes& out, std::int64_t count) {
    QuantizedNet net(2);
    const auto w = net.RoundWeights({48, 16, 3, 3}, 0);
    const std::string sum = net.Convolution(kIn, w, net.RoundBias(48, w, kIn));
    const std::string v = net.Add("Clip", {sum, net.Number(0), net.Number(most)});
    ExpectJoined(net, net.Round(v, out), count, out.scale, {1, 16, 8, 8});
  };
  expect(6, {.scale = 6 / 255.0F, .zero = 0}, 1);
  expect(6, {.scale = 6 / 255.0F, .zero = -128, .dtype = DType::kInt8}, 1);
  expect(6, {.scale = 6 / 255.0F, .zero = 9}, 0);
  expect(3, {.scale = 6 / 255.0F, .zero = 0}, 0);
}

TEST(JoinQuantized, ProductsAndWhatMovesElements) {
  QuantizedNet net(3);
  const Bytes sums = {.scale = 0.3F, .zero = -3, .dtype = DType::kInt8};
  const Bytes in = {.scale = 0.06F, .zero = -8, .dtype = DType::kInt8};
  const std::string w = net.RoundWeights({40, 410}, 1).weights;
  std::string v = net.Round(net.Add("MatMul", {net.Round("x", in), w}), sums);
  v = net.Round(net.Add("Transpose", {v}, {{"perm", tiny::Ints{1, 0, 2}}}), sums);
  v = net.Round(net.Add("Concat", {v, v}, {{"axis", std::int64_t{0}}}), sums);
  ExpectJoined(net, v, 3, sums.scale, {3, 7, 40});
}

TEST(JoinQuantized, ProductsOfMatricesWithARow) {
  for (const std::int64_t turned : {0, 1}) {
    for (const std::int64_t axis : {-1, 0, 1}) {
      QuantizedNet net(12);
      const tiny::Ints shape = turned != 0 ? tiny::Ints{410, 40} : tiny::Ints{40, 410};
      const auto w = net.RoundWeights(shape, axis);
      const bool along = axis < 0 || (axis == 0) == (turned != 0);
      const std::string row =
          along ? net.RoundBias(410, w, kIn) : net.Weights({410}, -0.001F, 0.001F);
      const std::string v =
          net.Add("Gemm", {net.Round("x", kIn), w.weights, row}, {{"transB", turned}});
      ExpectJoined(net, net.Round(v, kOut), along ? 1 : 0, kOut.scale, {7, 40});
    }
  }
}

TEST(JoinQuantized, FewWeightsAreQuickerAsNumbersWithoutSumsOfFour) {
  const auto expect = [](std::int64_t channels, std::int64_t stride, std::int64_t count) {
    QuantizedNet net(8);
    const auto w = net.RoundWeights({channels, 16, 3, 3}, 0);
    const std::string v = net.Convolution(kIn, w, net.RoundBias(channels, w, kIn), 1, stride);
    ExpectJoined(net, net.Round(v, {.scale = 0.5F, .zero = 128}), count, 0.5F, {1, 16, 8, 8});
  };
  const std::int64_t few = HasByteDot() ? 1 : 0;
  expect(16, 2, few);
  expect(48, 2, 1);
  expect(48, 1, few);
  expect(1024, 1, 1);
}

TEST(JoinQuantized, ChannelsByThemselves) {
  QuantizedNet net(4);
  const auto w = net.RoundWeights({16, 1, 3, 3}, 0);
  const std::string v = net.Convolution(kIn, w, net.RoundBias(16, w, kIn), 16);
  ExpectJoined(net, net.Round(v, kOut), HasByteDot() ? 1 : 0, kOut.scale, {1, 16, 8, 8});
}

TEST(JoinQuantized, SumsAndProductsOfTwo) {
  for (const char* const type : {"Add", "Mul"}) {
    QuantizedNet net(10);
    const Bytes in = {.scale = 0.0507F, .zero = 117};
    const Bytes other = {.scale = 0.01337F, .zero = 99};
    const Bytes out = {.scale = 0.0913F, .zero = 120};
    const std::string mean = net.Add("GlobalAveragePool", {"x"});
    const std::string v = net.Add(type, {net.Round("x", in), net.Round(mean, other)});
    ExpectJoined(net, net.Round(v, out), 1, out.scale, {2, 16, 9, 7});
  }
}

TEST(JoinQuantized, AScaleAtTheEndOfALongChainOfConstants) {
  constexpr int kChain = 60'000;
  QuantizedNet net(9);
  std::string scale = net.Number(0.05F);
  for (int i = 0; i < kChain; ++i) scale = net.Add("Identity", {scale});
  const std::string bytes = net.Add("QuantizeLinear", {"x", scale, net.Zero(kIn)});
  const std::string v = net.Add("Transpose", {net.Dequantize(bytes, kIn)});
  ExpectJoined(net, net.Round(v, kIn), 1, kIn.scale, {4, 6});
}

TEST(JoinQuantized, WhatBytesCannotDoStays) {
  const auto expect = [](QuantizedNet& net, const std::string& v) {
    ExpectJoined(net, net.Round(v, kOut), 0, kOut.scale, {1, 16, 8, 8});
  };
  {
    QuantizedNet net(4);  // groups of channels
    const auto w = net.RoundWeights({16, 2, 3, 3}, 0);
    expect(net, net.Convolution(kIn, w, net.RoundBias(16, w, kIn), 8));
  }
  {
    QuantizedNet net(13);  // each channel by itself, under a window that is not square
    const auto w = net.RoundWeights({16, 1, 1, 3}, 0);
    expect(net, net.Convolution(kIn, w, net.RoundBias(16, w, kIn), 16));
  }
  {
    QuantizedNet net(11);  // bytes of two types
    const Bytes other = {.scale = 0.05F, .dtype = DType::kInt8};
    expect(net, net.Add("Add", {net.Round("x", kIn), net.Round("x", other)}));
  }
  {
    QuantizedNet net(5);  // a bias that sums of bytes are too coarse for
    const Bytes coarse = {.scale = 5, .zero = 3};
    expect(net,
           net.Convolution(coarse, net.RoundWeights({48, 16, 3, 3}, 0), net.Weights({48}, -1, 1)));
  }
  {
    QuantizedNet net(6);  // the sums are used as they are, too
    const auto w = net.RoundWeights({48, 16, 3, 3}, 0);
    const std::string sum = net.Convolution(kIn, w, net.RoundBias(48, w, kIn));
    expect(net, net.Add("Add", {sum, net.Round(sum, kOut)}));
  }
  {
    QuantizedNet net(7);  // steps of another size
    expect(net, net.Add("Transpose", {net.Round("x", kIn)}));
  }
}

TEST(JoinQuantized, ABiasOfOtherChannelsThanTheWeightsIsAnError) {
  for (const std::int64_t channels : {5, 4000}) {
    QuantizedNet net(14);
    const auto w = net.RoundWeights({40, 410}, 1);
    const std::string row = net.Weights({channels}, -0.001F, 0.001F);
    const std::string v = net.Add("Gemm", {net.Round("x", kIn), w.weights, row});
    const Model model = ParseModel(net.Model({net.Round(v, kOut)}));
    const auto session = Session::Create(model, {});
    EXPECT_FALSE(session && (*session)->Run({{"x", Random({7, 40}, 1)}}));
  }
}

}  // namespace
}  // namespace slipway::runtime
