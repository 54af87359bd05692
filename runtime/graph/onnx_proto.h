// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/attributes.h"
#include "runtime/runtime.h"
#include "runtime/stored_bytes.h"

/// The messages of onnx.proto as plain values. Text is a view into the serialised bytes.
/// Read here rather than by protobuf so that weights need not be copied, newer fields are known,
/// and depth and sizes are bounded while reading. Source: onnx.proto3, IR version 13.
namespace slipway::runtime::proto {

struct Graph;

struct Attribute {
  std::string_view name = {},
                   reference = {};  ///< `reference`: of an attribute of the function around it
  std::int64_t type = 0;            ///< AttributeProto.AttributeType
  std::optional<runtime::Attribute> value = {};  ///< unless it holds graphs or only refers
  std::vector<std::shared_ptr<const Graph>> graphs = {};
  bool is_list = false;  ///< of graphs
};

struct Node {
  std::string_view name = {}, type = {}, domain = {}, overload = {};
  std::vector<std::string_view> inputs = {}, outputs = {};
  std::vector<Attribute> attributes = {};
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct Graph {
  std::string_view name, description;
  std::vector<Node> nodes;
  std::vector<NamedTensor> initializers;
  std::vector<ValueInfo> inputs, outputs;
};

using Opsets = std::vector<std::pair<std::string, std::int64_t>>;

struct Function {
  std::string_view name, domain, overload;
  std::vector<std::string_view> inputs, outputs, attributes;
  std::vector<Attribute> defaults;
  std::vector<Node> nodes;
  Opsets opsets;
};

struct Model {
  std::optional<Graph> graph;
  std::vector<Function> functions;
  ModelInfo info;  ///< what the file says; counts are not filled in
};

/// Where tensors' bytes come from.
struct Source {
  /// Keeps the serialised bytes alive and may be written to; null: tensors are copied out.
  std::shared_ptr<const void> owner = nullptr;
  /// The file that `owner` holds; null where the bytes are no file's.
  std::shared_ptr<StoredBytes> stored = nullptr;
  /// Gives the bytes that a tensor keeps outside; null: refused.
  std::function<Result<Tensor>(DType dtype, const Shape& shape, const std::string& location,
                               std::int64_t offset, std::int64_t length)>
      external = {};
  std::int64_t depth = 0;  ///< of nested graphs and types
  ModelLimits limits = {};
};

Result<Model> ReadModel(std::span<const std::byte> bytes, Source& source);
Result<NamedTensor> ReadTensor(std::span<const std::byte> bytes, Source& source);
/// SparseTensorProto, made dense.
Result<NamedTensor> ReadSparseTensor(std::span<const std::byte> bytes, Source& source);
Result<TypeInfo> ReadType(std::span<const std::byte> bytes, Source& source);
Result<Value> ReadSequence(std::span<const std::byte> bytes, Source& source);
Result<Value> ReadOptional(std::span<const std::byte> bytes, Source& source);

/// kInvalidArgument, id `Model.Invalid`.
Error Invalid(std::string message);

}  // namespace slipway::runtime::proto
