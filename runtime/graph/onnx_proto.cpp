// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/onnx_proto.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "runtime/graph/wire.h"

namespace slipway::runtime::proto {
namespace {

constexpr std::size_t kMostAttributes = 1000;

/// Counts nesting while it lives.
class Depth {
 public:
  explicit Depth(Source& source) : source_(source) { ++source_.depth; }
  ~Depth() { --source_.depth; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;
  Result<void> Check() const {
    if (source_.depth <= source_.limits.depth) return {};
    return Invalid(fmt::format("nested deeper than {}", source_.limits.depth));
  }

 private:
  Source& source_;
};

Result<std::pair<std::string, std::int64_t>> ReadOpset(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  std::pair<std::string, std::int64_t> opset;
  while (reader.Next()) {
    if (reader.number() == 1) opset.first = reader.Text();
    if (reader.number() == 2) opset.second = reader.Int();
  }
  TRY(reader.status());
  if (opset.first == "ai.onnx") opset.first.clear();
  return opset;
}

Result<std::pair<std::string, std::string>> ReadEntry(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  std::pair<std::string, std::string> entry;
  while (reader.Next()) {
    if (reader.number() == 1) entry.first = reader.Text();
    if (reader.number() == 2) entry.second = reader.Text();
  }
  TRY(reader.status());
  return entry;
}

Result<void> ReadShape(std::span<const std::byte> bytes, TypeInfo& type) {
  WireReader shape(bytes);
  type.shape.emplace();
  type.symbols.clear();
  while (shape.Next()) {
    if (shape.number() != 1) continue;
    WireReader dim(shape.Bytes());
    std::int64_t value = -1;
    std::string symbol;
    while (dim.Next()) {
      if (dim.number() == 1) value = dim.Int();
      if (dim.number() == 2) symbol = dim.Text();
    }
    TRY(dim.status());
    type.shape->push_back(value < 0 ? -1 : value);
    type.symbols.push_back(std::move(symbol));
    if (static_cast<std::int64_t>(type.shape->size()) > limits::kTensorRank) {
      return Invalid(fmt::format("a declared rank over {}", limits::kTensorRank));
    }
  }
  return shape.status();
}

Result<DType> ReadElementType(std::int64_t number) {
  if (number == 0) return DType::kUndefined;
  auto dtype = DTypeFromNumber(number);
  if (!dtype) return Invalid(fmt::format("element type {} is not known", number));
  return dtype;
}

Result<void> ReadTensorType(std::span<const std::byte> bytes, TypeInfo& type) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.number() == 1) type.dtype = TRY(ReadElementType(reader.Int()));
    if (reader.number() == 2) TRY(ReadShape(reader.Bytes(), type));
  }
  return reader.status();
}

/// Types of sequences (field 1: element), maps (1: key, 2: value), optionals (1: element).
Result<void> ReadNestedType(std::span<const std::byte> bytes, Source& source, TypeInfo& type) {
  WireReader reader(bytes);
  const bool is_map = type.kind == TypeInfo::Kind::kMap;
  while (reader.Next()) {
    if (is_map && reader.number() == 1) type.dtype = TRY(ReadElementType(reader.Int()));
    if (reader.number() == (is_map ? 2U : 1U)) {
      type.element = {TRY(ReadType(reader.Bytes(), source))};
    }
  }
  return reader.status();
}

Result<ValueInfo> ReadValueInfo(std::span<const std::byte> bytes, Source& source) {
  WireReader reader(bytes);
  ValueInfo info;
  while (reader.Next()) {
    if (reader.number() == 1) info.name = reader.Text();
    if (reader.number() == 2) {
      auto type = ReadType(reader.Bytes(), source);
      if (!type) return Within(fmt::format("type of '{}'", info.name), std::move(type).error());
      info.type = *std::move(type);
    }
  }
  TRY(reader.status());
  return info;
}

Result<Graph> ReadGraph(std::span<const std::byte> bytes, Source& source);

/// What an AttributeProto holds before its type is known to be honest.
struct RawAttribute {
  float f = 0;
  std::int64_t i = 0;
  std::string s;
  Tensor t;
  TypeInfo tp;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string> strings;
  std::vector<Tensor> tensors;
  std::int64_t implied = 0;  ///< type of the last value field seen
};

Result<void> ReadAttributeField(WireReader& reader, Source& source, RawAttribute& raw,
                                Attribute& out) {
  switch (reader.number()) {
    case 2:
      raw.f = reader.Float();
      raw.implied = 1;
      break;
    case 3:
      raw.i = reader.Int();
      raw.implied = 2;
      break;
    case 4:
      raw.s = reader.Text();
      raw.implied = 3;
      break;
    case 5:
      raw.t = TRY(ReadTensor(reader.Bytes(), source)).tensor;
      raw.implied = 4;
      break;
    case 22:
      raw.t = TRY(ReadSparseTensor(reader.Bytes(), source)).tensor;
      raw.implied = 11;
      break;
    case 6:
    case 11:
      out.graphs.push_back(std::make_shared<Graph>(TRY(ReadGraph(reader.Bytes(), source))));
      raw.implied = reader.number() == 6 ? 5 : 10;
      break;
    case 14:
      raw.tp = TRY(ReadType(reader.Bytes(), source));
      raw.implied = 13;
      break;
    case 7:
      reader.Floats(raw.floats);
      raw.implied = 6;
      break;
    case 8:
      reader.Ints(raw.ints);
      raw.implied = 7;
      break;
    case 9:
      raw.strings.emplace_back(reader.Text());
      raw.implied = 8;
      break;
    case 10:
      raw.tensors.push_back(TRY(ReadTensor(reader.Bytes(), source)).tensor);
      raw.implied = 9;
      break;
    case 23:
      raw.tensors.push_back(TRY(ReadSparseTensor(reader.Bytes(), source)).tensor);
      raw.implied = 12;
      break;
    case 1:
      out.name = reader.Text();
      break;
    case 20:
      out.type = reader.Int();
      break;
    case 21:
      out.reference = reader.Text();
      break;
    default:
      break;
  }
  return {};
}

Result<void> SettleAttribute(RawAttribute& raw, Attribute& out) {
  if (!out.reference.empty()) return {};
  switch (out.type != 0 ? out.type : raw.implied) {
    case 1:
      out.value = raw.f;
      return {};
    case 2:
      out.value = raw.i;
      return {};
    case 3:
      out.value = std::move(raw.s);
      return {};
    case 4:
    case 11:
      if (raw.t.dtype() == DType::kUndefined) return Invalid("its tensor is missing");
      out.value = std::move(raw.t);
      return {};
    case 5:
      if (out.graphs.size() != 1) return Invalid("its graph is missing");
      return {};
    case 6:
      out.value = std::move(raw.floats);
      return {};
    case 7:
      out.value = std::move(raw.ints);
      return {};
    case 8:
      out.value = std::move(raw.strings);
      return {};
    case 9:
    case 12:
      out.value = std::move(raw.tensors);
      return {};
    case 10:
      out.is_list = true;
      return {};
    case 13:
      out.value = std::move(raw.tp);
      return {};
    default:
      return Invalid(fmt::format("attribute type {} is not known", out.type));
  }
}

Result<Attribute> ReadAttribute(std::span<const std::byte> bytes, Source& source) {
  WireReader reader(bytes);
  Attribute attribute;
  RawAttribute raw;
  Result<void> done;
  while (done && reader.Next()) done = ReadAttributeField(reader, source, raw, attribute);
  if (done) done = reader.status();
  if (done) done = SettleAttribute(raw, attribute);
  if (!done) {
    return Within(fmt::format("attribute '{}'", attribute.name), std::move(done).error());
  }
  if (attribute.name.empty()) return Invalid("an attribute without a name");
  return attribute;
}

Result<Node> ReadNode(std::span<const std::byte> bytes, Source& source) {
  WireReader reader(bytes);
  Node node;
  std::vector<std::span<const std::byte>> attributes;
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
        node.inputs.push_back(reader.Text());
        break;
      case 2:
        node.outputs.push_back(reader.Text());
        break;
      case 3:
        node.name = reader.Text();
        break;
      case 4:
        node.type = reader.Text();
        break;
      case 5:
        attributes.push_back(reader.Bytes());
        break;
      case 7:
        node.domain = reader.Text();
        break;
      case 8:
        node.overload = reader.Text();
        break;
      default:
        break;
    }
  }
  TRY(reader.status());
  if (node.domain == "ai.onnx") node.domain = {};
  if (attributes.size() > kMostAttributes) {
    return Invalid(
        fmt::format("node {} '{}' has {} attributes", node.type, node.name, attributes.size()));
  }
  node.attributes.reserve(attributes.size());
  for (const auto& attribute : attributes) {
    auto read = ReadAttribute(attribute, source);
    if (!read) {
      return Within(fmt::format("node {} '{}'", node.type, node.name), std::move(read).error());
    }
    node.attributes.push_back(*std::move(read));
  }
  return node;
}

Result<Graph> ReadGraph(std::span<const std::byte> bytes, Source& source) {
  const Depth depth(source);
  TRY(depth.Check());
  WireReader reader(bytes);
  Graph graph;
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
        graph.nodes.push_back(TRY(ReadNode(reader.Bytes(), source)));
        break;
      case 2:
        graph.name = reader.Text();
        break;
      case 5:
        graph.initializers.push_back(TRY(ReadTensor(reader.Bytes(), source)));
        break;
      case 15:
        graph.initializers.push_back(TRY(ReadSparseTensor(reader.Bytes(), source)));
        break;
      case 10:
        graph.description = reader.Text();
        break;
      case 11:
        graph.inputs.push_back(TRY(ReadValueInfo(reader.Bytes(), source)));
        break;
      case 12:
        graph.outputs.push_back(TRY(ReadValueInfo(reader.Bytes(), source)));
        break;
      default:
        break;
    }
    if (static_cast<std::int64_t>(graph.nodes.size()) > source.limits.nodes) {
      return Invalid(fmt::format("more than {} nodes", source.limits.nodes));
    }
  }
  TRY(reader.status());
  return graph;
}

Result<Function> ReadFunction(std::span<const std::byte> bytes, Source& source) {
  WireReader reader(bytes);
  Function function;
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
        function.name = reader.Text();
        break;
      case 4:
        function.inputs.push_back(reader.Text());
        break;
      case 5:
        function.outputs.push_back(reader.Text());
        break;
      case 6:
        function.attributes.push_back(reader.Text());
        break;
      case 7:
        function.nodes.push_back(TRY(ReadNode(reader.Bytes(), source)));
        break;
      case 9:
        function.opsets.push_back(TRY(ReadOpset(reader.Bytes())));
        break;
      case 10:
        function.domain = reader.Text();
        break;
      case 11:
        function.defaults.push_back(TRY(ReadAttribute(reader.Bytes(), source)));
        break;
      case 13:
        function.overload = reader.Text();
        break;
      default:
        break;
    }
  }
  TRY(reader.status());
  if (function.domain == "ai.onnx") function.domain = {};
  return function;
}

}  // namespace

Error Invalid(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Model.Invalid"};
}

Result<TypeInfo> ReadType(std::span<const std::byte> bytes, Source& source) {
  const Depth depth(source);
  TRY(depth.Check());
  WireReader reader(bytes);
  TypeInfo type;
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
      case 8:
        type.kind = reader.number() == 1 ? TypeInfo::Kind::kTensor : TypeInfo::Kind::kSparseTensor;
        TRY(ReadTensorType(reader.Bytes(), type));
        break;
      case 4:
        type.kind = TypeInfo::Kind::kSequence;
        TRY(ReadNestedType(reader.Bytes(), source, type));
        break;
      case 5:
        type.kind = TypeInfo::Kind::kMap;
        TRY(ReadNestedType(reader.Bytes(), source, type));
        break;
      case 9:
        type.kind = TypeInfo::Kind::kOptional;
        TRY(ReadNestedType(reader.Bytes(), source, type));
        break;
      default:
        break;
    }
  }
  TRY(reader.status());
  return type;
}

Result<Model> ReadModel(std::span<const std::byte> bytes, Source& source) {
  WireReader reader(bytes);
  Model model;
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
        model.info.ir_version = reader.Int();
        break;
      case 2:
        model.info.producer_name = reader.Text();
        break;
      case 3:
        model.info.producer_version = reader.Text();
        break;
      case 4:
        model.info.domain = reader.Text();
        break;
      case 5:
        model.info.model_version = reader.Int();
        break;
      case 6:
        model.info.description = reader.Text();
        break;
      case 7:
        model.graph = TRY(ReadGraph(reader.Bytes(), source));
        break;
      case 8:
        model.info.opsets.push_back(TRY(ReadOpset(reader.Bytes())));
        break;
      case 14:
        model.info.metadata.push_back(TRY(ReadEntry(reader.Bytes())));
        break;
      case 25:
        model.functions.push_back(TRY(ReadFunction(reader.Bytes(), source)));
        break;
      default:
        break;
    }
  }
  TRY(reader.status());
  return model;
}

}  // namespace slipway::runtime::proto
