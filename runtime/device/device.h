// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/runtime.h"

namespace slipway::runtime {

/// What the kernels of one device share while they are prepared: engines, packed weights. One
/// per session; thread-safe.
class DeviceContext {
 public:
  virtual ~DeviceContext() = default;
  virtual Device device() const = 0;
  virtual int threads() const = 0;  ///< that one run uses
};

/// kUnimplemented (id `Device.Unavailable`) naming the devices there are.
Result<std::shared_ptr<DeviceContext>> MakeDeviceContext(Device device, int threads);

/// Cores this process may use: the affinity mask, cut by the control group's CPU quota.
int UsableCores();

/// Sets how many threads OpenMP regions started by the calling thread have, and puts back the
/// old number at the end.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

}  // namespace slipway::runtime
