// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/tiny_model.h"

namespace slipway::runtime::tiny {

/// Builds a network of images with random weights; methods add a node and give its output's name.
class Net {
 public:
  explicit Net(std::uint32_t seed) : random_(seed) {}

  std::string Add(const std::string& type, Texts inputs, std::vector<Attribute> attributes = {}) {
    const std::string output = "v" + std::to_string(++count_);
    nodes_.push_back({type, std::move(inputs), {output}, std::move(attributes)});
    return output;
  }

  /// A constant of that shape, of numbers in [low, high).
  std::string Weights(const Ints& shape, float low, float high) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::int64_t size = 1;
    for (const std::int64_t dim : shape) size *= dim;
    Floats elements(static_cast<std::size_t>(size));
    for (float& element : elements) element = uniform(random_);
    const std::string flat = Add("Constant", {}, {{"value_floats", std::move(elements)}});
    return Add("Reshape", {flat, Add("Constant", {}, {{"value_ints", shape}})});
  }

  struct Conv {
    std::int64_t in = 1, out = 1, kernel = 3, stride = 1, pad = 1, group = 1;
  };
  std::string Convolve(const std::string& x, const Conv& conv) {
    const float most = 1.0F / static_cast<float>(conv.in / conv.group * conv.kernel);
    const std::string w =
        Weights({conv.out, conv.in / conv.group, conv.kernel, conv.kernel}, -most, most);
    return Add(
        "Conv", {x, w, Weights({conv.out}, -1, 1)},
        {{"pads", Ints(4, conv.pad)}, {"strides", Ints(2, conv.stride)}, {"group", conv.group}});
  }

  std::string Normalise(const std::string& x, std::int64_t channels) {
    const Ints shape{channels};
    return Add("BatchNormalization", {x, Weights(shape, 0.5, 1.5), Weights(shape, -1, 1),
                                      Weights(shape, -1, 1), Weights(shape, 0.5, 2)});
  }

  /// A number in [0, below).
  std::size_t Pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
  }

  /// The model with input `x`, whose shape is open unless it is given, and these outputs.
  std::string Model(const Texts& outputs, std::int64_t opset = 20, const Ints& shape = {}) const {
    std::vector<Port> ports;
    for (const std::string& output : outputs) ports.push_back({output});
    return ModelOf(GraphOf(nodes_, {{"x", DType::kFloat32, shape}}, ports), opset);
  }

 private:
  std::mt19937 random_;
  std::vector<Node> nodes_;
  int count_ = 0;
};

}  // namespace slipway::runtime::tiny
