// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/result.h"
#include "runtime/device/device.h"

namespace slipway::runtime {

/// The context of the first CUDA device. kUnimplemented (id `Device.Unavailable`) in a build
/// without CUDA, kUnavailable where there is no such device.
Result<std::shared_ptr<DeviceContext>> MakeCudaContext(int threads);

}  // namespace slipway::runtime
