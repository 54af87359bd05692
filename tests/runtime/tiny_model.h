// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/tensor.h"

/// Serialised models of a few nodes, made by the test that runs them. Source: onnx.proto.
namespace slipway::runtime::tiny {

inline std::string Varint(std::uint64_t number) {
  std::string bytes;
  for (; number > 127; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}
inline std::string Field(int number, std::int64_t value) {
  return Varint(static_cast<std::uint64_t>(number) << 3) +
         Varint(static_cast<std::uint64_t>(value));
}
inline std::string Field(int number, std::string_view bytes) {
  return Varint(static_cast<std::uint64_t>(number) << 3 | 2) + Varint(bytes.size()) +
         std::string(bytes);
}

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Texts = std::vector<std::string>;
/// A graph is its serialised bytes.
struct GraphBytes {
  std::string bytes;
};
struct Attribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, Ints, Floats, Texts, GraphBytes> value;
};

inline std::string AttributeBytes(const Attribute& attribute) {
  std::string bytes = Field(1, attribute.name);
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    return bytes + Field(3, *number) + Field(20, 2);
  }
  if (const auto* number = std::get_if<float>(&attribute.value)) {
    bytes += Varint(2U << 3 | 5);
    bytes.append(reinterpret_cast<const char*>(number), sizeof(*number));
    return bytes + Field(20, 1);
  }
  if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    return bytes + Field(4, *text) + Field(20, 3);
  }
  if (const auto* graph = std::get_if<GraphBytes>(&attribute.value)) {
    return bytes + Field(6, graph->bytes) + Field(20, 5);
  }
  if (const auto* list = std::get_if<Ints>(&attribute.value)) {
    for (const std::int64_t number : *list) bytes += Field(8, number);
    return bytes + Field(20, 7);
  }
  if (const auto* floats = std::get_if<Floats>(&attribute.value)) {
    for (const float number : *floats) {
      bytes += Varint(7U << 3 | 5);
      bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
    }
    return bytes + Field(20, 6);
  }
  for (const std::string& text : std::get<Texts>(attribute.value)) bytes += Field(9, text);
  return bytes + Field(20, 8);
}

struct Node {
  std::string type;
  Texts inputs, outputs;
  std::vector<Attribute> attributes = {};
  std::string domain = {};
};

struct Port {
  std::string name;
  DType dtype = DType::kFloat32;
  Ints shape = {};  ///< empty: open
};

inline std::string PortBytes(const Port& port) {
  std::string shape;
  for (const std::int64_t dim : port.shape) shape += Field(1, Field(1, dim));
  std::string type = Field(1, static_cast<std::int64_t>(port.dtype));
  if (!shape.empty()) type += Field(2, shape);
  return Field(1, port.name) + Field(2, Field(1, type));
}

/// Nodes between ports.
inline std::string GraphOf(const std::vector<Node>& nodes, const std::vector<Port>& inputs,
                           const std::vector<Port>& outputs) {
  std::string graph;
  for (const Node& node : nodes) {
    std::string bytes;
    for (const std::string& input : node.inputs) bytes += Field(1, input);
    for (const std::string& output : node.outputs) bytes += Field(2, output);
    bytes += Field(4, node.type);
    for (const Attribute& attribute : node.attributes) bytes += Field(5, AttributeBytes(attribute));
    bytes += Field(7, node.domain);
    graph += Field(1, bytes);
  }
  graph += Field(2, "g");
  for (const Port& port : inputs) graph += Field(11, PortBytes(port));
  for (const Port& port : outputs) graph += Field(12, PortBytes(port));
  return graph;
}

/// A model of that graph on ai.onnx `opset`, ai.onnx.ml 3, com.microsoft 1 and the training
/// preview.
inline std::string ModelOf(const std::string& graph, std::int64_t opset = 20) {
  std::string bytes = Field(1, 10) + Field(7, graph) + Field(8, Field(2, opset));
  bytes += Field(8, Field(1, "ai.onnx.ml") + Field(2, 3));
  bytes += Field(8, Field(1, "com.microsoft") + Field(2, 1));
  return bytes + Field(8, Field(1, "ai.onnx.preview.training") + Field(2, 1));
}

}  // namespace slipway::runtime::tiny
