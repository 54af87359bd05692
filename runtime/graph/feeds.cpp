// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/feeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/graph/error_text.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kFewFeeds = 16;

Error Wrong(std::string id, std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = std::move(id)};
}

std::string NameList(std::span<const ValueInfo> infos) {
  std::string text;
  for (const ValueInfo& info : infos) text += (text.empty() ? "" : ", ") + info.name;
  return text.empty() ? "none" : text;
}

bool KindFits(TypeInfo::Kind kind, const Value& value) {
  switch (kind) {
    case TypeInfo::Kind::kTensor:
    case TypeInfo::Kind::kSparseTensor:
      return value.tensor() != nullptr;
    case TypeInfo::Kind::kSequence:
      return value.sequence() != nullptr;
    case TypeInfo::Kind::kMap:
      return value.map() != nullptr;
    case TypeInfo::Kind::kOptional:
      return true;
  }
  return false;
}

bool ShapeFits(const Shape& wanted, const Shape& got) {
  return std::ranges::equal(wanted, got,
                            [](std::int64_t w, std::int64_t g) { return w < 0 || w == g; });
}

Result<Value> ZeroOf(const TypeInfo& type, std::int64_t dimension) {
  if (type.kind == TypeInfo::Kind::kSequence) {
    return Value(std::make_shared<const Sequence>());
  }
  if (type.kind != TypeInfo::Kind::kTensor) return Value();
  Shape shape = type.shape.value_or(Shape{});
  for (std::int64_t& dim : shape) dim = dim < 0 ? dimension : dim;
  Tensor tensor = TRY(Tensor::Make(type.dtype, std::move(shape)));
  if (type.dtype != DType::kString) {
    std::memset(tensor.raw(), 0, static_cast<std::size_t>(tensor.bytes()));
  }
  return Value(std::move(tensor));
}

/// Whether every feed is of an input of the model, none of them twice.
bool AreInputs(const Model& model, const Feeds& feeds) {
  if (feeds.size() > kFewFeeds) return false;
  for (auto feed = feeds.begin(); feed != feeds.end(); ++feed) {
    const auto& name = feed->first;
    const auto inputs = model.inputs();
    if (std::ranges::find(inputs, name, &ValueInfo::name) == inputs.end()) return false;
    if (std::any_of(feeds.begin(), feed, [&](const auto& f) { return f.first == name; })) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string ValueText(const Value& value) {
  if (const Tensor* tensor = value.tensor()) {
    return fmt::format("{}{}", DTypeName(tensor->dtype()), ShapeText(tensor->shape()));
  }
  if (const Sequence* sequence = value.sequence()) {
    return fmt::format("a sequence of {}", sequence->items.size());
  }
  return value.map() != nullptr ? "a map" : "nothing";
}

Result<void> CheckInput(const ValueInfo& info, const Value& value) {
  const TypeInfo& type = info.type;
  if (!KindFits(type.kind, value)) {
    return Wrong("Input.WrongType", fmt::format("input '{}' wants {} and got {}", info.name,
                                                ShapedTypeText(type), ValueText(value)));
  }
  const Tensor* tensor = value.tensor();
  if (tensor == nullptr || type.kind != TypeInfo::Kind::kTensor) return {};
  if (type.dtype != DType::kUndefined && type.dtype != tensor->dtype()) {
    return Wrong("Input.WrongType", fmt::format("input '{}' wants {} and got {}", info.name,
                                                ShapedTypeText(type), ValueText(value)));
  }
  if (type.shape && !ShapeFits(*type.shape, tensor->shape())) {
    return Wrong("Input.WrongShape", fmt::format("input '{}' wants {} and got {}", info.name,
                                                 ShapedTypeText(type), ValueText(value)));
  }
  return {};
}

Result<std::set<std::string>> OverriddenNames(const Model& model, const Feeds& feeds) {
  if (AreInputs(model, feeds)) return std::set<std::string>();
  std::set<std::string> names, seen;
  for (const auto& [name, value] : feeds) {
    if (!seen.insert(name).second) {
      return Wrong("Input.Twice", fmt::format("input '{}' is fed twice", name));
    }
    if (std::ranges::find(model.inputs(), name, &ValueInfo::name) != model.inputs().end()) {
      continue;
    }
    const auto more = model.overridable_initializers();
    if (std::ranges::find(more, name, &ValueInfo::name) == more.end()) {
      return Wrong("Input.Unknown", fmt::format("the model has no input '{}'; its inputs are: {}",
                                                name, NameList(model.inputs())));
    }
    names.insert(name);
  }
  return names;
}

Result<void> InputValues(std::span<const ValueInfo> inputs, const Feeds& feeds,
                         std::vector<Value>& values) {
  values.resize(inputs.size());
  auto value = values.begin();
  for (const ValueInfo& info : inputs) {
    const auto fed = std::ranges::find(feeds, info.name, &Feeds::value_type::first);
    if (fed == feeds.end()) {
      if (info.type.kind == TypeInfo::Kind::kOptional) {
        *value++ = {};
        continue;
      }
      return Wrong("Input.Missing",
                   fmt::format("input '{}' ({}) is missing", info.name, ShapedTypeText(info.type)));
    }
    TRY(CheckInput(info, fed->second));
    *value++ = fed->second;
  }
  return {};
}

Result<void> WantedOutputs(const Model& model, std::span<const std::string> names,
                           std::vector<bool>& wanted) {
  const auto outputs = model.outputs();
  wanted.assign(outputs.size(), names.empty());
  for (const std::string& name : names) {
    const auto found = std::ranges::find(outputs, name, &ValueInfo::name);
    if (found == outputs.end()) {
      return Wrong("Output.Unknown", fmt::format("the model has no output '{}'; its outputs are: "
                                                 "{}",
                                                 name, NameList(outputs)));
    }
    wanted[static_cast<std::size_t>(found - outputs.begin())] = true;
  }
  return {};
}

Result<Feeds> ZeroFeeds(const Model& model, std::int64_t dimension) {
  Feeds feeds;
  for (const ValueInfo& info : model.inputs()) {
    auto zero = ZeroOf(info.type, dimension);
    if (!zero)
      return Readable(Within(fmt::format("input '{}'", info.name), std::move(zero).error()));
    feeds.emplace_back(info.name, *std::move(zero));
  }
  return feeds;
}

}  // namespace slipway::runtime
