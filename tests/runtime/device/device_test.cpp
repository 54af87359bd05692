// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/device.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

extern "C" int omp_get_max_threads();

namespace slipway::runtime {
namespace {

TEST(Device, Names) {
  EXPECT_EQ(DeviceName(Device::kCpu), "cpu");
  ASSERT_TRUE(DeviceFromName("cuda"));
  EXPECT_EQ(*DeviceFromName("cuda"), Device::kCuda);
  const auto unknown = DeviceFromName("tpu");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "device 'tpu' is none of cpu, cuda");
}

TEST(Device, ThreadsAreAsAskedFor) {
  const auto three = MakeDeviceContext(Device::kCpu, 3);
  ASSERT_TRUE(three);
  EXPECT_EQ((*three)->threads(), 3);
  const auto own = MakeDeviceContext(Device::kCpu, 0);
  ASSERT_TRUE(own);
  EXPECT_EQ((*own)->threads(), UsableCores());
  EXPECT_FALSE(MakeDeviceContext(Device::kCpu, -1));
}

TEST(Device, UsableCoresFollowTheAffinityMask) {
  EXPECT_GE(UsableCores(), 1);
  int cores = 0;
  std::thread([&] {
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof(all), &all);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &all)) {
        CPU_SET(cpu, &one);
        break;
      }
    }
    sched_setaffinity(0, sizeof(one), &one);
    cores = UsableCores();
  }).join();
  EXPECT_EQ(cores, 1);
}

TEST(Device, AThreadScopeEnds) {
  const int before = omp_get_max_threads();
  {
    const ThreadScope scope(before + 3);
    EXPECT_EQ(omp_get_max_threads(), before + 3);
  }
  EXPECT_EQ(omp_get_max_threads(), before);
}

}  // namespace
}  // namespace slipway::runtime
