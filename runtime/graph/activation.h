// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "runtime/graph/rewriter.h"

namespace slipway::runtime {

/// An elementwise function that operators of the domain `slipway` apply to what they compute.
struct Activation {
  std::string name;  ///< as ConvActivationOf knows it
  float alpha = 0;
  float beta = 0;
};

/// What a node does to its input 0, if it is such a function with constant parameters.
std::optional<Activation> ActivationOf(const Rewriter& graph, std::size_t index);

void SetActivation(Attributes& attributes, const Activation& activation);

}  // namespace slipway::runtime
