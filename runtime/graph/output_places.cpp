// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/output_places.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "runtime/graph/emptied.h"
#include "runtime/graph/feeds.h"
#include "runtime/graph/plan.h"
#include "runtime/kernels/in_place.h"

namespace slipway::runtime {
namespace {

bool Fits(const Tensor& memory, DType dtype, const Shape& shape) {
  return memory.dtype() == dtype && memory.shape() == shape;
}

const Tensor* TensorAt(std::span<const Value> values, std::size_t index) {
  return index < values.size() ? values[index].tensor() : nullptr;
}

std::int64_t CountOf(const Shape& shape) {
  auto count = ElementCount(shape);
  return count ? *count : -1;
}

/// Whether they have a byte in common.
bool Overlap(const Tensor& a, const Tensor& b) {
  if (a.bytes() == 0 || b.bytes() == 0) return false;
  const auto* const first = static_cast<const std::byte*>(a.raw());
  const auto* const second = static_cast<const std::byte*>(b.raw());
  const std::less<> before;
  return before(first, second + b.bytes()) && before(second, first + a.bytes());
}

}  // namespace

Error WrongMemory(std::string message) {
  return {.code = Code::kInvalidArgument,
          .message = std::move(message),
          .id = "Output.WrongMemory",
          .fix = "give each output memory of its type and shape, or none"};
}

bool OutputPlaces::MeetsInputs(const GraphData& graph, std::span<const Value> inputs,
                               const Tensor& memory, Wish& wish) {
  wish.under = kNoValue;
  wish.apart = true;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor* input = inputs[i].tensor();
    if (input == nullptr || !Overlap(memory, *input)) continue;
    const bool same = input->raw() == memory.raw() && input->bytes() == memory.bytes();
    const std::size_t own = graph.inputs.size();
    const ValueId id = i < own ? graph.inputs[i] : graph.captures[i - own];
    wish.under = same && wish.apart ? id : kNoValue;
    wish.apart = false;
  }
  return !wish.apart;
}

void OutputPlaces::Choose(const Plan& plan, std::span<const Value> inputs,
                          std::span<const Value> memory) {
  const GraphData& graph = *plan.graph;
  bool shared = false;
  wishes_.resize(memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    Wish& wish = wishes_[i];
    wish.root = kNoValue;
    const Tensor* tensor = memory[i].tensor();
    if (tensor == nullptr || !plan.key.wanted[i]) continue;
    const PlannedValue& value = plan.values[static_cast<std::size_t>(graph.outputs[i])];
    ValueId root = graph.outputs[i];
    const Shape* shape = &tensor->shape();
    if (value.place != Place::kLate) {
      if (value.place != Place::kOwn || !Fits(*tensor, value.facts.dtype, *value.facts.shape)) {
        continue;
      }
      const ValueFacts& whole = plan.values[static_cast<std::size_t>(value.root)].facts;
      if (whole.dtype != tensor->dtype() || CountOf(*whole.shape) != tensor->size()) continue;
      root = value.root;
      shape = &*whole.shape;
    }
    wish.root = root;
    if (*shape == tensor->shape()) {
      wish.memory = memory[i];
    } else {
      wish.memory = Value(tensor->Reshaped(*shape));
    }
    shared = MeetsInputs(graph, inputs, *tensor, wish) || shared;
  }
  if (shared) CountReaders(plan);
}

void OutputPlaces::Forget() {
  for (Wish& wish : wishes_) Empty(wish.memory);
}

void OutputPlaces::CountReaders(const Plan& plan) {
  readers_.assign(plan.values.size(), 0);
  const auto count = [&](const std::vector<ValueId>& ids) {
    for (const ValueId id : ids) {
      if (id != kNoValue) ++readers_[static_cast<std::size_t>(id)];
    }
  };
  count(plan.graph->outputs);
  for (const Step& step : plan.steps) {
    count(step.node->inputs);
    count(step.node->captures);
  }
}

bool OutputPlaces::MayOverwrite(const Step& step, const PreparedNode& node, std::size_t index,
                                ValueId under) const {
  const auto* works = dynamic_cast<const WorksInPlace*>(node.executable.get());
  if (works == nullptr || under == kNoValue) return false;
  const auto input = works->InputUnder(index);
  return input && *input < step.node->inputs.size() && step.node->inputs[*input] == under &&
         readers_[static_cast<std::size_t>(under)] == 1;
}

Result<void> OutputPlaces::Make(const Step& step, const PreparedNode& node, ValueId id,
                                Value& made) const {
  const auto& outputs = step.node->outputs;
  const auto index = static_cast<std::size_t>(std::ranges::find(outputs, id) - outputs.begin());
  const ValueFacts& facts = node.facts.outputs[index];
  const auto wish = std::ranges::find(wishes_, id, &Wish::root);
  if (wish != wishes_.end() && Fits(*wish->memory.tensor(), facts.dtype, *facts.shape) &&
      (wish->apart || MayOverwrite(step, node, index, wish->under))) {
    made = wish->memory;
  } else {
    made = Value(TRY(Tensor::Make(facts.dtype, *facts.shape)));
  }
  return {};
}

Result<void> CheckMemory(std::span<const ValueInfo> outputs, std::span<const Value> memory) {
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const Tensor* tensor = memory[i].tensor();
    if (tensor == nullptr) {
      if (memory[i].is_none()) continue;
      return WrongMemory(fmt::format("the memory for output '{}' is no tensor", outputs[i].name));
    }
    if (tensor->dtype() == DType::kString) {
      return WrongMemory(fmt::format("the memory for output '{}' is of text", outputs[i].name));
    }
    for (std::size_t j = 0; j < i; ++j) {
      const Tensor* other = TensorAt(memory, j);
      if (other == nullptr || !Overlap(*tensor, *other)) continue;
      return WrongMemory(fmt::format("the memory for outputs '{}' and '{}' overlaps",
                                     outputs[j].name, outputs[i].name));
    }
  }
  return {};
}

Result<void> DeliverOutputs(std::span<const ValueInfo> infos, std::span<Value> memory,
                            std::span<Value> outputs) {
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const Tensor* place = memory[i].tensor();
    if (place == nullptr) continue;
    const Tensor* made = outputs[i].tensor();
    if (made == nullptr || !Fits(*place, made->dtype(), made->shape())) {
      return WrongMemory(fmt::format("output '{}' is {}, the memory for it {}", infos[i].name,
                                     ValueText(outputs[i]), ValueText(memory[i])));
    }
    if (made->raw() == place->raw()) continue;
    // What is copied first must not be what another output is still to be copied from.
    const bool read_later = std::ranges::any_of(memory, [&](const Value& other) {
      return other.tensor() != nullptr && Overlap(*other.tensor(), *made);
    });
    if (read_later) outputs[i] = Value(TRY(made->Clone()));
  }
  for (std::size_t i = 0; i < memory.size(); ++i) {
    if (memory[i].is_none()) continue;
    const Tensor& from = *outputs[i].tensor();
    Tensor& to = *memory[i].tensor();
    if (from.raw() == to.raw() || from.bytes() == 0) continue;
    std::memcpy(to.raw(), from.raw(), static_cast<std::size_t>(from.bytes()));
  }
  return {};
}

}  // namespace slipway::runtime
