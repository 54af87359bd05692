// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dnnl.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "runtime/device/device.h"
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

  /// The constant `source` in another layout that `layout` names: made once, and shared by all
  /// that ask with the same source and layout while one of them lives.
  Result<Tensor> Packed(const Tensor& source, const std::string& layout,
                        const std::function<Result<Tensor>()>& make);

 private:
  struct Entry {
    std::weak_ptr<const void> source, packed;
    DType dtype;
    Shape shape;
    void* data;
  };
  int threads_;
  dnnl::engine engine_;
  std::mutex mutex_;  // guards packed_
  std::map<std::pair<const void*, std::string>, Entry> packed_;
};

/// The context a CPU kernel's prepare is given.
inline CpuContext& Cpu(DeviceContext& context) { return static_cast<CpuContext&>(context); }

/// The calling thread's stream on the CPU engine.
dnnl::stream& CpuStream(const dnnl::engine& engine);

}  // namespace slipway::runtime
