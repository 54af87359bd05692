// SPDX-License-Identifier: Apache-2.0
// LinearAttention (opset 27). Spec: https://onnx.ai/onnx/operators/onnx__LinearAttention.html
// Token by token, in double; `chunk_size` is a hint that changes no answer and is not used.
#include <cmath>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Problem {
  std::int64_t batch = 0, length = 0, heads = 0, kv_heads = 0, key = 0, value = 0;
  std::int64_t decay_width = 0, beta_width = 0;  ///< last dimensions; 0 where absent
  double scale = 1;

  Shape state() const { return {batch, kv_heads, key, value}; }
};

Result<void> CheckGates(const NodeFacts& node, Problem& p) {
  const std::string_view rule = node.attributes.String("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta";
  const bool delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear") {
    return Invalid("attribute `update_rule` is `", rule, "`");
  }
  if (gated != node.Has(4))
    return Invalid("rule `", rule, "` and input `decay` do not go together");
  if (delta != node.Has(5)) return Invalid("rule `", rule, "` and input `beta` do not go together");
  const auto width = [&](std::size_t input) -> std::int64_t {
    const Shape& shape = node.shape(input);
    const bool fits = shape.size() == 3 && shape[0] == p.batch && shape[1] == p.length;
    return fits ? shape[2] : 0;
  };
  if (gated) p.decay_width = width(4);
  if (gated && p.decay_width != p.kv_heads && p.decay_width != p.kv_heads * p.key) {
    return Invalid("a decay of ", node.shape(4), " for ", p.kv_heads, " heads of ", p.key);
  }
  if (delta) p.beta_width = width(5);
  if (delta && p.beta_width != p.kv_heads && p.beta_width != 1) {
    return Invalid("a beta of ", node.shape(5), " for ", p.kv_heads, " heads");
  }
  return {};
}

Result<Problem> ProblemOf(const NodeFacts& node) {
  const Shape& q = node.shape(0);
  const Shape& k = node.shape(1);
  const Shape& v = node.shape(2);
  Problem p{.heads = node.attributes.Int("q_num_heads", 0),
            .kv_heads = node.attributes.Int("kv_num_heads", 0)};
  if (p.heads < 1 || p.kv_heads < 1 || p.heads % p.kv_heads != 0) {
    return Invalid(p.heads, " query heads share ", p.kv_heads, " key heads");
  }
  bool fits = q.size() == 3 && k.size() == 3 && v.size() == 3 && k[0] == q[0] && v[0] == q[0] &&
              k[1] == q[1] && v[1] == q[1];
  fits = fits && q[2] % p.heads == 0 && k[2] % p.kv_heads == 0 && v[2] % p.kv_heads == 0 &&
         k[2] / p.kv_heads == q[2] / p.heads;
  if (!fits) return Invalid("query of ", q, ", key of ", k, " and value of ", v, " do not fit");
  p.batch = q[0];
  p.length = q[1];
  p.key = q[2] / p.heads;
  p.value = v[2] / p.kv_heads;
  if (node.Has(3) && node.shape(3) != p.state()) {
    return Invalid("a state of ", node.shape(3), " where ", p.state(), " is carried");
  }
  TRY(CheckGates(node, p));
  p.scale = node.attributes.Float("scale", 0);
  if (p.scale == 0) p.scale = 1 / std::sqrt(static_cast<double>(p.key));
  return p;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Problem p = TRY(ProblemOf(node));
  const DType state = node.Has(3) ? node.dtype(3) : node.dtype(0);
  return OutputFacts(node, {TensorFacts(node.dtype(0), {p.batch, p.length, p.heads * p.value}),
                            TensorFacts(state, p.state())});
}

struct Inputs {
  Doubles q, k, v, decay, beta;
};

/// One key head of one sample: its state from token to token, and what its query heads read.
class Head {
 public:
  Head(const Problem& p, const Inputs& in, std::int64_t sample, std::int64_t head, double* state)
      : p_(p), in_(in), sample_(sample), head_(head), state_(state), written_(At(p.value)) {}

  void Step(std::int64_t token, double* out) {
    const std::int64_t at = sample_ * p_.length + token;
    const double* key = in_.k.data() + (at * p_.kv_heads + head_) * p_.key;
    Decay(at);
    Write(at, key);
    const std::int64_t shared = p_.heads / p_.kv_heads;
    for (std::int64_t h = head_ * shared; h < (head_ + 1) * shared; ++h) {
      const double* query = in_.q.data() + (at * p_.heads + h) * p_.key;
      double* to = out + (at * p_.heads + h) * p_.value;
      for (std::int64_t d = 0; d < p_.key; ++d) {
        for (std::int64_t m = 0; m < p_.value; ++m) {
          to[m] += p_.scale * query[d] * state_[d * p_.value + m];
        }
      }
    }
  }

 private:
  void Decay(std::int64_t at) {
    if (p_.decay_width == 0) return;
    const bool per_key = p_.decay_width != p_.kv_heads;
    const double* decay = in_.decay.data() + at * p_.decay_width + head_ * (per_key ? p_.key : 1);
    for (std::int64_t d = 0; d < p_.key; ++d) {
      const double factor = std::exp(decay[per_key ? d : 0]);
      for (std::int64_t m = 0; m < p_.value; ++m) state_[d * p_.value + m] *= factor;
    }
  }

  void Write(std::int64_t at, const double* key) {
    const double* value = in_.v.data() + (at * p_.kv_heads + head_) * p_.value;
    written_.assign(value, value + p_.value);
    if (p_.beta_width != 0) {
      const double beta = in_.beta[At(at * p_.beta_width + (p_.beta_width == 1 ? 0 : head_))];
      for (std::int64_t d = 0; d < p_.key; ++d) {
        for (std::int64_t m = 0; m < p_.value; ++m) {
          written_[At(m)] -= state_[d * p_.value + m] * key[d];
        }
      }
      for (double& part : written_) part *= beta;
    }
    for (std::int64_t d = 0; d < p_.key; ++d) {
      for (std::int64_t m = 0; m < p_.value; ++m) {
        state_[d * p_.value + m] += key[d] * written_[At(m)];
      }
    }
  }

  const Problem& p_;
  const Inputs& in_;
  std::int64_t sample_, head_;
  double* state_;
  Doubles written_;
};

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Problem p = TRY(ProblemOf(node));
  const auto given = [&](std::size_t i) {
    return DoublesOf(node.Has(i) ? context.input(i) : nullptr);
  };
  const Inputs in{given(0), given(1), given(2), given(4), given(5)};
  Doubles states = given(3);
  states.resize(At(TRY(ElementCount(p.state()))));
  Doubles out(At(context.output(0).size()));
  context.ParallelFor(p.batch * p.kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Head head(p, in, i / p.kv_heads, i % p.kv_heads, states.data() + i * p.key * p.value);
      for (std::int64_t token = 0; token < p.length; ++token) head.Step(token, out.data());
    }
  });
  TRY(StoreDoubles(context, out, context.output(0)));
  return Wanted(node, 1) ? StoreDoubles(context, states, context.output(1)) : Result<void>();
}

constexpr Kernel kKernels[] = {{.name = "linear_attention", .run = Run}};
constexpr DTypeSet kFloats = kFloat32Type | Types({DType::kFloat16, DType::kBfloat16});
constexpr TypeRule kRules[] = {{"T", kFloats}, {"S", kFloats}};

}  // namespace

OpList ops_linear_attention() {
  static constexpr OpDef kOps[] = {
      {.type = "LinearAttention",
       .since = 27,
       .signature = "query:T, key:T, value:T, past_state?:S, decay?:T, beta?:T -> output:T, "
                    "present_state:S",
       .types = kRules,
       .attributes = "chunk_size:int=64, kv_num_heads!:int, q_num_heads!:int, scale:float=0.0, "
                     "update_rule:string=gated_delta",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
