// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/server/form.h"
#include "runtime/server/scorer.h"

/// The Open Inference Protocol, version 2, with its binary tensor data extension.
/// Source: open_inference_rest.yaml; extension_binary_data.md.
namespace slipway::server {

/// `FP32`, `BYTES`; empty for an element type the protocol has no word for.
std::string_view OipName(runtime::DType dtype);
/// kInvalidArgument (id `Input.WrongType`) listing the words there are.
Result<runtime::DType> OipType(std::string_view name);

/// An inference request.
struct OipRequest {
  struct Output {
    std::string name;
    bool binary = false;
  };
  std::string id;
  bool has_id = false;
  Question question;            ///< `outputs` empty: all
  std::vector<Output> outputs;  ///< as asked for
  bool binary_output = false;   ///< for outputs that do not say
};

/// `header_bytes`: how much of the body is JSON, tensors follow; -1: all of it.
Result<OipRequest> ReadOip(std::string_view body, std::int64_t header_bytes);

struct OipReply {
  std::string body;
  std::int64_t header_bytes = -1;  ///< -1: all of it is JSON
};
/// Outputs that are no tensors, or of a type without a word in the protocol, are left out;
/// kInvalidArgument (id `Output.NoTensor`) where one was asked for by name.
Result<OipReply> WriteOip(const ServedModel& model, const OipRequest& request,
                          const std::vector<runtime::Value>& values);

/// Name, versions, platform, inputs and outputs.
std::string OipMetadata(const ServedModel& model, std::span<const ServedModel> all);

/// A tensor's elements as the binary extension sends them: little-endian, row-major; BYTES as a
/// 4-byte length before each element.
Result<runtime::Tensor> ReadOipBinary(std::string_view bytes, runtime::DType dtype,
                                      const runtime::Shape& shape);
void AppendOipBinary(const runtime::Tensor& tensor, std::string& out);

}  // namespace slipway::server
