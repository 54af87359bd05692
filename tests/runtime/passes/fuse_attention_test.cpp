// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Ints;
using tiny::Net;

constexpr std::int64_t kHeads = 3, kWidth = 8;

std::string Number(Net& net, float number, const Ints& shape = {1}) {
  const std::string flat = net.Add("Constant", {}, {{"value_floats", tiny::Floats{number}}});
  return net.Add("Reshape", {flat, net.Add("Constant", {}, {{"value_ints", shape}})});
}

std::string Transposed(Net& net, const std::string& x, const Ints& order) {
  return net.Add("Transpose", {x}, {{"perm", order}});
}

std::string Reshaped(Net& net, const std::string& x, const Ints& shape) {
  return net.Add("Reshape", {x, net.Add("Constant", {}, {{"value_ints", shape}})});
}

/// `x` [batch, length, width] times weights, as [batch, length, heads, head].
std::string Projected(Net& net) {
  const std::string w = net.Weights({kWidth * kHeads, kWidth * kHeads}, -0.4F, 0.4F);
  return Reshaped(net, net.Add("MatMul", {"x", w}), {0, 0, kHeads, kWidth});
}

/// Parts of the pattern, as a test would have them.
struct Spelling {
  Ints q = {0, 2, 1, 3}, k = {0, 2, 3, 1};
  bool scale_before = false;
};

std::string Scores(Net& net, const Spelling& spelling = {}) {
  std::string q = Transposed(net, Projected(net), spelling.q);
  std::string k = Transposed(net, Projected(net), spelling.k);
  if (!spelling.scale_before) {
    return net.Add("Div", {net.Add("MatMul", {q, k}), Number(net, 2.8F)});
  }
  q = net.Add("Mul", {q, Number(net, 0.6F)});
  k = net.Add("Mul", {Number(net, 0.6F), k});
  return net.Add("MatMul", {q, k});
}

std::string Values(Net& net) { return Transposed(net, Projected(net), {0, 2, 1, 3}); }

std::string Finished(Net& net, const std::string& scores) {
  const std::string p = net.Add("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  const std::string y = net.Add("MatMul", {p, Values(net)});
  return Reshaped(net, Transposed(net, y, {0, 2, 1, 3}), {0, 0, kHeads * kWidth});
}

/// The answers with and without the pass.
void ExpectFused(const Net& net, const std::string& output, std::int64_t count) {
  constexpr std::int64_t kHasAttention = 23;
  const std::string bytes = net.Model({output}, kHasAttention);
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model) << model.error().message;
  for (const std::int64_t length : {1, 7, 150}) {
    const Feeds feeds = {{"x", Random({2, length, kWidth * kHeads}, 1)}};
    const Ran without = RunWith(*model, feeds, {.without = {"fuse_attention"}});
    const Ran all = RunWith(*model, feeds, {});
    ExpectNear(without.outputs, all.outputs, 2e-5F);
    EXPECT_EQ(all.changes.at("fuse_attention"), count);
  }
}

TEST(FuseAttention, TakesTheWaysItIsSpelt) {
  for (const bool scale_before : {false, true}) {
    Net net(1);
    ExpectFused(net, Finished(net, Scores(net, {.scale_before = scale_before})), 1);
  }
  Net flat(2);
  const std::string q = Transposed(flat, Projected(flat), {0, 2, 1, 3});
  const std::string k = Transposed(flat, Projected(flat), {0, 2, 1, 3});
  ExpectFused(flat, Finished(flat, flat.Add("MatMul", {q, Transposed(flat, k, {0, 1, 3, 2})})), 1);
}

TEST(FuseAttention, TakesWhatIsAddedToScores) {
  for (const bool first : {false, true}) {
    Net net(3);
    const std::string scores = Scores(net);
    // Of one number for each query, from the input itself.
    const std::string bias = Reshaped(
        net, net.Add("MatMul", {"x", net.Weights({kWidth * kHeads, 1}, -1, 1)}), {2, 1, -1, 1});
    const tiny::Texts inputs = first ? tiny::Texts{bias, scores} : tiny::Texts{scores, bias};
    ExpectFused(net, Finished(net, net.Add("Add", inputs)), 1);
  }
}

TEST(FuseAttention, TakesMasksThatReplaceScores) {
  for (const bool keeps : {false, true}) {
    for (const float fill : {-1e9F, -HUGE_VALF}) {
      Net net(4);
      const std::string scores = Scores(net);
      const std::string mask = Reshaped(
          net,
          net.Add("Less", {net.Add("MatMul", {"x", net.Weights({kWidth * kHeads, 1}, -1, 1)}),
                           Number(net, keeps ? 1 : -1)}),
          {2, 1, -1, 1});
      const std::string filled = Number(net, fill);
      const std::string masked = net.Add(
          "Where", keeps ? tiny::Texts{mask, scores, filled} : tiny::Texts{mask, filled, scores});
      // Rows all of which is replaced: the mean of the values, or no numbers.
      const std::string y = Finished(net, masked);
      const std::string numbers = net.Add("Where", {net.Add("IsNaN", {y}), Number(net, 7), y});
      ExpectFused(net, numbers, 1);
    }
  }
}

TEST(FuseAttention, TakesOperandsWithoutABatch) {
  Net net(5);
  const auto heads = [&] { return Reshaped(net, Projected(net), {0, 0, kHeads * kWidth}); };
  const std::string scores = net.Add("MatMul", {heads(), Transposed(net, heads(), {0, 2, 1})});
  const std::string p = net.Add("Softmax", {net.Add("Mul", {scores, Number(net, 0.1F)})});
  ExpectFused(net, net.Add("MatMul", {p, heads()}), 1);
}

TEST(FuseAttention, TakesAttentionOfTransposedOperands) {
  const auto attend = [](Net& net, const std::string& v, std::vector<tiny::Attribute> attributes,
                         const tiny::Texts& more = {}) {
    tiny::Texts inputs = {Transposed(net, Projected(net), {0, 2, 1, 3}),
                          Transposed(net, Projected(net), {0, 2, 1, 3}), v};
    inputs.insert(inputs.end(), more.begin(), more.end());
    const std::string y = net.Add("Attention", inputs, std::move(attributes));
    return Reshaped(net, Transposed(net, y, {0, 2, 1, 3}), {0, 0, kHeads * kWidth});
  };
  Net plain(10);
  ExpectFused(plain, attend(plain, Values(plain), {}), 1);
  Net hidden(11);  // all keys of some queries are hidden: zeros
  const std::string which =
      hidden.Add("Less", {hidden.Add("MatMul", {"x", hidden.Weights({kWidth * kHeads, 1}, -1, 1)}),
                          Number(hidden, 0)});
  const std::string bias = hidden.Add("Where", {Reshaped(hidden, which, {2, 1, -1, 1}),
                                                Number(hidden, -HUGE_VALF), Number(hidden, 1)});
  ExpectFused(hidden, attend(hidden, Values(hidden), {{"scale", 0.3F}}, {bias}), 1);
  Net causal(12);
  ExpectFused(causal, attend(causal, Values(causal), {{"is_causal", std::int64_t{1}}}), 0);
}

TEST(FuseAttention, LeavesWhatIsSomethingElse) {
  Net used(6);  // scores that another node uses
  const std::string scores = Scores(used);
  const std::string y = Finished(used, scores);
  const std::string most =
      Reshaped(used, used.Add("ReduceMax", {scores}, {{"keepdims", std::int64_t{0}}}), {1});
  ExpectFused(used, used.Add("Add", {y, most}), 0);

  Net axis(7);  // a Softmax over queries
  const std::string p = axis.Add("Softmax", {Scores(axis)}, {{"axis", std::int64_t{2}}});
  ExpectFused(axis, axis.Add("MatMul", {p, Values(axis)}), 0);

  Net other(8);  // keys that are not transposed
  const std::string square = Transposed(other, Projected(other), {0, 2, 3, 1});
  const std::string product =
      other.Add("MatMul", {square, Transposed(other, Projected(other), {0, 2, 1, 3})});
  ExpectFused(other,
              other.Add("MatMul", {other.Add("Softmax", {product}),
                                   Transposed(other, Projected(other), {0, 2, 3, 1})}),
              0);

  Net outer(9);  // what is added is scaled too
  std::string sum = outer.Add("Add", {Scores(outer), Number(outer, 0.3F)});
  ExpectFused(outer, Finished(outer, outer.Add("Mul", {sum, Number(outer, 3)})), 0);
}

}  // namespace
}  // namespace slipway::runtime
