// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/cpu.h"

#include <fmt/format.h>

#include "runtime/device/processor.h"

namespace slipway::runtime {

CpuContext::CpuContext(int threads)
    : threads_(threads), engine_(dnnl::engine(dnnl::engine::kind::cpu, 0)) {}

void ShareWeights(DeviceContext& device, std::shared_ptr<PackedWeights> weights) {
  if (device.device() == Device::kCpu && weights != nullptr) Cpu(device).Share(std::move(weights));
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

std::string InstructionsName() {
  switch (const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return fmt::format("isa {:#x}", static_cast<int>(isa));
  }
}

}  // namespace slipway::runtime
