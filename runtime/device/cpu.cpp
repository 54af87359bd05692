// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/cpu.h"

#include <fmt/format.h>

namespace slipway::runtime {

CpuContext::CpuContext(int threads)
    : threads_(threads), engine_(dnnl::engine(dnnl::engine::kind::cpu, 0)) {}

Result<Tensor> CpuContext::Packed(const Tensor& source, const std::string& layout,
                                  const std::function<Result<Tensor>()>& make) {
  const std::lock_guard lock(mutex_);
  std::erase_if(packed_, [](const auto& item) {
    return item.second.source.expired() || item.second.packed.expired();
  });
  const auto key = std::make_pair(source.raw(), layout);
  if (auto found = packed_.find(key); found != packed_.end()) {
    const Entry& entry = found->second;
    if (auto owner = entry.packed.lock()) {
      return Tensor::Wrap(entry.dtype, entry.shape, std::move(owner), entry.data);
    }
  }
  Tensor packed = TRY(make());
  packed_[key] = {.source = source.owner(),
                  .packed = packed.owner(),
                  .dtype = packed.dtype(),
                  .shape = packed.shape(),
                  .data = packed.raw()};
  return packed;
}

dnnl::stream& CpuStream(const dnnl::engine& engine) {
  struct Cached {
    dnnl::engine engine;
    dnnl::stream stream;
  };
  thread_local Cached cached;
  if (!cached.stream || cached.engine.get() != engine.get()) {
    cached = {.engine = engine, .stream = dnnl::stream(engine)};
  }
  return cached.stream;
}

}  // namespace slipway::runtime
