// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

std::string Number(Net& net, float number) {
  return net.Add("Squeeze", {net.Add("Constant", {}, {{"value_floats", tiny::Floats{number}}})});
}

std::string Mean(Net& net, const std::string& x, std::int64_t axis = -1, std::int64_t keep = 1) {
  const std::string axes = net.Add("Constant", {}, {{"value_ints", tiny::Ints{axis}}});
  return net.Add("ReduceMean", {x, axes}, {{"keepdims", keep}});
}

/// x without its mean, over the root of its variance.
std::string Normalised(Net& net, const std::string& x, bool by_power = true,
                       std::int64_t axis = -1) {
  const std::string centred = net.Add("Sub", {x, Mean(net, x, axis)});
  const std::string squares =
      by_power ? net.Add("Pow", {centred, Number(net, 2)}) : net.Add("Mul", {centred, centred});
  const std::string sum = net.Add("Add", {Mean(net, squares, axis), Number(net, 1e-3F)});
  return net.Add("Div", {centred, net.Add("Sqrt", {sum})});
}

void ExpectFused(const Net& net, const std::string& output, std::int64_t count) {
  ExpectPass(net.Model({output}), {{"x", Random({3, 7, 40}, 1)}}, "fuse_layer_norm", count, 4e-6F);
}

TEST(FuseLayerNorm, TakesTheWaysItIsSpelt) {
  for (const bool by_power : {true, false}) {
    Net net(1);
    const std::string x = Normalised(net, "x", by_power);
    const std::string scaled = net.Add("Mul", {net.Weights({40}, 0.5, 2), x});
    ExpectFused(net, scaled, 1);
    ExpectFused(net, net.Add("Add", {scaled, net.Weights({40}, -1, 1)}), 1);
  }
  Net last(2);
  ExpectFused(last, last.Add("Mul", {Normalised(last, "x", true, 2), last.Weights({40}, 1, 2)}), 1);
}

TEST(FuseLayerNorm, TakesOneAfterAnother) {
  Net net(3);
  std::string x = "x";
  for (int i = 0; i < 3; ++i) {
    x = net.Add("Mul", {Normalised(net, x), net.Weights({40}, 0.5, 2)});
    x = net.Add("Add", {x, net.Weights({40}, -1, 1)});
    x = net.Add("Add", {x, "x"});
  }
  ExpectFused(net, x, 3);
}

TEST(FuseLayerNorm, LeavesWhatIsAnotherFunction) {
  Net rows(4);
  ExpectFused(rows, rows.Add("Mul", {Normalised(rows, "x", true, 1), rows.Weights({40}, 1, 2)}), 0);
  Net single(5);
  ExpectFused(single, single.Add("Mul", {Normalised(single, "x"), Number(single, 2)}), 0);
  Net column(6);
  ExpectFused(column, column.Add("Mul", {Normalised(column, "x"), column.Weights({7, 1}, 1, 2)}),
              0);
  Net other(7);
  const std::string centred = other.Add("Sub", {"x", Mean(other, other.Add("Relu", {"x"}))});
  const std::string squares = other.Add("Pow", {centred, Number(other, 2)});
  const std::string root =
      other.Add("Sqrt", {other.Add("Add", {Mean(other, squares), Number(other, 1e-3F)})});
  ExpectFused(other,
              other.Add("Mul", {other.Add("Div", {centred, root}), other.Weights({40}, 1, 2)}), 0);
  Net cubes(8);
  const std::string rest = cubes.Add("Sub", {"x", Mean(cubes, "x")});
  const std::string cubed = cubes.Add("Abs", {cubes.Add("Pow", {rest, Number(cubes, 3)})});
  const std::string other_root =
      cubes.Add("Sqrt", {cubes.Add("Add", {Mean(cubes, cubed), Number(cubes, 1e-3F)})});
  ExpectFused(cubes,
              cubes.Add("Mul", {cubes.Add("Div", {rest, other_root}), cubes.Weights({40}, 1, 2)}),
              0);
}

TEST(FuseLayerNorm, LeavesTheShiftOfASumUsedTwice) {
  Net net(9);
  const std::string scaled = net.Add("Mul", {Normalised(net, "x"), net.Weights({40}, 0.5, 2)});
  const std::string shifted = net.Add("Add", {scaled, net.Weights({40}, -1, 1)});
  ExpectFused(net, net.Add("Mul", {shifted, scaled}), 1);
}

}  // namespace
}  // namespace slipway::runtime
