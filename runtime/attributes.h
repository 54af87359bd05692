// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/value.h"

namespace slipway::runtime {

struct GraphData;

/// The value of a node's attribute. Source: AttributeProto.
using Attribute =
    std::variant<std::int64_t, float, std::string, Tensor, std::shared_ptr<const GraphData>,
                 TypeInfo, std::vector<std::int64_t>, std::vector<float>, std::vector<std::string>,
                 std::vector<Tensor>, std::vector<std::shared_ptr<const GraphData>>>;

/// The attributes of a node, by name. The getters give `fallback` where the attribute is absent
/// or (which the operator's schema check has refused before) of another type.
class Attributes {
 public:
  void Set(std::string name, Attribute value);
  const Attribute* Find(std::string_view name) const;
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  std::int64_t Int(std::string_view name, std::int64_t fallback) const;
  float Float(std::string_view name, float fallback) const;
  std::string_view String(std::string_view name, std::string_view fallback) const;
  std::vector<std::int64_t> Ints(std::string_view name, std::vector<std::int64_t> fallback) const;
  std::span<const float> Floats(std::string_view name) const;
  std::span<const std::string> Strings(std::string_view name) const;
  const Tensor* TensorOrNull(std::string_view name) const;
  const GraphData* GraphOrNull(std::string_view name) const;
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<std::pair<std::string, Attribute>> items_;
};

}  // namespace slipway::runtime
