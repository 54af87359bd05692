// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/server/scorer.h"

/// The forms in which a model is asked and answers, each a pair of pure functions.
namespace slipway::server {

/// What a request asks of a model.
struct Question {
  runtime::Feeds feeds;
  std::vector<std::string> outputs;  ///< empty: all
};

/// Adds a feed; the later of two with one name counts.
void SetFeed(std::string name, runtime::Value value, runtime::Feeds& feeds);

/// The declared input of that name, which the model keeps. kInvalidArgument (id `Input.Unknown`)
/// naming the inputs.
Result<const runtime::ValueInfo*> InputNamed(const runtime::Model& model, std::string_view name);

/// Names of the outputs that were asked for: `wanted`, or all.
std::vector<std::string> OutputNames(const runtime::Model& model,
                                     const std::vector<std::string>& wanted);

/// ONNX Runtime Server's PredictRequest, as proto3 JSON or serialised. Source: predict.proto of
/// onnxruntime.server: `map<string, TensorProto> inputs = 2; repeated string output_filter = 3`.
Result<Question> ReadPredictJson(std::string_view body, const runtime::Model& model);
Result<Question> ReadPredictProto(std::string_view body, const runtime::Model& model);
/// PredictResponse: `map<string, TensorProto> outputs = 1`. Outputs that are no tensors are left
/// out; kUnimplemented (id `Output.NoTensor`) where one was asked for by name.
Result<std::string> WritePredictJson(const runtime::Model& model, const Question& question,
                                     const std::vector<runtime::Value>& values);
Result<std::string> WritePredictProto(const runtime::Model& model, const Question& question,
                                      const std::vector<runtime::Value>& values);

/// Plain JSON: `{"data": [[…]]}` for a model of one input, or `{"<input>": [[…]], …}`.
struct PlainQuestion {
  Question question;
  bool by_name = false;
};
Result<PlainQuestion> ReadPlain(std::string_view body, const runtime::Model& model);
/// `{"output": [[…]]}` to `data` where the model has one output, else `{"<output>": [[…]], …}`.
Result<std::string> WritePlain(const runtime::Model& model, bool by_name,
                               const std::vector<runtime::Value>& values);

}  // namespace slipway::server
