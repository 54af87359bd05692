// SPDX-License-Identifier: Apache-2.0
// NonMaxSuppression (opsets 10, 11).
// Spec: https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
// Of equal scores the box that comes first is taken first.
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sort.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Box {
  float left, top, right, bottom;
};

Box BoxOf(const float* corner, bool center) {
  if (center) {
    return {corner[0] - corner[2] / 2, corner[1] - corner[3] / 2, corner[0] + corner[2] / 2,
            corner[1] + corner[3] / 2};
  }
  return {std::min(corner[1], corner[3]), std::min(corner[0], corner[2]),
          std::max(corner[1], corner[3]), std::max(corner[0], corner[2])};
}

float AreaOf(const Box& box) { return (box.right - box.left) * (box.bottom - box.top); }

/// Intersection over union; 0 for boxes without an area.
float Overlap(const Box& a, const Box& b) {
  const Box common{std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right),
                   std::min(a.bottom, b.bottom)};
  if (!(common.right > common.left && common.bottom > common.top)) return 0;
  const float intersection = AreaOf(common);
  const float joined = AreaOf(a) + AreaOf(b) - intersection;
  if (!(AreaOf(a) > 0 && AreaOf(b) > 0 && joined > 0)) return 0;
  return intersection / joined;
}

struct Thresholds {
  std::int64_t most = 0;
  float overlap = 0;
  bool by_score = false;
  float score = 0;
};

Result<const Tensor*> Single(const NodeFacts& node, KernelContext& context, std::size_t index,
                             std::string_view name) {
  const Tensor* tensor = node.Has(index) ? context.input(index) : nullptr;
  if (tensor != nullptr && tensor->size() > 1) {
    return Invalid("input `", name, "` of shape ", tensor->shape(), " is not one number");
  }
  return tensor != nullptr && tensor->size() == 1 ? tensor : nullptr;
}

Result<Thresholds> ThresholdsOf(const NodeFacts& node, KernelContext& context) {
  Thresholds made;
  if (const Tensor* most = TRY(Single(node, context, 2, "max_output_boxes_per_class"))) {
    made.most = std::max<std::int64_t>(0, most->data<std::int64_t>()[0]);
  }
  if (const Tensor* overlap = TRY(Single(node, context, 3, "iou_threshold"))) {
    made.overlap = overlap->data<float>()[0];
    if (!(made.overlap >= 0 && made.overlap <= 1)) {
      return Invalid("input `iou_threshold` is ", made.overlap, ", out of range [0, 1]");
    }
  }
  if (const Tensor* score = TRY(Single(node, context, 4, "score_threshold"))) {
    made.by_score = true;
    made.score = score->data<float>()[0];
  }
  return made;
}

constexpr std::int64_t kBoxWork = 16;  ///< of one box, in operations on numbers

/// Boxes to keep of one class, in the order they are taken.
CountedVector<std::int64_t> Select(std::span<const Box> boxes, std::span<const float> scores,
                                   const Thresholds& limits) {
  CountedVector<std::int64_t> candidates;
  CountedVector<std::int64_t> selected;
  Pause pause;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (pause.MustStop(kBoxWork)) return selected;
    const bool kept = limits.by_score ? scores[i] > limits.score : scores[i] == scores[i];
    if (kept) candidates.push_back(static_cast<std::int64_t>(i));
  }
  const auto before = [&](std::int64_t a, std::int64_t b) {
    return scores[At(a)] > scores[At(b)] || (scores[At(a)] == scores[At(b)] && a < b);
  };
  if (!SortItems(std::span<std::int64_t>(candidates), 1, before)) return selected;
  for (const std::int64_t candidate : candidates) {
    if (static_cast<std::int64_t>(selected.size()) >= limits.most) break;
    if (pause.MustStop(16 * static_cast<std::int64_t>(1 + selected.size()))) break;
    const bool apart = std::ranges::none_of(selected, [&](std::int64_t other) {
      return Overlap(boxes[At(candidate)], boxes[At(other)]) > limits.overlap;
    });
    if (apart) selected.push_back(candidate);
  }
  return selected;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& boxes = node.shape(0);
  const Shape& scores = node.shape(1);
  if (boxes.size() != 3 || boxes[2] != 4 || scores.size() != 3 || scores[0] != boxes[0] ||
      scores[2] != boxes[1]) {
    return Invalid("boxes of ", boxes, " with scores of ", scores);
  }
  return Facts{TensorFacts(DType::kInt64)};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Thresholds limits = TRY(ThresholdsOf(node, context));
  const bool center = node.attributes.Int("center_point_box", 0) != 0;
  const Tensor& scores = *context.input(1);
  const auto corners = context.input(0)->data<float>();
  const auto count = At(scores.dim(2));
  CountedVector<std::int64_t> found;
  for (std::int64_t image = 0; image < scores.dim(0); ++image) {
    CountedVector<Box> boxes;
    boxes.reserve(count);
    Pause pause;
    for (std::size_t i = 0; i < count; ++i) {
      if (pause.MustStop(kBoxWork)) TRY(MayGoOn());
      boxes.push_back(BoxOf(corners.data() + (At(image) * count + i) * 4, center));
    }
    for (std::int64_t type = 0; type < scores.dim(1); ++type) {
      const auto of_class =
          scores.data<float>().subspan(At(image * scores.dim(1) + type) * count, count);
      for (const std::int64_t box : Select(boxes, of_class, limits)) {
        found.insert(found.end(), {image, type, box});
      }
    }
  }
  Tensor* out =
      TRY(context.Allocate(0, DType::kInt64, {static_cast<std::int64_t>(found.size()) / 3, 3}));
  std::ranges::copy(found, out->data<std::int64_t>().begin());
  return {};
}

constexpr Kernel kKernels[] = {{.name = "non_max_suppression", .run = Run}};

consteval OpDef Row(int since) {
  return {.type = "NonMaxSuppression",
          .since = since,
          .signature =
              "boxes:float, scores:float, max_output_boxes_per_class?:int64, "
              "iou_threshold?:float, score_threshold?:float -> selected_indices:int64",
          .attributes = "center_point_box:int=0",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_non_max_suppression() {
  static constexpr auto kOps = Versions({Row(10), Row(11)});
  return kOps;
}

}  // namespace slipway::runtime
