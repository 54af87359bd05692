// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/device.h"

#include <fmt/format.h>

#include "runtime/device/cpu.h"
#include "runtime/device/cuda.h"

namespace slipway::runtime {

std::string_view DeviceName(Device device) {
  switch (device) {
    case Device::kCpu:
      return "cpu";
    case Device::kCuda:
      return "cuda";
  }
  return "unknown";
}

Result<Device> DeviceFromName(std::string_view name) {
  for (Device device : {Device::kCpu, Device::kCuda}) {
    if (name == DeviceName(device)) return device;
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("device '{}' is none of cpu, cuda", name),
               .id = "Device.Unknown"};
}

Result<Accuracy> AccuracyFromName(std::string_view name) {
  if (name == "standard") return Accuracy::kStandard;
  if (name == "strict") return Accuracy::kStrict;
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("accuracy '{}' is none of standard, strict", name),
               .id = "Usage"};
}

Result<std::shared_ptr<DeviceContext>> MakeDeviceContext(Device device, int threads) {
  if (threads < 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("{} threads: the number must not be negative", threads)};
  }
  const int count = threads == 0 ? UsableCores() : threads;
  if (device == Device::kCuda) return MakeCudaContext(count);
  try {
    return std::shared_ptr<DeviceContext>(std::make_shared<CpuContext>(count));
  } catch (const dnnl::error& error) {
    return Error{.code = Code::kInternal,
                 .message = fmt::format("oneDNN has no CPU engine: {}", error.what())};
  }
}

}  // namespace slipway::runtime
