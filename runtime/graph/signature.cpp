// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace slipway::runtime {
namespace {

Error Grammar(const OpDef& op, std::string_view what, std::string_view text) {
  return {.code = Code::kInternal,
          .message = fmt::format("operator {}: {} '{}' does not parse", op.type, what, text)};
}

Error Invalid(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Model.Invalid"};
}

/// Pieces between commas that stand outside of brackets, trimmed; none for empty text.
std::vector<std::string_view> SplitList(std::string_view text) {
  std::vector<std::string_view> items;
  if (Trim(text).empty()) return items;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(' || text[i] == '[') ++depth;
    if (text[i] == ')' || text[i] == ']') --depth;
    if (text[i] == ',' && depth == 0) {
      items.push_back(Trim(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  items.push_back(Trim(text.substr(start)));
  return items;
}

DType DTypeFromName(std::string_view name) {
  for (int i = 1; i < kDTypeCount; ++i) {
    if (name == DTypeName(static_cast<DType>(i))) return static_cast<DType>(i);
  }
  return DType::kUndefined;
}

bool ParseElement(const OpDef& op, std::string_view text, FormalType& type) {
  for (const TypeRule& rule : op.types) {
    if (rule.name == text) {
      type.variable = rule.name;
      type.dtypes = rule.dtypes;
      return true;
    }
  }
  const DType dtype = DTypeFromName(text);
  if (dtype != DType::kUndefined) type.dtypes = Types({dtype});
  return dtype != DType::kUndefined || text == "any";
}

bool ParseType(const OpDef& op, std::string_view text, FormalType& type) {
  using Kind = FormalType::Kind;
  struct Word {
    std::string_view name;
    Kind kind;
  };
  for (const Word& word : {Word{"seq", Kind::kSequence}, Word{"map", Kind::kMap},
                           Word{"optional", Kind::kOptional}, Word{"tensor", Kind::kTensor}}) {
    if (text == word.name) {
      type.kind = word.kind;
      return true;
    }
    if (text.starts_with(word.name) && text.size() > word.name.size() + 1 &&
        text[word.name.size()] == '(' && text.ends_with(')')) {
      type.kind = word.kind;
      const auto inner = text.substr(word.name.size() + 1, text.size() - word.name.size() - 2);
      FormalType nested;
      if (ParseElement(op, inner, type)) return true;
      for (std::string_view part : SplitList(inner)) {
        if (!ParseType(op, part, nested)) return false;
      }
      return true;
    }
  }
  if (text == "any") return true;
  type.kind = Kind::kTensor;
  return ParseElement(op, text, type);
}

Result<std::vector<Formal>> ParseFormals(const OpDef& op, std::string_view text) {
  std::vector<Formal> formals;
  for (std::string_view item : SplitList(text)) {
    const auto colon = item.find(':');
    if (colon == std::string_view::npos) return Grammar(op, "parameter", item);
    Formal formal;
    std::string_view name = Trim(item.substr(0, colon));
    for (; !name.empty() && (name.back() == '?' || name.back() == '*'); name.remove_suffix(1)) {
      if (name.back() == '?') {
        formal.optional = true;
      } else if (formal.variadic) {
        formal.heterogeneous = true;
      } else {
        formal.variadic = true;
      }
    }
    formal.name = name;
    if (name.empty() || !ParseType(op, Trim(item.substr(colon + 1)), formal.type)) {
      return Grammar(op, "parameter", item);
    }
    formals.push_back(formal);
  }
  return formals;
}

template <class T>
bool ParseNumber(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

template <class T>
std::optional<Attribute> ParseNumbers(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  std::vector<T> list;
  for (std::string_view item : SplitList(text.substr(1, text.size() - 2))) {
    T number{};
    if (!ParseNumber(item, number)) return std::nullopt;
    list.push_back(number);
  }
  return Attribute(std::move(list));
}

std::optional<Attribute> ParseFallback(std::string_view kind, std::string_view text) {
  if (kind == "string") return Attribute(std::string(text));
  if (kind == "ints") return ParseNumbers<std::int64_t>(text);
  if (kind == "floats") return ParseNumbers<float>(text);
  if (std::int64_t number = 0; kind == "int" && ParseNumber(text, number)) return number;
  if (float number = 0; kind == "float" && ParseNumber(text, number)) return number;
  if (kind == "strings" && text.starts_with('[') && text.ends_with(']')) {
    std::vector<std::string> list;
    for (std::string_view item : SplitList(text.substr(1, text.size() - 2))) {
      list.emplace_back(item);
    }
    return Attribute(std::move(list));
  }
  return std::nullopt;
}

constexpr std::string_view kKinds[] = {"int",  "float",  "string",  "tensor",  "graph", "type",
                                       "ints", "floats", "strings", "tensors", "graphs"};

Result<std::vector<AttributeRule>> ParseAttributes(const OpDef& op) {
  std::vector<AttributeRule> rules;
  for (std::string_view item : SplitList(op.attributes)) {
    const auto colon = item.find(':');
    if (colon == std::string_view::npos) return Grammar(op, "attribute", item);
    AttributeRule rule{.name = Trim(item.substr(0, colon)), .kind = Trim(item.substr(colon + 1))};
    if (rule.name.ends_with('!')) {
      rule.required = true;
      rule.name.remove_suffix(1);
    }
    if (const auto equals = rule.kind.find('='); equals != std::string_view::npos) {
      const std::string_view text = Trim(rule.kind.substr(equals + 1));
      rule.kind = Trim(rule.kind.substr(0, equals));
      rule.fallback = ParseFallback(rule.kind, text);
      if (!rule.fallback) return Grammar(op, "default of attribute", item);
    }
    if (std::ranges::find(kKinds, rule.kind) == std::end(kKinds)) {
      return Grammar(op, "attribute", item);
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<void> CheckSide(const std::vector<Formal>& formals, std::span<const std::int32_t> actual,
                       std::string_view side) {
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const Formal* formal = Schema::At(formals, i);
    if (formal == nullptr) {
      return Invalid(
          fmt::format("{} {}s where at most {} are taken", actual.size(), side, formals.size()));
    }
    if (actual[i] < 0 && side == "input" && !formal->optional && !formal->heterogeneous) {
      return Invalid(fmt::format("input {} '{}' is required and left out", i, formal->name));
    }
  }
  for (std::size_t i = actual.size(); i < formals.size(); ++i) {
    if (formals[i].optional || (formals[i].variadic && formals[i].heterogeneous)) continue;
    return Invalid(fmt::format("{} {} '{}' is required and missing", side, i, formals[i].name));
  }
  return {};
}

struct Binding {
  std::string_view variable;
  DType dtype;
};

Result<void> Bind(const Formal& formal, const OpDef& op, std::size_t index, DType dtype,
                  std::vector<Binding>& bindings) {
  const FormalType& type = formal.type;
  if (dtype == DType::kUndefined || type.kind != FormalType::Kind::kTensor) return {};
  if (!type.dtypes.Has(dtype)) {
    return Invalid(fmt::format("input {} '{}' is {}, and {} allows {}", index, formal.name,
                               DTypeName(dtype), op.type, DTypeSetText(type.dtypes)));
  }
  if (type.variable.empty() || formal.heterogeneous) return {};
  for (const Binding& binding : bindings) {
    if (binding.variable == type.variable && binding.dtype != dtype) {
      return Invalid(fmt::format("input {} '{}' is {} where {} is {} already", index, formal.name,
                                 DTypeName(dtype), type.variable, DTypeName(binding.dtype)));
    }
  }
  bindings.push_back({type.variable, dtype});
  return {};
}

/// Whether the value comes from a graph that has not run: it may turn out to be of any kind.
bool IsUnknown(const ValueFacts& facts) {
  return facts.kind == TypeInfo::Kind::kTensor && facts.dtype == DType::kUndefined && !facts.shape;
}

bool KindMatches(FormalType::Kind formal, TypeInfo::Kind actual) {
  switch (formal) {
    case FormalType::Kind::kAny:
    case FormalType::Kind::kOptional:
      return true;
    case FormalType::Kind::kTensor:
      return actual == TypeInfo::Kind::kTensor || actual == TypeInfo::Kind::kOptional;
    case FormalType::Kind::kSequence:
      return actual == TypeInfo::Kind::kSequence || actual == TypeInfo::Kind::kOptional;
    case FormalType::Kind::kMap:
      return actual == TypeInfo::Kind::kMap || actual == TypeInfo::Kind::kOptional;
  }
  return false;
}

ValueFacts OutputFacts(const Formal* formal, const std::vector<Binding>& bindings) {
  ValueFacts facts;
  if (formal == nullptr) return facts;
  if (formal->type.kind == FormalType::Kind::kSequence) facts.kind = TypeInfo::Kind::kSequence;
  if (formal->type.kind == FormalType::Kind::kMap) facts.kind = TypeInfo::Kind::kMap;
  if (formal->type.variable.empty()) {
    for (int i = 1; i < kDTypeCount; ++i) {
      if (formal->type.dtypes.bits == Types({static_cast<DType>(i)}).bits) {
        facts.dtype = static_cast<DType>(i);
      }
    }
  }
  for (const Binding& binding : bindings) {
    if (!formal->heterogeneous && binding.variable == formal->type.variable) {
      facts.dtype = binding.dtype;
    }
  }
  return facts;
}

}  // namespace

const Formal* Schema::At(const std::vector<Formal>& formals, std::size_t index) {
  if (index < formals.size()) return &formals[index];
  if (!formals.empty() && formals.back().variadic) return &formals.back();
  return nullptr;
}

Result<Schema> ParseSchema(const OpDef& op) {
  const auto arrow = op.signature.find("->");
  if (arrow == std::string_view::npos) return Grammar(op, "signature", op.signature);
  Schema schema;
  schema.inputs = TRY(ParseFormals(op, op.signature.substr(0, arrow)));
  schema.outputs = TRY(ParseFormals(op, op.signature.substr(arrow + 2)));
  schema.attributes = TRY(ParseAttributes(op));
  return schema;
}

Result<void> CheckArity(const Schema& schema, std::span<const std::int32_t> inputs,
                        std::span<const std::int32_t> outputs) {
  TRY(CheckSide(schema.inputs, inputs, "input"));
  return CheckSide(schema.outputs, outputs, "output");
}

std::string_view AttributeKind(const Attribute& attribute) {
  constexpr std::string_view kByIndex[] = {"int",  "float",  "string",  "tensor",  "graph", "type",
                                           "ints", "floats", "strings", "tensors", "graphs"};
  return kByIndex[attribute.index()];
}

Result<void> CheckAttributes(const Schema& schema, Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    if (name.starts_with("__")) continue;
    const auto rule =
        std::ranges::find(schema.attributes, std::string_view(name), &AttributeRule::name);
    if (rule == schema.attributes.end()) {
      return Invalid(fmt::format("attribute '{}' is not known", name));
    }
    if (AttributeKind(value) != rule->kind) {
      return Invalid(fmt::format("attribute '{}' is of type {} where {} is asked for", name,
                                 AttributeKind(value), rule->kind));
    }
  }
  for (const AttributeRule& rule : schema.attributes) {
    if (attributes.Has(rule.name)) continue;
    if (rule.required) return Invalid(fmt::format("attribute '{}' is missing", rule.name));
    if (rule.fallback) attributes.Set(std::string(rule.name), *rule.fallback);
  }
  return {};
}

Result<void> CheckFilled(const Schema& schema, std::span<const ValueFacts> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Formal* formal = Schema::At(schema.inputs, i);
    if (formal == nullptr || inputs[i].kind != TypeInfo::Kind::kOptional) continue;
    const auto kind = formal->type.kind;
    if (kind == FormalType::Kind::kAny || kind == FormalType::Kind::kOptional) continue;
    return Invalid(fmt::format("input {} '{}' is an optional without a value", i, formal->name));
  }
  return {};
}

Result<std::vector<ValueFacts>> CheckTypes(const Schema& schema, const OpDef& op,
                                           std::span<const ValueFacts> inputs,
                                           const std::vector<bool>& present, std::size_t outputs) {
  std::vector<Binding> bindings;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Formal* formal = Schema::At(schema.inputs, i);
    if (!present[i] || formal == nullptr || IsUnknown(inputs[i])) continue;
    if (!KindMatches(formal->type.kind, inputs[i].kind)) {
      return Invalid(
          fmt::format("input {} '{}' is of another kind than it takes", i, formal->name));
    }
    if (inputs[i].kind != TypeInfo::Kind::kTensor) continue;
    TRY(Bind(*formal, op, i, inputs[i].dtype, bindings));
  }
  std::vector<ValueFacts> facts;
  for (std::size_t i = 0; i < outputs; ++i) {
    facts.push_back(OutputFacts(Schema::At(schema.outputs, i), bindings));
  }
  return facts;
}

std::string DTypeSetText(DTypeSet dtypes) {
  std::string text;
  for (int i = 1; i < kDTypeCount; ++i) {
    if (!dtypes.Has(static_cast<DType>(i))) continue;
    if (!text.empty()) text += ", ";
    text += DTypeName(static_cast<DType>(i));
  }
  return text;
}

}  // namespace slipway::runtime
