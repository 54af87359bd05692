// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/processor.h"

#include <cpuid.h>

#include <array>
#include <cstring>

#include "base/text.h"

namespace slipway::runtime {
namespace {

/// The brand string of the instruction cpuid.
std::string BrandOf() {
  std::array<unsigned, 12> words = {};
  unsigned* part = words.data();
  for (const unsigned leaf : {0x80000002U, 0x80000003U, 0x80000004U}) {
    if (__get_cpuid(leaf, part, part + 1, part + 2, part + 3) == 0) return "unknown";
    part += 4;
  }
  std::array<char, sizeof(words) + 1> text = {};
  std::memcpy(text.data(), words.data(), sizeof(words));
  return std::string(Trim(text.data()));
}

}  // namespace

std::string ProcessorName() { return BrandOf() + ", " + InstructionsName(); }

}  // namespace slipway::runtime
