// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// What a formal parameter stands for.
struct FormalType {
  enum class Kind : std::uint8_t { kAny, kTensor, kSequence, kMap, kOptional };
  Kind kind = Kind::kAny;
  std::string_view variable = {};  ///< of the OpDef's types; empty for a fixed element type
  DTypeSet dtypes = kAllTypes;
};

struct Formal {
  std::string_view name;
  FormalType type;
  bool optional = false;
  bool variadic = false;
  bool heterogeneous = false;
};

struct AttributeRule {
  std::string_view name;
  std::string_view kind;  ///< `int`, `floats`, `graph`, ...
  bool required = false;
  std::optional<Attribute> fallback = {};
};

/// OpDef's signature and attributes, parsed.
struct Schema {
  std::vector<Formal> inputs, outputs;
  std::vector<AttributeRule> attributes;

  /// The formal that input or output `index` belongs to; null if there are too many.
  static const Formal* At(const std::vector<Formal>& formals, std::size_t index);
};

/// kInternal where the strings of `op` do not follow their grammar (a bug of the operator's).
Result<Schema> ParseSchema(const OpDef& op);

/// Arity, and which optional inputs may be absent: kInvalidArgument naming the parameter.
Result<void> CheckArity(const Schema& schema, std::span<const std::int32_t> inputs,
                        std::span<const std::int32_t> outputs);

/// Names, types and presence of attributes; fills in defaults.
Result<void> CheckAttributes(const Schema& schema, Attributes& attributes);

/// That no input is an optional without a value, as they come at a run, where the operator wants
/// one.
Result<void> CheckFilled(const Schema& schema, std::span<const ValueFacts> inputs);

/// Element types of inputs against the signature; a type not known yet (kUndefined) passes.
/// Gives the element type of each output where the inputs bind it, else kUndefined.
Result<std::vector<ValueFacts>> CheckTypes(const Schema& schema, const OpDef& op,
                                           std::span<const ValueFacts> inputs,
                                           const std::vector<bool>& present, std::size_t outputs);

/// `float, double`
std::string DTypeSetText(DTypeSet dtypes);
/// `int`, `floats`, ... of a value.
std::string_view AttributeKind(const Attribute& attribute);

}  // namespace slipway::runtime
