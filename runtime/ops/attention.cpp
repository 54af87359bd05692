// SPDX-License-Identifier: Apache-2.0
// Attention: opsets 23, 24 (`nonpad_kv_seqlen`), 25 (windows).
// Spec: https://onnx.ai/onnx/operators/onnx__Attention.html
// Computed in double; with 16-bit inputs every step is rounded to their type, and the
// probabilities to that of `softmax_precision`.
#include "runtime/kernels/attention.h"

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const AttentionShape s = TRY(AttentionShapeOf(node));
  const std::int64_t mode = node.attributes.Int("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) return Invalid("attribute `qk_matmul_output_mode` is ", mode);
  const DType dtype = node.dtype(0);
  Shape y{s.batch, s.q_heads, s.q_length, s.v_head};
  if (s.packed_heads) y = {s.batch, s.q_length, s.q_heads * s.v_head};
  return OutputFacts(node, {TensorFacts(dtype, std::move(y)),
                            TensorFacts(dtype, {s.batch, s.kv_heads, s.total(), s.head}),
                            TensorFacts(node.dtype(2), {s.batch, s.kv_heads, s.total(), s.v_head}),
                            TensorFacts(dtype, {s.batch, s.q_heads, s.q_length, s.total()})});
}

constexpr Kernel kKernels[] = {{.name = "attention_blocked",
                                .declines = DeclineAttentionBlocked,
                                .prepare = PrepareAttentionBlocked},
                               {.name = "attention_reference", .run = RunAttention}};

constexpr DTypeSet kMask = kNumericTypesB | kBoolType;
constexpr TypeRule kRules[] = {{"T1", kFloatTypesB}, {"T2", kFloatTypesB}, {"U", kMask}};
constexpr std::string_view kAttributes23 =
    "is_causal:int=0, kv_num_heads:int, q_num_heads:int, qk_matmul_output_mode:int=0, "
    "scale:float, softcap:float=0.0, softmax_precision:int";
constexpr std::string_view kAttributes25 =
    "is_causal:int=0, kv_num_heads:int, left_window_size:int=-1, q_num_heads:int, "
    "qk_matmul_output_mode:int=0, right_window_size:int=-1, scale:float, softcap:float=0.0, "
    "softmax_precision:int";

consteval OpDef Row(int since, std::string_view attributes) {
  return {.type = "Attention",
          .since = since,
          .signature =
              since < 24 ? "Q:T1, K:T1, V:T2, attn_mask?:U, past_key?:T1, past_value?:T2 -> Y:T1, "
                           "present_key?:T1, present_value?:T2, qk_matmul_output?:T1"
                         : "Q:T1, K:T1, V:T2, attn_mask?:U, past_key?:T1, past_value?:T2, "
                           "nonpad_kv_seqlen?:int64 -> Y:T1, present_key?:T1, present_value?:T2, "
                           "qk_matmul_output?:T1",
          .types = kRules,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_attention() {
  static constexpr auto kOps =
      Versions({Row(23, kAttributes23), Row(24, kAttributes23), Row(25, kAttributes25)});
  return kOps;
}

}  // namespace slipway::runtime
