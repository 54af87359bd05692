// SPDX-License-Identifier: Apache-2.0
// Derivatives of normalisations: tensors less their mean, over their deviation or their norm.
#include "runtime/graph/differential.h"
#include "runtime/graph/onnx_proto.h"

namespace slipway::runtime {
namespace {

double Epsilon(const BackStep& s) {
  return static_cast<double>(s.node.attributes.Float("epsilon", 1e-5F));
}

/// Dimensions from `first` on.
Term AxesFrom(const Term& a, const Term& first) {
  Tape& tape = *a.tape;
  return tape.Op("Range", {first, tape.Op("Size", {ShapeOf(a)}), tape.Int(1)});
}

/// Of `axis`, that may count from the end.
Term AxesFrom(const Term& a, std::int64_t axis) {
  Tape& tape = *a.tape;
  const Term number = tape.Int(axis);
  return AxesFrom(a, axis < 0 ? tape.Op("Size", {ShapeOf(a)}) + number : number);
}

/// A tensor brought to deviation one over some axes, and to mean zero where `centred`.
struct Normal {
  Normal(const Term& x, Term axes_in, double epsilon, bool centred_in = true)
      : axes(std::move(axes_in)), centred(centred_in) {
    const Term middle = centred ? x - Mean(x) : x;
    inverse = 1.0 / x.tape->Op("Sqrt", {epsilon + Mean(middle * middle)});
    value = middle * inverse;
  }

  Term Mean(const Term& a) const { return a.tape->Op("ReduceMean", {a, axes}); }
  /// From the gradient of `value` that of the tensor.
  Term Back(const Term& g) const {
    const Term rest = centred ? g - Mean(g) : g;
    return inverse * (rest - value * Mean(g * value));
  }

  Term axes;
  bool centred;
  Term inverse, value;
};

/// Over the axes from `axis` on, times a scale.
Terms Layer(const BackStep& s, bool centred) {
  const Term axes = AxesFrom(s.x(), s.node.attributes.Int("axis", -1));
  const Normal normal(s.x(), axes, Epsilon(s), centred);
  Terms gradients = {normal.Back(s.g() * s.in[1]), SummedTo(s.g() * normal.value, s.in[1])};
  if (s.Input(2)) gradients.push_back(SummedTo(s.g(), s.in[2]));
  return gradients;
}

Result<Terms> LayerNormalization(const BackStep& s) { return Layer(s, true); }
Result<Terms> RootMeanSquare(const BackStep& s) { return Layer(s, false); }

/// Times a scale and with a bias, a number a channel each.
Terms OfChannels(const BackStep& s, const Normal& normal) {
  return Terms{normal.Back(s.g() * PerChannel(s.in[1], s.x())),
               SumOfChannels(s.g() * normal.value, s.in[1]), SumOfChannels(s.g(), s.in[2])};
}

Result<Terms> InstanceNormalization(const BackStep& s) {
  return OfChannels(s, Normal(s.x(), AxesFrom(s.x(), 2), Epsilon(s)));
}

/// Before opset 21 scale and bias are of groups, then of channels.
Result<Terms> GroupNormalization(const BackStep& s) {
  Tape& tape = s.tape;
  const std::int64_t groups = s.node.attributes.Int("num_groups", 1);
  const Term shape = tape.Ints({0, groups, -1});
  const auto rows = [&](const Term& a) { return tape.Op("Reshape", {a, shape}); };
  const Normal normal(rows(s.x()), tape.Ints({2}), Epsilon(s));
  if (s.node.opset < 21) {
    const Term g = rows(s.g());
    return Terms{ShapedAs(normal.Back(g * PerChannel(s.in[1], g)), s.x()),
                 SumOfChannels(g * normal.value, s.in[1]), SumOfChannels(g, s.in[2])};
  }
  const Term value = ShapedAs(normal.value, s.x());
  const Term g = s.g() * PerChannel(s.in[1], s.x());
  return Terms{ShapedAs(normal.Back(rows(g)), s.x()), SumOfChannels(s.g() * value, s.in[1]),
               SumOfChannels(s.g(), s.in[2])};
}

/// With the mean and variance of the batch, which do not depend on the running ones.
Result<Terms> TrainedBatch(const BackStep& s) {
  for (std::size_t i = 1; i < s.gradient.size(); ++i) {
    if (s.gradient[i]) {
      return proto::Invalid(
          "the derivative of BatchNormalization's running mean and variance is "
          "not known");
    }
  }
  const Term axes = Join(s.tape, {s.tape.Ints({0}), AxesFrom(s.x(), 2)});
  return OfChannels(s, Normal(s.x(), axes, Epsilon(s)));
}

Result<Terms> BatchNormalization(const BackStep& s) {
  const Attributes& attributes = s.node.attributes;
  if (attributes.Int("spatial", 1) == 0) {
    return proto::Invalid("the derivative of BatchNormalization is known for `spatial` alone");
  }
  if (attributes.Int("training_mode", 0) != 0) return TrainedBatch(s);
  if (s.in.size() < 5 || (s.node.opset < 7 && attributes.Int("is_test", 0) == 0)) {
    return proto::Invalid(
        "the derivative of BatchNormalization before opset 7 is known for "
        "inference alone");
  }
  const Term inverse = 1.0 / s.tape.Op("Sqrt", {Epsilon(s) + s.in[4]});
  const Term normal = (s.x() - PerChannel(s.in[3], s.x())) * PerChannel(inverse, s.x());
  const Term scale = s.in[1] * inverse;
  const Term to_scale = SumOfChannels(s.g() * normal, s.in[1]);
  const Term to_bias = SumOfChannels(s.g(), s.in[1]);
  return Terms{s.g() * PerChannel(scale, s.x()), to_scale, to_bias, -(to_bias * scale),
               -0.5 * (to_scale * scale * inverse)};
}

Result<Terms> MeanVariance(const BackStep& s) {
  if (s.node.opset < 9) {
    return proto::Invalid("the derivative of MeanVarianceNormalization is known from opset 9 on");
  }
  const Term axes = s.tape.Ints(s.node.attributes.Ints("axes", {0, 2, 3}));
  return Terms{Normal(s.x(), axes, 0).Back(s.g())};
}

/// y = x / norm, the sum of sizes or the root of the sum of squares.
Result<Terms> LpNormalization(const BackStep& s) {
  Tape& tape = s.tape;
  const bool squares = s.node.attributes.Int("p", 2) == 2;
  const Term axes = tape.Ints({s.node.attributes.Int("axis", -1)});
  const Term norm = tape.Op(squares ? "ReduceL2" : "ReduceL1", {s.x(), axes});
  const Term slope = squares ? s.y() : tape.Op("Sign", {s.x()});
  return Terms{(s.g() - slope * tape.Op("ReduceSum", {s.g() * s.y(), axes})) / norm};
}

}  // namespace

RuleTable NormalRules() {
  return {{"LayerNormalization", LayerNormalization},
          {"RMSNormalization", RootMeanSquare},
          {"InstanceNormalization", InstanceNormalization},
          {"GroupNormalization", GroupNormalization},
          {"BatchNormalization", BatchNormalization},
          {"MeanVarianceNormalization", MeanVariance},
          {"LpNormalization", LpNormalization}};
}

}  // namespace slipway::runtime
