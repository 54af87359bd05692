// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "runtime/server/json_reader.h"
#include "runtime/tensor.h"

namespace slipway::server {

/// Reads the proto3 JSON form of an onnx.TensorProto and gives the message serialised. Members
/// are known under their JSON names and their names in the schema; 64-bit integers may be
/// strings. Source: protobuf.dev, "ProtoJSON Format"; onnx.proto.
Result<std::string> ReadTensorProtoJson(JsonReader& reader);

/// `{"dims":["1","10"],"dataType":1,"rawData":"…","dataLocation":"DEFAULT"}`
void AppendTensorProtoJson(const runtime::Tensor& tensor, std::string& out);

}  // namespace slipway::server
