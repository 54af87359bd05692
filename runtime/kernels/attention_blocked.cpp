// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "runtime/device/device.h"
#include "runtime/kernels/attention.h"
#include "runtime/kernels/heads_blocked.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

constexpr DTypeSet kMasks =
    Types({DType::kBool, DType::kFloat32, DType::kFloat16, DType::kBfloat16});

HeadsShape HeadsOf(const AttentionShape& s) {
  return {.batch = s.batch,
          .q_heads = s.q_heads,
          .kv_heads = s.kv_heads,
          .q_length = s.q_length,
          .kv_length = s.total(),
          .head = s.head,
          .v_head = s.v_head};
}

class AttentionBlocked final : public Executable {
 public:
  AttentionBlocked(const NodeFacts& node, AttentionShape shape, int threads)
      : node_(node), shape_(shape), threads_(threads) {}

  std::int64_t scratch_bytes() const override {
    return threads_ * BlockedHeadsScratch(HeadsOf(shape_));
  }

  Result<void> Run(KernelContext& context) const override {
    BlockedHeads problem{.shape = HeadsOf(shape_)};
    problem.scale = static_cast<double>(node_.attributes.Float(
        "scale", static_cast<float>(1 / std::sqrt(static_cast<double>(shape_.head)))));
    problem.softcap = static_cast<double>(node_.attributes.Float("softcap", 0));
    problem.q = View(context, 0, shape_.q_heads, shape_.q_length, shape_.head);
    problem.seen = TRY(Seen(context));
    Keys(context, problem);
    Tensor mask;
    if (node_.Has(3)) {
      mask = TRY(MaskRows(context));
      SetMask(mask, problem);
    }
    if (!Wanted(node_, 0)) return {};
    problem.y = context.output(0).data<float>().data();
    problem.y_place = PlaceOf(shape_.q_heads, shape_.q_length, shape_.v_head);
    AttendBlocked(context, problem);
    return {};
  }

 private:
  HeadsPlace PlaceOf(std::int64_t heads, std::int64_t length, std::int64_t width) const {
    return shape_.packed_heads ? TokensFirst(heads, length, width)
                               : HeadsFirst(heads, length, width);
  }

  HeadsView View(KernelContext& context, std::size_t input, std::int64_t heads, std::int64_t length,
                 std::int64_t width) const {
    return {context.input(input)->data<float>().data(), PlaceOf(heads, length, width)};
  }

  Result<KeysSeen> Seen(KernelContext& context) const {
    std::vector<std::int64_t> end =
        TRY(ValidKeys(node_.Has(6) ? context.input(6) : nullptr, shape_));
    KeysSeen seen{.end = std::move(end),
                  .left = node_.attributes.Int("left_window_size", -1),
                  .right = node_.attributes.Int("right_window_size", -1)};
    if (node_.attributes.Int("is_causal", 0) != 0) seen.right = 0;
    seen.offset.assign(At(shape_.batch), shape_.past);
    for (std::size_t n = 0; n < seen.end.size(); ++n) {
      seen.offset[n] = seen.end[n] - shape_.q_length;
    }
    return seen;
  }

  /// Those of the cache and the new ones where they lie, or together in the outputs.
  void Keys(KernelContext& context, BlockedHeads& problem) const {
    const AttentionShape& s = shape_;
    problem.keys[1] = {.keys = View(context, 1, s.kv_heads, s.kv_length, s.head),
                       .values = View(context, 2, s.kv_heads, s.kv_length, s.v_head),
                       .count = s.kv_length};
    const HeadsPlace past_k = HeadsFirst(s.kv_heads, s.past, s.head);
    const HeadsPlace past_v = HeadsFirst(s.kv_heads, s.past, s.v_head);
    if (node_.Has(4)) {
      problem.keys[0] = {.keys = {context.input(4)->data<float>().data(), past_k},
                         .values = {context.input(5)->data<float>().data(), past_v},
                         .count = s.past};
    }
    Present(context, 1, s.head);
    Present(context, 2, s.v_head);
  }

  void Present(KernelContext& context, std::size_t output, std::int64_t width) const {
    if (!Wanted(node_, output)) return;
    WritePresent(context,
                 {.shape = context.output(output).shape(),
                  .past = node_.Has(4) ? context.input(output + 3) : nullptr,
                  .fresh = context.input(output),
                  .place = PlaceOf(shape_.kv_heads, shape_.kv_length, width),
                  .fresh_length = shape_.kv_length},
                 context.output(output));
  }

  /// The mask with a number for each key, or for as many as it has numbers for.
  Result<Tensor> MaskRows(KernelContext& context) const {
    Tensor mask = TRY(BiasOfMask(context, *context.input(3)));
    Shape shape = mask.shape();
    if (shape.back() != 1 || shape_.total() == 1) return mask;
    shape.back() = shape_.total();
    Tensor rows = TRY(Tensor::Make(DType::kFloat32, shape));
    float* to = rows.data<float>().data();
    for (const float number : mask.data<float>()) to = std::fill_n(to, shape_.total(), number);
    return rows;
  }

  /// Keys beyond a mask are hidden.
  void SetMask(const Tensor& mask, BlockedHeads& problem) const {
    const Shape& shape = mask.shape();
    std::vector<std::int64_t>& end = problem.seen.end;
    end.resize(At(shape_.batch), shape_.total());
    for (std::int64_t& one : end) one = std::min(one, shape.back());
    BiasRows& rows = problem.bias[0];
    rows.data = mask.data<float>().data();
    std::int64_t* const strides[] = {&rows.row, &rows.head, &rows.item};
    std::int64_t step = shape.back();
    for (std::size_t d = 0; d + 1 < shape.size(); ++d) {
      const std::int64_t dim = shape[shape.size() - 2 - d];
      *strides[d] = dim == 1 ? 0 : step;
      step *= dim;
    }
  }

  const NodeFacts& node_;
  AttentionShape shape_;
  int threads_;
};

}  // namespace

std::string DeclineAttentionBlocked(const NodeFacts& node) {
  for (const std::size_t input : {0U, 1U, 2U, 4U, 5U}) {
    if (node.Has(input) && node.dtype(input) != DType::kFloat32) {
      return Message("input ", input, " is of ", node.dtype(input));
    }
  }
  if (node.Has(3) && !kMasks.Has(node.dtype(3))) return Message("a mask of ", node.dtype(3));
  if (Wanted(node, 3)) return "the scores are wanted";
  if (!node.attributes.Has("softmax_precision")) return "";
  const auto precision = DTypeFromNumber(node.attributes.Int("softmax_precision", 0));
  if (!precision || *precision != DType::kFloat32)
    return "probabilities are wanted in another type";
  return "";
}

Result<std::unique_ptr<Executable>> PrepareAttentionBlocked(const NodeFacts& node,
                                                            DeviceContext& device) {
  const AttentionShape shape = TRY(AttentionShapeOf(node));
  return std::unique_ptr<Executable>(new AttentionBlocked(node, shape, device.threads()));
}

}  // namespace slipway::runtime
