// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.h"
#include "runtime/tensor.h"

namespace slipway::runtime {

class DeviceContext;

/// A model's constants in the layouts that kernels want, shared by its sessions: what all of them
/// have is there once, counts as that session's which made it, and goes with the last of them.
/// Thread-safe.
class PackedWeights {
 public:
  /// The constant `source` in another layout that `layout` names: made once, and shared by all that
  /// ask with the same source and layout while one of them lives. Passes make constants of their
  /// own for each session, `user`: what others packed of equal ones is found by its bytes.
  Result<Tensor> Get(const Tensor& source, const std::string& layout, const void* user,
                     const std::function<Result<Tensor>()>& make);
  /// Of all that is packed and in use.
  std::int64_t bytes() const;

 private:
  struct Entry {
    std::weak_ptr<const void> source, packed;
    DType dtype = DType::kUndefined;
    Shape shape = {};
    void* data = nullptr;
    const void* origin = nullptr;  ///< the elements of the source
    const void* user = nullptr;
    /// None where nothing has it any more.
    Tensor Take() const;
  };
  /// What another user packed in that layout to the same bytes; none if there is nothing.
  Tensor FindEqual(const Tensor& packed, const std::string& layout, const void* user) const;

  mutable std::mutex mutex_;                  // guards packed_
  std::multimap<std::string, Entry> packed_;  ///< by layout
};

/// Has the kernels of a device look for their weights there from now on; before any is prepared.
void ShareWeights(DeviceContext& device, std::shared_ptr<PackedWeights> weights);

}  // namespace slipway::runtime
