// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/plan.h"

#include "runtime/graph/emptied.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kFramesKept = 16;
constexpr std::int64_t kLargeBytes = std::int64_t{8} << 20;

}  // namespace

Result<std::unique_ptr<Frame>> Plan::MakeFrame() const {
  auto frame = std::make_unique<Frame>();
  frame->arena = TRY(Tensor::Make(DType::kUint8, {memory.bytes}));
  frame->values.resize(values.size());
  auto* arena = static_cast<std::byte*>(frame->arena.raw());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const PlannedValue& value = values[i];
    if (value.place == Place::kConstant) frame->values[i] = Value(*value.facts.constant);
    if (value.place != Place::kArena) continue;
    const PlannedValue& root = values[static_cast<std::size_t>(value.root)];
    frame->values[i] = Value(Tensor::Wrap(value.facts.dtype, *value.facts.shape,
                                          frame->arena.owner(), arena + root.offset + value.shift));
  }
  for (const Step& step : steps) {
    auto& inputs = frame->inputs.emplace_back();
    for (ValueId id : step.node->inputs) {
      inputs.push_back(id == kNoValue ? nullptr : &frame->values[static_cast<std::size_t>(id)]);
    }
    auto& outputs = frame->outputs.emplace_back();
    for (ValueId id : step.node->outputs) {
      outputs.push_back(id == kNoValue ? nullptr : &frame->values[static_cast<std::size_t>(id)]);
    }
  }
  return frame;
}

Result<std::unique_ptr<Frame>> Plan::TakeFrame() const {
  {
    const std::lock_guard lock(mutex_);
    if (!frames_.empty()) {
      auto frame = std::move(frames_.back());
      frames_.pop_back();
      return frame;
    }
  }
  return MakeFrame();
}

void Plan::GiveBack(std::unique_ptr<Frame> frame) const {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Place place = values[i].place;
    if (place == Place::kConstant || place == Place::kArena || place == Place::kNone) continue;
    if (place == Place::kLate) {
      frame->values[i] = {};
    } else {
      Empty(frame->values[i]);
    }
  }
  frame->places.Forget();
  const std::lock_guard lock(mutex_);
  if (frames_.size() < kFramesKept) frames_.push_back(std::move(frame));
}

void Plan::DropLargeFrames() const {
  if (memory.bytes <= kLargeBytes) return;
  const std::lock_guard lock(mutex_);
  frames_.clear();
}

}  // namespace slipway::runtime
