// SPDX-License-Identifier: Apache-2.0
// ai.onnx.preview.training: Adagrad, Adam, Momentum, Gradient (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adagrad.html and the others'.
// Gradient has a schema alone: graph/gradient puts the derivatives in its place.
#include <cmath>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kFirst = 2;  ///< inputs 0 and 1 are the rate and the update count

/// The inputs are tensors, then their gradients, then states of each kind; the outputs new
/// tensors and new states.
std::size_t StatesOf(const NodeFacts& node) { return node.op->type == "Adam" ? 2 : 1; }

Result<std::size_t> TensorsOf(const NodeFacts& node) {
  const std::size_t kinds = 2 + StatesOf(node);
  const std::size_t given = node.inputs.size() - kFirst;
  if (given > 0 && given % kinds == 0) return given / kinds;
  return Invalid(given, " tensors are not ", kinds, " for each one that is optimised");
}

Result<Facts> Infer(const NodeFacts& node) {
  const std::size_t tensors = TRY(TensorsOf(node));
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.Has(i)) return Invalid("input ", i, " is left out");
    const Shape& shape = node.shape(i);
    const std::size_t like = i < kFirst ? i : kFirst + (i - kFirst) % tensors;
    if (i < kFirst && CountOf(shape, 0, shape.size()) != 1) {
      return Invalid("input ", i, " of ", shape, " is not one number");
    }
    if (node.dtype(like) != node.dtype(i) || node.shape(like) != shape) {
      return Invalid("input ", i, " of ", node.dtype(i), shape, " is not as input ", like, " of ",
                     node.dtype(like), node.shape(like));
    }
  }
  Facts facts;
  for (std::size_t kind = 0; kind <= StatesOf(node); ++kind) {
    for (std::size_t i = 0; i < tensors; ++i) {
      facts.push_back(TensorFacts(node.dtype(kFirst + i), node.shape(kFirst + i)));
    }
  }
  return OutputFacts(node, std::move(facts));
}

/// What the updates of all elements share.
struct Settings {
  double rate, decay, epsilon, alpha, beta, norm, norm_post;
  bool first, nesterov;

  Settings(const NodeFacts& node, KernelContext& context) {
    const auto number = [&](std::string_view name) {
      return static_cast<double>(node.attributes.Float(name, 0));
    };
    rate = DoublesOf(context.input(0))[0];
    const double updates = DoublesOf(context.input(1))[0];
    first = updates == 0;
    decay = number("decay_factor");
    epsilon = number("epsilon");
    alpha = number("alpha");
    beta = number("beta");
    norm = number("norm_coefficient");
    norm_post = number("norm_coefficient_post");
    nesterov = node.attributes.String("mode", "") == "nesterov";
    if (node.op->type == "Adagrad") rate /= 1 + updates * decay;
    if (node.op->type == "Adam" && !first) {
      rate *= std::sqrt(1 - std::pow(beta, updates)) / (1 - std::pow(alpha, updates));
    }
    if (node.op->type == "Momentum" && first) beta = 1;
  }
};

/// One element, its gradient and its states; updated in place.
struct Element {
  double x, gradient, state, second;
};

void Adagrad(const Settings& s, Element& e) {
  const double gradient = s.norm * e.x + e.gradient;
  e.state += gradient * gradient;
  e.x -= s.rate * gradient / (std::sqrt(e.state) + s.epsilon);
}

void Adam(const Settings& s, Element& e) {
  const double gradient = s.norm * e.x + e.gradient;
  e.state = s.alpha * e.state + (1 - s.alpha) * gradient;
  e.second = s.beta * e.second + (1 - s.beta) * gradient * gradient;
  e.x -= s.rate * e.state / (std::sqrt(e.second) + s.epsilon);
  e.x *= 1 - s.norm_post;
}

void Momentum(const Settings& s, Element& e) {
  const double gradient = s.norm * e.x + e.gradient;
  e.state = s.alpha * e.state + s.beta * gradient;
  e.x -= s.rate * (s.nesterov ? gradient + s.alpha * e.state : e.state);
}

template <void (*update)(const Settings&, Element&)>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const std::size_t tensors = TRY(TensorsOf(node));
  const std::size_t states = StatesOf(node);
  const Settings settings(node, context);
  for (std::size_t t = 0; t < tensors; ++t) {
    const Doubles x = DoublesOf(context.input(kFirst + t));
    const Doubles gradient = DoublesOf(context.input(kFirst + tensors + t));
    Doubles out[3];
    out[0] = x;
    for (std::size_t s = 0; s < states; ++s) {
      out[1 + s] = DoublesOf(context.input(kFirst + (2 + s) * tensors + t));
    }
    out[2].resize(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      Element element{x[i], gradient[i], out[1][i], out[2][i]};
      update(settings, element);
      out[0][i] = element.x;
      out[1][i] = element.state;
      out[2][i] = element.second;
    }
    for (std::size_t kind = 0; kind <= states; ++kind) {
      const std::size_t index = kind * tensors + t;
      if (Wanted(node, index)) TRY(StoreDoubles(context, out[kind], context.output(index)));
    }
  }
  return {};
}

Result<Facts> InferMomentum(const NodeFacts& node) {
  const std::string_view mode = node.attributes.String("mode", "");
  if (mode != "standard" && mode != "nesterov") {
    return Invalid("attribute `mode` is `", mode, "`, not standard or nesterov");
  }
  return Infer(node);
}

constexpr Kernel kAdagrad[] = {{.name = "adagrad_reference", .run = Run<Adagrad>}};
constexpr Kernel kAdam[] = {{.name = "adam_reference", .run = Run<Adam>}};
constexpr Kernel kMomentum[] = {{.name = "momentum_reference", .run = Run<Momentum>}};

constexpr DTypeSet kReals = Types({DType::kFloat32, DType::kFloat64});
constexpr TypeRule kRules[] = {{"T1", kReals}, {"T3", kReals}};
constexpr TypeRule kGradientRules[] = {{"T1", kClassicTypes}, {"T2", kFloatTypes}};

consteval OpDef Row(std::string_view type, std::string_view attributes,
                    Result<Facts> (*infer)(const NodeFacts&), std::span<const Kernel> kernels) {
  return {.type = type,
          .domain = "ai.onnx.preview.training",
          .signature = "R:T1, T:int64, inputs**:T3 -> outputs**:T3",
          .types = kRules,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

}  // namespace

OpList ops_training_optimizers() {
  static constexpr auto kOps = Versions({
      Row("Adagrad", "decay_factor:float=0.0, epsilon:float=1e-6, norm_coefficient:float=0.0",
          Infer, kAdagrad),
      Row("Adam",
          "alpha:float=0.9, beta:float=0.999, epsilon:float=1e-6, norm_coefficient:float=0.0, "
          "norm_coefficient_post:float=0.0",
          Infer, kAdam),
      Row("Momentum", "alpha!:float, beta!:float, mode!:string, norm_coefficient!:float",
          InferMomentum, kMomentum),
      OpDef{.type = "Gradient",
            .domain = "ai.onnx.preview.training",
            .signature = "Inputs**:T1 -> Outputs**:T2",
            .types = kGradientRules,
            .attributes = "xs!:strings, y!:string, zs:strings"},
  });
  return kOps;
}

}  // namespace slipway::runtime
