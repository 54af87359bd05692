// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace slipway::runtime {

/// Whether this machine looks up 64 bytes at once (AVX-512 VBMI), and the vectors of this process
/// may be so wide.
bool HasByteLookUp();

/// y[i] = table[x[i]] of 256 bytes. Only where HasByteLookUp(). Thread-safe; allocates nothing.
void LookUpBytes(const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y,
                 std::int64_t count);

}  // namespace slipway::runtime
