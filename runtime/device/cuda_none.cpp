// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/cuda.h"

namespace slipway::runtime {

Result<std::shared_ptr<DeviceContext>> MakeCudaContext(int /*threads*/) {
  return Error{.code = Code::kUnimplemented,
               .message = "device cuda: this build has no CUDA; its devices are: cpu",
               .id = "Device.Unavailable",
               .fix = "use the device cpu, or a build with SLIPWAY_CUDA=ON"};
}

}  // namespace slipway::runtime
