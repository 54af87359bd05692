// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/part_places.h"

#include <algorithm>

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kAlignment = 64;
/// Steps looked at in all: very large graphs keep the copies that are left.
constexpr std::int64_t kMostLooks = 50'000'000;

/// A value that takes a whole root, and where it lies in the whole.
struct Part {
  ValueId root = kNoValue;
  std::int64_t offset = 0;  ///< bytes
};

class PartPlacer {
 public:
  explicit PartPlacer(Plan& plan) : plan_(plan), spans_(plan.values.size()) {
    live_.assign(plan.steps.size(), 0);
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      const NodeData& node = *plan.steps[s].node;
      for (const auto* ids : {&node.outputs, &node.inputs, &node.captures}) {
        for (const ValueId id : *ids) Touch(id, static_cast<std::int64_t>(s));
      }
    }
    for (std::size_t i = 0; i < spans_.size(); ++i) Count(spans_[i], spans_[i].bytes);
    for (const std::int64_t bytes : live_) peak_ = std::max(peak_, bytes);
  }

  /// Later wholes first: a part may be a whole of parts itself.
  void Run() {
    for (std::size_t s = plan_.steps.size(); s-- > 0;) {
      if (IsOf(plan_.steps[s], "Concat")) Join(plan_.steps[s]);
    }
    for (const Step& step : plan_.steps) {
      if (IsOf(step, "Split")) Divide(step);
    }
    std::erase_if(plan_.steps, [&](const Step& step) { return IsDone(step); });
  }

 private:
  /// From the first to the last step that touches a root.
  struct Span {
    std::int64_t first = -1, last = -1, bytes = 0;
  };

  PlannedValue& At(ValueId id) { return plan_.values[static_cast<std::size_t>(id)]; }
  Span& SpanOf(ValueId id) { return spans_[static_cast<std::size_t>(id)]; }
  bool InArena(ValueId id) { return id != kNoValue && At(id).place == Place::kArena; }

  static bool IsOf(const Step& step, std::string_view type) {
    return step.kind == Step::Kind::kKernel && step.node->domain.empty() && step.node->type == type;
  }

  std::int64_t BytesOf(ValueId id) {
    const ValueFacts& facts = At(id).facts;
    return CountOf(*facts.shape, 0, facts.shape->size()) * DTypeBits(facts.dtype) / 8;
  }

  void Touch(ValueId id, std::int64_t step) {
    if (!InArena(id)) return;
    Span& span = SpanOf(At(id).root);
    if (span.first < 0) {
      span = {.first = step, .last = step, .bytes = BytesOf(At(id).root)};
    }
    span.last = step;
  }

  void Count(const Span& span, std::int64_t bytes) {
    if (span.first < 0) return;
    looks_ += span.last - span.first + 1;
    for (std::int64_t s = span.first; s <= span.last; ++s) {
      live_[static_cast<std::size_t>(s)] += bytes;
    }
  }

  /// Elements before the axis along which pieces lie: 1 where they lie one after the other.
  static bool IsOuter(const Step& step, const Shape& whole, std::int64_t fallback) {
    const auto axis =
        NormalizeAxis(step.node->attributes.Int("axis", fallback), RankOf(whole), "axis");
    return axis && CountOf(whole, 0, static_cast<std::size_t>(*axis)) == 1;
  }

  void Join(const Step& step) {
    const ValueId whole = step.node->outputs[0];
    if (!InArena(whole) || DTypeBits(At(whole).facts.dtype) < 8 ||
        !IsOuter(step, *At(whole).facts.shape, 1)) {
      return;
    }
    std::vector<Part> parts;
    std::int64_t offset = At(whole).shift;
    for (const ValueId id : step.node->inputs) {
      const std::int64_t bytes = CountOf(*At(id).facts.shape, 0, At(id).facts.shape->size()) *
                                 DTypeBits(At(id).facts.dtype) / 8;
      if (MayMove(id, bytes, offset, At(whole).root, parts)) {
        parts.push_back({At(id).root, offset});
      }
      offset += bytes;
    }
    Place(parts, At(whole).root);
  }

  void Divide(const Step& step) {
    const ValueId whole = step.node->inputs[0];
    if (!InArena(whole) || DTypeBits(At(whole).facts.dtype) < 8 ||
        !IsOuter(step, *At(whole).facts.shape, 0)) {
      return;
    }
    std::vector<Part> parts;
    std::int64_t offset = At(whole).shift;
    for (std::size_t i = 0; i < step.node->outputs.size(); ++i) {
      const ValueId id = step.node->outputs[i];
      const Shape& shape = *step.prepared.facts.outputs[i].shape;
      const std::int64_t bytes =
          CountOf(shape, 0, shape.size()) * DTypeBits(At(whole).facts.dtype) / 8;
      if (MayMove(id, bytes, offset, At(whole).root, parts)) {
        parts.push_back({At(id).root, offset});
      }
      offset += bytes;
    }
    Place(parts, At(whole).root);
  }

  /// Whether a value is all of a root that can lie there, in `whole`.
  bool MayMove(ValueId id, std::int64_t bytes, std::int64_t offset, ValueId whole,
               const std::vector<Part>& parts) {
    if (!InArena(id) || bytes == 0 || offset % kAlignment != 0) return false;
    const ValueId root = At(id).root;
    if (root == whole || At(root).root != root || SpanOf(root).bytes != bytes) return false;
    return std::ranges::find(parts, root, &Part::root) == parts.end();
  }

  /// Gives the parts their places, unless more would be live at a step than was at any.
  void Place(const std::vector<Part>& parts, ValueId whole) {
    if (parts.empty() || looks_ > kMostLooks) return;
    const Span before = SpanOf(whole);
    Span joined = before;
    Count(before, -before.bytes);
    for (const Part& part : parts) {
      const Span& span = SpanOf(part.root);
      Count(span, -span.bytes);
      joined.first = std::min(joined.first, span.first);
      joined.last = std::max(joined.last, span.last);
    }
    Count(joined, joined.bytes);
    const auto range =
        std::span(live_).subspan(static_cast<std::size_t>(joined.first),
                                 static_cast<std::size_t>(joined.last - joined.first + 1));
    if (std::ranges::any_of(range, [&](std::int64_t bytes) { return bytes > peak_; })) {
      Count(joined, -joined.bytes);
      Count(before, before.bytes);
      for (const Part& part : parts) Count(SpanOf(part.root), SpanOf(part.root).bytes);
      return;
    }
    SpanOf(whole) = joined;
    for (const Part& part : parts) {
      SpanOf(part.root) = {};
      Move(part, whole);
    }
  }

  void Move(const Part& part, ValueId whole) {
    looks_ += static_cast<std::int64_t>(plan_.values.size());
    for (PlannedValue& value : plan_.values) {
      if (value.root != part.root) continue;
      value.root = whole;
      value.shift += part.offset;
    }
  }

  /// Whether every piece lies where it is to be.
  bool IsDone(const Step& step) {
    const bool joins = IsOf(step, "Concat");
    if (!joins && !IsOf(step, "Split")) return false;
    const ValueId whole = joins ? step.node->outputs[0] : step.node->inputs[0];
    const auto& pieces = joins ? step.node->inputs : step.node->outputs;
    if (!InArena(whole)) return false;
    std::int64_t offset = At(whole).shift;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto& facts = joins ? step.prepared.facts.inputs[i] : step.prepared.facts.outputs[i];
      if (pieces[i] != kNoValue) {
        const PlannedValue& piece = At(pieces[i]);
        const bool there =
            piece.place == Place::kArena && piece.root == At(whole).root && piece.shift == offset;
        if (!there) return false;
      }
      offset += CountOf(*facts.shape, 0, facts.shape->size()) * DTypeBits(facts.dtype) / 8;
    }
    return true;
  }

  Plan& plan_;
  std::vector<Span> spans_;         ///< by root
  std::vector<std::int64_t> live_;  ///< bytes, by step
  std::int64_t peak_ = 0;
  std::int64_t looks_ = 0;
};

}  // namespace

void PlaceParts(Plan& plan) {
  const bool any = std::ranges::any_of(plan.steps, [](const Step& step) {
    return step.node->type == "Concat" || step.node->type == "Split";
  });
  if (any) PartPlacer(plan).Run();
}

}  // namespace slipway::runtime
