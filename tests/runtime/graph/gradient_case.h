// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/runtime.h"
#include "tests/runtime/tiny_model.h"

/// Functions whose derivatives are tried, and how: against differences of the function itself.
namespace slipway::runtime::gradient {

inline constexpr std::string_view kTraining = "ai.onnx.preview.training";

/// A function y of inputs x0, x1, ...
struct Case {
  std::string name;
  std::vector<tiny::Node> nodes;
  std::vector<Shape> shapes;
  double from = -1.3, to = 1.7;  ///< the inputs' elements
  std::int64_t opset = 20;
};

/// Numbers in that range, `salt` making others of the same shape.
Tensor Numbers(const Shape& shape, double from, double to, std::size_t salt);
Result<Model> Parse(const std::string& bytes);
Result<std::vector<Value>> RunModel(const std::string& bytes, const Feeds& feeds,
                                    bool reference = false);

/// Has the derivatives of the case's function for all inputs checked, in optimised kernels and in
/// reference ones.
void Check(const Case& each);

/// The model that takes derivatives of the sum of y, and of the square of the first of them.
Result<Model> Twice(const Case& each);

/// A constant vector.
tiny::Node IntList(const std::string& name, tiny::Ints numbers);

/// Of graphs inside nodes; of recurrent nets.
std::vector<Case> ControlCases();
std::vector<Case> RecurrentCases();

}  // namespace slipway::runtime::gradient
