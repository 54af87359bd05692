// SPDX-License-Identifier: Apache-2.0
#include "runtime/attributes.h"

namespace slipway::runtime {
namespace {

template <class T>
const T* Get(const Attributes& attributes, std::string_view name) {
  const Attribute* attribute = attributes.Find(name);
  return attribute ? std::get_if<T>(attribute) : nullptr;
}

}  // namespace

void Attributes::Set(std::string name, Attribute value) {
  for (auto& [known, old] : items_) {
    if (known == name) {
      old = std::move(value);
      return;
    }
  }
  items_.emplace_back(std::move(name), std::move(value));
}

const Attribute* Attributes::Find(std::string_view name) const {
  for (const auto& [known, value] : items_) {
    if (known == name) return &value;
  }
  return nullptr;
}

std::int64_t Attributes::Int(std::string_view name, std::int64_t fallback) const {
  const auto* value = Get<std::int64_t>(*this, name);
  return value ? *value : fallback;
}

float Attributes::Float(std::string_view name, float fallback) const {
  const auto* value = Get<float>(*this, name);
  return value ? *value : fallback;
}

std::string_view Attributes::String(std::string_view name, std::string_view fallback) const {
  const auto* value = Get<std::string>(*this, name);
  return value ? std::string_view(*value) : fallback;
}

std::vector<std::int64_t> Attributes::Ints(std::string_view name,
                                           std::vector<std::int64_t> fallback) const {
  const auto* value = Get<std::vector<std::int64_t>>(*this, name);
  if (value != nullptr) return *value;
  return fallback;
}

std::span<const float> Attributes::Floats(std::string_view name) const {
  const auto* value = Get<std::vector<float>>(*this, name);
  return value ? std::span<const float>(*value) : std::span<const float>();
}

std::span<const std::string> Attributes::Strings(std::string_view name) const {
  const auto* value = Get<std::vector<std::string>>(*this, name);
  return value ? std::span<const std::string>(*value) : std::span<const std::string>();
}

const Tensor* Attributes::TensorOrNull(std::string_view name) const {
  return Get<Tensor>(*this, name);
}

const GraphData* Attributes::GraphOrNull(std::string_view name) const {
  const auto* value = Get<std::shared_ptr<const GraphData>>(*this, name);
  return value ? value->get() : nullptr;
}

}  // namespace slipway::runtime
