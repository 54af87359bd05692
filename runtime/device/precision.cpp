// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "runtime/device/cpu.h"
#include "runtime/runtime.h"

namespace slipway::runtime {

std::string_view PrecisionName(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "fp32";
    case Precision::kBfloat16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
  }
  return "unknown";
}

Result<Precision> PrecisionFromName(std::string_view name) {
  for (Precision precision : {Precision::kFloat32, Precision::kBfloat16, Precision::kInt8}) {
    if (name == PrecisionName(precision)) return precision;
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("precision '{}' is none of fp32, bf16, int8", name),
               .id = "Usage"};
}

bool HasPrecision(Precision precision) {
  const bool all = precision == Precision::kFloat32;
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    case dnnl::cpu_isa::avx512_core_vnni:
      return all || precision == Precision::kInt8;
    default:
      return all;
  }
}

std::string PrecisionWarning(Precision precision) {
  if (HasPrecision(precision)) return "";
  return fmt::format("precision {}: this processor has no instructions for it: products are fp32",
                     PrecisionName(precision));
}

}  // namespace slipway::runtime
