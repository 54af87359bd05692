// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// What every fuzzer of this folder defines: libFuzzer calls it with input it makes up,
/// replay_main.cpp with the files of the corpus. Must return 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
