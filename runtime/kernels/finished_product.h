// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "runtime/kernels/conv.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// What is done to the numbers of a product, in place.
struct ProductFinish {
  bool row = false;  ///< input 2, a row, is added to every row
  ConvActivation activation = ConvActivation::kNone;
  double alpha = 0, beta = 0;  ///< of the activation
};

/// `product`, whose output is a node's first, and then the finish. For the types of FloatList.
std::unique_ptr<Executable> FinishedProduct(const NodeFacts& node,
                                            std::unique_ptr<Executable> product,
                                            const ProductFinish& finish);

}  // namespace slipway::runtime
