// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/tensor.h"

namespace slipway::runtime {

class Value;

/// An ordered list of values of one type. Source: ONNX IR, "Sequence".
struct Sequence {
  std::vector<Value> items;
};

/// Keys to values: `keys` is a tensor [n] of integers or strings, `items` its n values.
struct Map {
  Tensor keys;
  std::vector<Value> items;
};

/// What flows along an edge of a graph: a tensor, a sequence, a map, or nothing (an empty
/// optional). Copies are shallow; contents are immutable once shared.
class Value {
 public:
  Value() = default;
  Value(Tensor tensor) : state_(std::move(tensor)) {}
  Value(std::shared_ptr<const Sequence> sequence) : state_(std::move(sequence)) {}
  Value(std::shared_ptr<const Map> map) : state_(std::move(map)) {}

  bool is_none() const { return state_.index() == 0; }
  const Tensor* tensor() const { return std::get_if<Tensor>(&state_); }
  Tensor* tensor() { return std::get_if<Tensor>(&state_); }
  const Sequence* sequence() const {
    auto* p = std::get_if<std::shared_ptr<const Sequence>>(&state_);
    return p ? p->get() : nullptr;
  }
  const Map* map() const {
    auto* p = std::get_if<std::shared_ptr<const Map>>(&state_);
    return p ? p->get() : nullptr;
  }

 private:
  std::variant<std::monostate, Tensor, std::shared_ptr<const Sequence>, std::shared_ptr<const Map>>
      state_;
};

/// The declared type of a value.
struct TypeInfo {
  enum class Kind : std::uint8_t { kTensor, kSparseTensor, kSequence, kMap, kOptional };
  Kind kind = Kind::kTensor;
  DType dtype = DType::kUndefined;  ///< tensors: of the elements; maps: of the keys
  /// Tensors: nothing if the rank is not declared; -1 where a dimension is unknown.
  std::optional<Shape> shape = {};
  /// One per dimension: its symbol, empty where it has none.
  std::vector<std::string> symbols = {};
  std::vector<TypeInfo> element = {};  ///< one item for sequences, maps and optionals
};

/// `tensor(float)`, `seq(map(int64,tensor(float)))`, as the ONNX Runtime API writes it.
std::string TypeText(const TypeInfo& type);

/// `float[batch,3,64,64]`, `?` where unknown; other kinds as TypeText.
std::string ShapedTypeText(const TypeInfo& type);

/// A named input or output of a model.
struct ValueInfo {
  std::string name;
  TypeInfo type;
};

}  // namespace slipway::runtime
