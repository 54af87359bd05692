// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dnnl.hpp>
#include <functional>
#include <memory>
#include <string>

#include "runtime/device/device.h"
#include "runtime/device/packed_weights.h"
#include "runtime/tensor.h"

/// For kernels that use oneDNN; included by .cpp files only.
namespace slipway::runtime {

/// The CPU: oneDNN's engine, and weights in the layouts kernels want. Thread-safe.
class CpuContext final : public DeviceContext {
 public:
  explicit CpuContext(int threads);
  Device device() const override { return Device::kCpu; }
  int threads() const override { return threads_; }
  const dnnl::engine& engine() const { return engine_; }

  /// The constant `source` in another layout that `layout` names, as PackedWeights::Get has it.
  Result<Tensor> Packed(const Tensor& source, const std::string& layout,
                        const std::function<Result<Tensor>()>& make) {
    return packed_->Get(source, layout, this, make);
  }
  void Share(std::shared_ptr<PackedWeights> weights) { packed_ = std::move(weights); }

 private:
  int threads_;
  dnnl::engine engine_;
  std::shared_ptr<PackedWeights> packed_ = std::make_shared<PackedWeights>();
};

/// The context a CPU kernel's prepare is given.
inline CpuContext& Cpu(DeviceContext& context) { return static_cast<CpuContext&>(context); }

/// The calling thread's stream on the CPU engine.
dnnl::stream& CpuStream(const dnnl::engine& engine);

}  // namespace slipway::runtime
