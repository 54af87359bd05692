// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/late_node.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/graph/signature.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kSmallBytes = 4096;
constexpr std::size_t kKept = 8;

bool IsSmall(const Tensor& tensor) {
  return tensor.dtype() != DType::kString && tensor.bytes() <= kSmallBytes;
}

void AppendNumber(std::string& key, std::int64_t number) {
  key.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void AppendFacts(std::string& key, const Value& value) {
  const ValueFacts facts = FactsOf(value, false);
  AppendNumber(key, static_cast<std::int64_t>(facts.kind));
  AppendNumber(key, static_cast<std::int64_t>(facts.dtype));
  if (!facts.shape) return;
  AppendNumber(key, static_cast<std::int64_t>(facts.shape->size()));
  for (std::int64_t dim : *facts.shape) AppendNumber(key, dim);
}

}  // namespace

std::string LateNode::KeyOf(std::span<const Value* const> inputs) const {
  std::string key;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr || known_[i] != nullptr) continue;
    AppendFacts(key, *inputs[i]);
    const Tensor* tensor = inputs[i]->tensor();
    if (tensor == nullptr || !IsSmall(*tensor) || tensor->bytes() == 0) continue;
    key.append(static_cast<const char*>(tensor->raw()), static_cast<std::size_t>(tensor->bytes()));
  }
  return key;
}

Result<std::shared_ptr<const LatePrepared>> LateNode::Make(std::span<const Value* const> inputs,
                                                           std::string key) {
  auto made = std::make_shared<LatePrepared>();
  made->key = std::move(key);
  std::vector<ValueFacts> facts;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    facts.push_back(inputs[i] ? FactsOf(*inputs[i], false) : ValueFacts{});
    if (inputs[i] == nullptr) continue;
    facts.back().constant = known_[i];
    const Tensor* tensor = inputs[i]->tensor();
    if (known_[i] != nullptr || tensor == nullptr || !IsSmall(*tensor)) continue;
    made->constants.push_back(TRY(tensor->Clone()));
    facts.back().constant = &made->constants.back();
  }
  if (auto filled = CheckFilled(*node_.schema, facts); !filled) {
    return Within(WhereText(node_), std::move(filled).error());
  }
  made->node.facts = MakeFacts(node_, std::move(facts));
  made->node.facts.outputs = TRY(InferOutputs(node_, made->node.facts));
  if (!TRY(IsViewOf(node_, made->node.facts))) {
    TRY(ChooseKernel(node_, choice_, device_, made->node));
  }
  return std::shared_ptr<const LatePrepared>(std::move(made));
}

Result<std::shared_ptr<const LatePrepared>> LateNode::For(std::span<const Value* const> inputs) {
  std::string key = KeyOf(inputs);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& recent : recent_) {
      if (recent->key == key) return recent;
    }
  }
  auto made = TRY(Make(inputs, std::move(key)));
  const std::lock_guard lock(mutex_);
  recent_.push_front(made);
  if (recent_.size() > kKept) recent_.pop_back();
  return made;
}

}  // namespace slipway::runtime
