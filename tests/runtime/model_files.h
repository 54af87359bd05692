// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/runtime.h"

namespace slipway::runtime {

/// A model of tests/models.
inline std::filesystem::path ModelFile(std::string_view name) {
  return std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests" / "models" /
         (std::string(name) + ".onnx");
}

/// The model of that name, which must load.
inline Model LoadModel(std::string_view name) {
  auto model = Model::Load(ModelFile(name));
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

inline std::unique_ptr<Session> MakeSession(const Model& model,
                                            const SessionOptions& options = {}) {
  auto session = Session::Create(model, options);
  if (!session) ADD_FAILURE() << session.error().message;
  return *std::move(session);
}

inline Value Floats(Shape shape, std::vector<float> elements) {
  return Value(Tensor::FromVector(DType::kFloat32, std::move(shape), std::move(elements)));
}
inline Value Int64s(Shape shape, std::vector<std::int64_t> elements) {
  return Value(Tensor::FromVector(DType::kInt64, std::move(shape), std::move(elements)));
}
inline Value Bool(bool truth) {
  return Value(Tensor::FromVector(DType::kBool, {}, std::vector<std::uint8_t>{truth}));
}

inline std::vector<float> FloatsOf(const Value& value) {
  const auto data = value.tensor()->data<float>();
  return {data.begin(), data.end()};
}

/// Runs the model once; failures are reported and give no outputs.
inline std::vector<Value> RunModel(std::string_view name, const Feeds& feeds,
                                   const SessionOptions& options = {}) {
  auto outputs = MakeSession(LoadModel(name), options)->Run(feeds);
  if (!outputs) {
    ADD_FAILURE() << outputs.error().message;
    return {};
  }
  return *std::move(outputs);
}

}  // namespace slipway::runtime
