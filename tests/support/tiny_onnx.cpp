// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tiny_onnx.h"

#include <cstring>

namespace slipway::testing {
namespace {

void AppendVarint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

/// A message of protobuf's wire format. Source: protobuf.dev, "Encoding".
class Message {
 public:
  Message& Number(int field, std::int64_t value) {
    AppendVarint(static_cast<std::uint64_t>(field) << 3, bytes_);
    AppendVarint(static_cast<std::uint64_t>(value), bytes_);
    return *this;
  }
  Message& Text(int field, std::string_view text) {
    AppendVarint((static_cast<std::uint64_t>(field) << 3) | 2, bytes_);
    AppendVarint(text.size(), bytes_);
    bytes_ += text;
    return *this;
  }
  Message& Part(int field, const Message& part) { return Text(field, part.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

Message FloatMatrix(std::string_view name) {
  constexpr int kFloat = 1;
  Message shape;
  shape.Part(1, Message().Text(2, "N")).Part(1, Message().Number(1, 2));
  const Message tensor = Message().Number(1, kFloat).Part(2, shape);
  return Message().Text(1, name).Part(2, Message().Part(1, tensor));
}

}  // namespace

std::string MakeTinyOnnx(const TinyOnnx& wanted) {
  Message node;
  node.Text(1, "x").Text(1, "x").Text(2, "y").Text(3, "only").Text(4, wanted.op_type);
  Message graph;
  graph.Part(1, node).Text(2, wanted.graph_name);
  graph.Part(11, FloatMatrix("x")).Part(12, FloatMatrix("y"));
  constexpr std::int64_t kIrVersion = 7;
  Message model;
  model.Number(1, kIrVersion).Text(2, "slipway-tests").Part(7, graph);
  model.Part(8, Message().Text(1, "").Number(2, wanted.opset));
  return model.bytes();
}

std::string MakeTinyTensor(const std::vector<std::int64_t>& dims,
                           const std::vector<float>& values) {
  constexpr int kFloat = 1;
  Message tensor;
  for (const std::int64_t dim : dims) tensor.Number(1, dim);
  std::string raw(values.size() * sizeof(float), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  tensor.Number(2, kFloat).Text(9, raw);
  return tensor.bytes();
}

}  // namespace slipway::testing
