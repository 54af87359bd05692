// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Small ONNX models written field by field, so that tests can also write wrong ones.
/// Source: onnx.proto and the protobuf wire format.
namespace slipway::registry::testing::onnx {

inline std::string Varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string Number(std::uint64_t field, std::int64_t value) {
  return Varint(field << 3) + Varint(static_cast<std::uint64_t>(value));
}
inline std::string Bytes(std::uint64_t field, std::string_view value) {
  return Varint(field << 3 | 2) + Varint(value.size()) + std::string(value);
}

/// A dimension: a number, a symbol, or unknown where both are absent.
struct Dim {
  std::int64_t number = -1;
  std::string symbol = {};
};

inline std::string TensorType(int dtype, const std::vector<Dim>* shape) {
  std::string type = Number(1, dtype);
  if (shape != nullptr) {
    std::string dims;
    for (const Dim& dim : *shape) {
      if (dim.number >= 0) {
        dims += Bytes(1, Number(1, dim.number));
      } else {
        dims += Bytes(1, dim.symbol.empty() ? std::string() : Bytes(2, dim.symbol));
      }
    }
    type += Bytes(2, dims);
  }
  return Bytes(1, type);
}
inline std::string Value(std::string_view name, std::string_view type) {
  return Bytes(1, name) + Bytes(2, type);
}

inline std::string Node(std::string_view type, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, std::string_view domain = "") {
  std::string node;
  for (const std::string& input : inputs) node += Bytes(1, input);
  for (const std::string& output : outputs) node += Bytes(2, output);
  node += Bytes(3, "the_node") + Bytes(4, type);
  return domain.empty() ? node : node + Bytes(7, domain);
}

/// A float initialiser whose bytes stand in the file `location`.
inline std::string ExternalTensor(std::string_view name, std::int64_t elements,
                                  std::string_view location) {
  return Number(1, elements) + Number(2, 1) + Bytes(8, name) +
         Bytes(13, Bytes(1, "location") + Bytes(2, location)) + Number(14, 1);
}

struct Graph {
  std::vector<std::string> nodes, initializers, inputs, outputs;
};

inline std::string Model(const Graph& graph, std::int64_t opset = 13) {
  std::string bytes;
  for (const std::string& node : graph.nodes) bytes += Bytes(1, node);
  bytes += Bytes(2, "graph");
  for (const std::string& tensor : graph.initializers) bytes += Bytes(5, tensor);
  for (const std::string& input : graph.inputs) bytes += Bytes(11, input);
  for (const std::string& output : graph.outputs) bytes += Bytes(12, output);
  return Number(1, 7) + Bytes(7, bytes) + Bytes(8, Number(2, opset));
}

/// `y = Relu(x)`, x: float[batch,3,?].
inline std::string ReluModel() {
  const std::vector<Dim> shape = {{-1, "batch"}, {3, ""}, {}};
  return Model({.nodes = {Node("Relu", {"x"}, {"y"})},
                .initializers = {},
                .inputs = {Value("x", TensorType(1, &shape))},
                .outputs = {Value("y", TensorType(1, &shape))}});
}

/// `y = x + w`, w: float[4] in the file `location`.
inline std::string ExternalModel(std::string_view location) {
  const std::vector<Dim> shape = {{4, ""}};
  return Model({.nodes = {Node("Add", {"x", "w"}, {"y"})},
                .initializers = {ExternalTensor("w", 4, location)},
                .inputs = {Value("x", TensorType(1, &shape))},
                .outputs = {Value("y", TensorType(1, &shape))}});
}

/// A model whose only operator no runtime has.
inline std::string UnknownOperatorModel() {
  const std::vector<Dim> shape = {{4, ""}};
  return Model({.nodes = {Node("NoSuchOperator", {"x"}, {"y"})},
                .initializers = {},
                .inputs = {Value("x", TensorType(1, &shape))},
                .outputs = {Value("y", TensorType(1, &shape))}});
}

}  // namespace slipway::registry::testing::onnx
