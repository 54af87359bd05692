// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/part_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tiny::Net;

/// The plan's text, once the answers are those without passes.
std::string Explained(const std::string& bytes, const Feeds& feeds) {
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return "";
  }
  const auto wanted = MakeSession(*model, {.passes = false, .reference = true})->Run(feeds);
  const auto session = MakeSession(*model);
  for (int run = 0; run < 2; ++run) {
    const auto got = session->Run(feeds);
    EXPECT_TRUE(wanted && got);
    if (wanted && got) ExpectNear(*wanted, *got, 2e-5F);
  }
  const auto text = session->Explain(feeds);
  return text ? *text : "";
}

std::string Concat(Net& net, const tiny::Texts& inputs, std::int64_t axis) {
  return net.Add("Concat", inputs, {{"axis", axis}});
}

TEST(PartPlaces, WhatConcatJoinsIsMadeInItsPlace) {
  Net net(1);
  const std::string a = net.Add("Tanh", {"x"}), b = net.Add("Neg", {"x"});
  const std::string first = Concat(net, {a, b}, 0);
  const std::string c = net.Add("Abs", {first});
  const std::string y = net.Add("Sin", {Concat(net, {first, c}, 0)});
  const std::string text = Explained(net.Model({y}), {{"x", Random({32, 5}, 1)}});
  EXPECT_THAT(text, Not(HasSubstr("concat"))) << text;
}

TEST(PartPlaces, WhatCannotLieThereIsCopied) {
  const auto text_of = [](const Shape& shape, std::int64_t axis, bool twice) {
    Net net(2);
    const std::string a = net.Add("Tanh", {"x"}), b = net.Add("Neg", {"x"});
    const std::string whole = Concat(net, twice ? tiny::Texts{a, b, b} : tiny::Texts{a, b}, axis);
    return Explained(net.Model({net.Add("Sin", {whole})}), {{"x", Random(shape, 1)}});
  };
  EXPECT_THAT(text_of({32, 16}, 0, false), Not(HasSubstr("concat")));
  EXPECT_THAT(text_of({32, 16}, 1, false), HasSubstr("concat"));
  EXPECT_THAT(text_of({3, 1}, 0, false), HasSubstr("concat"));
  EXPECT_THAT(text_of({32, 16}, 0, true), HasSubstr("concat"));
}

TEST(PartPlaces, InputsOutputsAndConstantsStayWhereTheyAre) {
  Net net(3);
  const std::string a = net.Add("Tanh", {"x"}), b = net.Add("Neg", {"x"});
  const std::string whole = Concat(net, {"x", a, net.Weights({2, 16}, -1, 1), b}, 0);
  const std::string y = net.Add("Sin", {whole});
  Explained(net.Model({y, b, whole}), {{"x", Random({16, 16}, 1)}});
  Explained(net.Model({y, a}), {{"x", Random({16, 16}, 1)}});
}

TEST(PartPlaces, SplitGivesPiecesWhereTheyAre) {
  const auto text_of = [](const tiny::Texts& outputs) {
    const std::vector<tiny::Node> nodes = {
        {"Tanh", {"x"}, {"v"}},
        {"Constant", {}, {"sizes"}, {{"value_ints", tiny::Ints{16, 32, 16}}}},
        {"Split", {"v", "sizes"}, {"a", "b", "c"}, {{"axis", std::int64_t{0}}}},
        {"Neg", {"c"}, {"d"}},
        {"Add", {"d", "a"}, {"e"}},
        {"MatMul", {"b", "e"}, {"y"}}};
    std::vector<tiny::Port> ports;
    for (const std::string& output : outputs) ports.push_back({output});
    return Explained(tiny::ModelOf(tiny::GraphOf(nodes, {{"x"}}, ports)),
                     {{"x", Random({64, 16}, 1)}});
  };
  EXPECT_THAT(text_of({"y"}), Not(HasSubstr("split")));
  EXPECT_THAT(text_of({"y", "b"}), HasSubstr("split"));
}

/// A part that is made long before the rest does not take the memory of the whole until then.
TEST(PartPlaces, WorkingMemoryDoesNotGrow) {
  Net net(5);
  const std::string early = net.Add("Tanh", {"x"});
  const tiny::Ints eight = {8, 1};
  const std::string repeats = net.Add("Constant", {}, {{"value_ints", eight}});
  std::string v = net.Add("Tile", {early, repeats});
  v = net.Add("Sin", {net.Add("Neg", {v})});
  const std::string narrow =
      net.Add("ReduceMean", {v, net.Add("Constant", {}, {{"value_ints", tiny::Ints{1}}})});
  const std::string wide = net.Add(
      "Tile",
      {net.Add("Tanh", {narrow}), net.Add("Constant", {}, {{"value_ints", tiny::Ints{1, 64}}})});
  const std::string whole = Concat(net, {early, wide}, 0);
  const std::string y =
      net.Add("ReduceMean", {whole, net.Add("Constant", {}, {{"value_ints", tiny::Ints{0, 1}}})});
  const std::string text = Explained(net.Model({y}), {{"x", Random({256, 64}, 1)}});
  EXPECT_THAT(text, HasSubstr("concat")) << text;
}

}  // namespace
}  // namespace slipway::runtime
