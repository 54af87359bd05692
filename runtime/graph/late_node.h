// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "runtime/graph/prepare.h"

namespace slipway::runtime {

/// A node prepared for the shapes, and for the contents of the small inputs, that it met.
struct LatePrepared {
  std::string key;
  std::deque<Tensor> constants;  ///< copies of the small inputs
  PreparedNode node;
};

/// A node whose input shapes depend on data: it is inferred and prepared while the graph runs.
/// Inputs of up to 4 KiB count as constants then. What was prepared last is kept. Thread-safe.
class LateNode {
 public:
  LateNode(const NodeData& node, const KernelChoice& choice, DeviceContext& device,
           std::vector<const Tensor*> known)
      : node_(node), choice_(choice), device_(device), known_(std::move(known)) {}

  /// `inputs`: one per input of the node, null for an absent one.
  Result<std::shared_ptr<const LatePrepared>> For(std::span<const Value* const> inputs);

 private:
  std::string KeyOf(std::span<const Value* const> inputs) const;
  Result<std::shared_ptr<const LatePrepared>> Make(std::span<const Value* const> inputs,
                                                   std::string key);

  const NodeData& node_;
  KernelChoice choice_;
  DeviceContext& device_;
  std::vector<const Tensor*> known_;  ///< inputs that are constants of the plan
  std::mutex mutex_;                  // guards recent_
  std::deque<std::shared_ptr<const LatePrepared>> recent_;
};

}  // namespace slipway::runtime
