// SPDX-License-Identifier: Apache-2.0
// Derivatives of functions of elements, with broadcasting where they have several arguments.
#include <cmath>
#include <numbers>

#include "runtime/graph/differential.h"

namespace slipway::runtime {
namespace {

Term Unary(std::string_view type, const Term& a) { return a.tape->Op(type, {a}); }
Term Root(const Term& a) { return Unary("Sqrt", a); }
Term Compare(std::string_view type, const Term& a, double limit) {
  return a.tape->Op(type, {a, a.tape->Number(limit, a)});
}
/// `a` where `condition`, else `b`.
Term Choose(const Term& condition, const Term& a, const Term& b) {
  return a.tape->Op("Where", {condition, a, b});
}

/// The normal distribution's density and the part of it below.
Term Density(const Term& x) {
  const double scale = 1 / std::sqrt(2 * std::numbers::pi);
  return scale * Unary("Exp", -0.5 * (x * x));
}
Term Below(const Term& x) { return 0.5 * (1.0 + Unary("Erf", (1 / std::numbers::sqrt2) * x)); }

/// A function of one argument: its derivative from argument and value.
template <auto derivative>
Result<Terms> One(const BackStep& step) {
  return Terms{step.g() * derivative(step)};
}

double Setting(const BackStep& step, std::string_view name, double fallback) {
  return static_cast<double>(step.node.attributes.Float(name, static_cast<float>(fallback)));
}

Term Elu(const BackStep& s) {
  const Term below = Setting(s, "alpha", 1) * Unary("Exp", s.x());
  return Choose(Compare("Greater", s.x(), 0), s.tape.Number(1, s.x()), below);
}

Term Celu(const BackStep& s) {
  const Term below = Unary("Exp", (1 / Setting(s, "alpha", 1)) * s.x());
  return Choose(Compare("Greater", s.x(), 0), s.tape.Number(1, s.x()), below);
}

Term Selu(const BackStep& s) {
  const double gamma = Setting(s, "gamma", 1.05070098);
  const Term below = (gamma * Setting(s, "alpha", 1.67326319)) * Unary("Exp", s.x());
  return Choose(Compare("Greater", s.x(), 0), s.tape.Number(gamma, s.x()), below);
}

Term LeakyRelu(const BackStep& s) {
  return Choose(Compare("Greater", s.x(), 0), s.tape.Number(1, s.x()),
                s.tape.Number(Setting(s, "alpha", 0.01), s.x()));
}

Term HardSigmoid(const BackStep& s) {
  const Term inside = s.tape.Op("And", {Compare("Greater", s.y(), 0), Compare("Less", s.y(), 1)});
  return Setting(s, "alpha", 0.2) * Mask(inside, s.x());
}

Term HardSwish(const BackStep& s) {
  const Term slope = 0.5 + (1.0 / 3) * s.x();
  const Term middle = Choose(Compare("Greater", s.x(), -3), slope, s.tape.Number(0, s.x()));
  return Choose(Compare("Less", s.x(), 3), middle, s.tape.Number(1, s.x()));
}

Term Gelu(const BackStep& s) {
  const Term& x = s.x();
  if (s.node.attributes.String("approximate", "none") != "tanh") return Below(x) + x * Density(x);
  const double scale = std::sqrt(2 / std::numbers::pi);
  const Term tanh = Unary("Tanh", scale * (x + 0.044715 * (x * x * x)));
  const Term inner = scale * (1.0 + (3 * 0.044715) * (x * x));
  return 0.5 * (1.0 + tanh + x * (1.0 - tanh * tanh) * inner);
}

Term Mish(const BackStep& s) {
  const Term tanh = Unary("Tanh", Unary("Softplus", s.x()));
  return tanh + s.x() * (1.0 - tanh * tanh) * Unary("Sigmoid", s.x());
}

Term Swish(const BackStep& s) {
  const double alpha = Setting(s, "alpha", 1);
  const Term sigmoid = Unary("Sigmoid", alpha * s.x());
  return sigmoid + alpha * (s.x() * sigmoid * (1.0 - sigmoid));
}

/// Bounds are attributes before opset 11; they themselves get no gradient.
Result<Terms> Clip(const BackStep& s) {
  Term kept = s.tape.Number(1, s.x());
  const auto bound = [&](std::string_view type, const Term& limit) {
    kept = kept * Mask(s.tape.Op("Not", {s.tape.Op(type, {s.x(), limit})}), s.x());
  };
  if (s.node.attributes.Has("min")) bound("Less", s.tape.Number(Setting(s, "min", 0), s.x()));
  if (s.node.attributes.Has("max")) bound("Greater", s.tape.Number(Setting(s, "max", 0), s.x()));
  if (s.Input(1)) bound("Less", s.Input(1));
  if (s.Input(2)) bound("Greater", s.Input(2));
  return Terms{s.g() * kept};
}

/// A function of two arguments, which broadcast.
template <auto left, auto right>
Result<Terms> Two(const BackStep& step) {
  return Terms{SummedTo(left(step), step.in[0]), SummedTo(right(step), step.in[1])};
}

Term Given(const BackStep& s) { return s.g(); }

Term PowerOfBase(const BackStep& s) {
  const Term power = s.tape.Op("CastLike", {s.in[1], s.x()});
  return s.g() * power * s.tape.Op("Pow", {s.x(), power - s.tape.Number(1, power)});
}

Term PowerOfExponent(const BackStep& s) {
  const Term positive = Compare("Greater", s.x(), 0);
  const Term base = Choose(positive, s.x(), s.tape.Number(1, s.x()));
  return s.g() * s.y() * Unary("Log", base);
}

/// Operators of any number of arguments: `share` of the gradient goes to each.
template <auto share>
Result<Terms> Many(const BackStep& step) {
  Terms gradients;
  for (const Term& in : step.in) gradients.push_back(SummedTo(share(step, in), in));
  return gradients;
}

/// Arguments that are equally great share it.
Term Extreme(const BackStep& s, const Term& in) {
  Term count;
  for (const Term& each : s.in) {
    const Term mask = Mask(s.tape.Op("Equal", {each, s.y()}), s.y());
    count = count ? count + mask : mask;
  }
  return s.g() * Mask(s.tape.Op("Equal", {in, s.y()}), s.y()) / count;
}

Result<Terms> Where(const BackStep& s) {
  const Term none = s.tape.Number(0, s.g());
  return Terms{{},
               SummedTo(Choose(s.in[0], s.g(), none), s.in[1]),
               SummedTo(Choose(s.in[0], none, s.g()), s.in[2])};
}

Result<Terms> PRelu(const BackStep& s) {
  const Term positive = Compare("Greater", s.x(), 0);
  const Term none = s.tape.Number(0, s.g());
  return Terms{Choose(positive, s.g(), s.g() * s.in[1]),
               SummedTo(Choose(positive, none, s.g() * s.x()), s.in[1])};
}

/// Numbers that become whole ones have no slope.
Result<Terms> Cast(const BackStep& s) {
  constexpr std::int64_t kFloat = 1, kHalf = 10, kDouble = 11, kBfloat = 16;
  const std::int64_t to = s.node.attributes.Int("to", kFloat);
  const bool real = to == kFloat || to == kHalf || to == kDouble || to == kBfloat;
  return real ? Terms{s.tape.Op("CastLike", {s.g(), s.x()})} : Terms{};
}
Result<Terms> Same(const BackStep& s) { return Terms{s.g()}; }
Result<Terms> Nothing(const BackStep&) { return Terms{}; }

void AddUnary(RuleTable& rules) {
  rules["Neg"] = [](const BackStep& s) { return Result<Terms>(Terms{-s.g()}); };
  rules["Abs"] = One<[](const BackStep& s) { return Unary("Sign", s.x()); }>;
  rules["Exp"] = One<[](const BackStep& s) { return s.y(); }>;
  rules["Log"] = One<[](const BackStep& s) { return Unary("Reciprocal", s.x()); }>;
  rules["Sqrt"] = One<[](const BackStep& s) { return 0.5 / s.y(); }>;
  rules["Reciprocal"] = One<[](const BackStep& s) { return -(s.y() * s.y()); }>;
  rules["Erf"] = One<[](const BackStep& s) {
    return (2 / std::sqrt(std::numbers::pi)) * Unary("Exp", -(s.x() * s.x()));
  }>;
  rules["Sin"] = One<[](const BackStep& s) { return Unary("Cos", s.x()); }>;
  rules["Cos"] = One<[](const BackStep& s) { return -Unary("Sin", s.x()); }>;
  rules["Tan"] = One<[](const BackStep& s) { return 1.0 + s.y() * s.y(); }>;
  rules["Asin"] = One<[](const BackStep& s) { return 1.0 / Root(1.0 - s.x() * s.x()); }>;
  rules["Acos"] = One<[](const BackStep& s) { return -1.0 / Root(1.0 - s.x() * s.x()); }>;
  rules["Atan"] = One<[](const BackStep& s) { return 1.0 / (1.0 + s.x() * s.x()); }>;
  rules["Sinh"] = One<[](const BackStep& s) { return Unary("Cosh", s.x()); }>;
  rules["Cosh"] = One<[](const BackStep& s) { return Unary("Sinh", s.x()); }>;
  rules["Tanh"] = One<[](const BackStep& s) { return 1.0 - s.y() * s.y(); }>;
  rules["Asinh"] = One<[](const BackStep& s) { return 1.0 / Root(1.0 + s.x() * s.x()); }>;
  rules["Acosh"] = One<[](const BackStep& s) { return 1.0 / Root(-1.0 + s.x() * s.x()); }>;
  rules["Atanh"] = One<[](const BackStep& s) { return 1.0 / (1.0 - s.x() * s.x()); }>;
}

void AddActivations(RuleTable& rules) {
  rules["Sigmoid"] = One<[](const BackStep& s) { return s.y() * (1.0 - s.y()); }>;
  rules["Relu"] = One<[](const BackStep& s) { return Mask(Compare("Greater", s.x(), 0), s.x()); }>;
  rules["ThresholdedRelu"] = One<[](const BackStep& s) {
    return Mask(Compare("Greater", s.x(), Setting(s, "alpha", 1)), s.x());
  }>;
  rules["Shrink"] = One<[](const BackStep& s) {
    return Mask(Compare("Greater", Unary("Abs", s.x()), Setting(s, "lambd", 0.5)), s.x());
  }>;
  rules["Softplus"] = One<[](const BackStep& s) { return Unary("Sigmoid", s.x()); }>;
  rules["Softsign"] = One<[](const BackStep& s) {
    const Term size = 1.0 + Unary("Abs", s.x());
    return 1.0 / (size * size);
  }>;
  rules["Elu"] = One<Elu>;
  rules["Celu"] = One<Celu>;
  rules["Selu"] = One<Selu>;
  rules["LeakyRelu"] = One<LeakyRelu>;
  rules["HardSigmoid"] = One<HardSigmoid>;
  rules["HardSwish"] = One<HardSwish>;
  rules["Gelu"] = One<Gelu>;
  rules["Mish"] = One<Mish>;
  rules["Swish"] = One<Swish>;
  rules["Clip"] = Clip;
  rules["PRelu"] = PRelu;
}

}  // namespace

RuleTable ElementRules() {
  RuleTable rules;
  AddUnary(rules);
  AddActivations(rules);
  rules["Add"] = Two<Given, Given>;
  rules["Sub"] = Two<Given, [](const BackStep& s) { return -s.g(); }>;
  rules["Mul"] = Two<[](const BackStep& s) { return s.g() * s.in[1]; },
                     [](const BackStep& s) { return s.g() * s.in[0]; }>;
  rules["Div"] = Two<[](const BackStep& s) { return s.g() / s.in[1]; },
                     [](const BackStep& s) { return -(s.g() * s.y()) / s.in[1]; }>;
  rules["Pow"] = Two<PowerOfBase, PowerOfExponent>;
  rules["Sum"] = Many<[](const BackStep& s, const Term&) { return s.g(); }>;
  rules["Mean"] = Many<[](const BackStep& s, const Term&) {
    return (1 / static_cast<double>(s.in.size())) * s.g();
  }>;
  rules["Max"] = rules["Min"] = Many<Extreme>;
  rules["Where"] = Where;
  rules["Cast"] = rules["CastLike"] = Cast;
  rules["Identity"] = Same;
  for (const std::string_view flat : {"Bernoulli", "Ceil", "EyeLike", "Floor", "Hardmax",
                                      "RandomNormalLike", "RandomUniformLike", "Round", "Sign"}) {
    rules[flat] = Nothing;
  }
  return rules;
}

}  // namespace slipway::runtime
