// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/op.h"

/// Images in blocks of channels: [N, C, H, W] lies as [N, ceil(C / b), H, W, b], what is beyond C
/// being zero, or any number where functions that are not zero at zero were applied. oneDNN's
/// kernels work on these. The operators are those of `ops/blocked.cpp`.
namespace slipway::runtime {

/// Channels in a block for this processor; 0 where oneDNN works on rows.
std::int64_t ChannelBlock();

/// [N, ceil(C / block), H, W, block] of [N, C, H, W].
Shape BlockedShape(const Shape& plain, std::int64_t block);

/// The shape of input 0 of a node on blocks as its operator outside of them has it, with
/// `channels`; a shape of rank 4 as it is.
Shape PlainShape(const Shape& shape, std::int64_t channels);

/// The facts of a Conv on blocks as those of one on [N, C, H, W].
NodeFacts PlainConvFacts(const NodeFacts& node);

/// How oneDNN would rather have a convolution's input.
enum class BlockedConv : std::uint8_t {
  kNone,        ///< there is no good kernel whose output is in blocks
  kBlocks,      ///< in blocks
  kPlainInput,  ///< row-major: few channels
};
/// For a node like Conv with facts of [N, C, H, W], float32, weights known.
BlockedConv BlockedConvOf(const NodeFacts& node, std::int64_t block, DeviceContext& device);
/// Whether oneDNN has a good kernel for LRN on blocks, for facts of [N, C, H, W].
bool HasBlockedLrn(const NodeFacts& node, std::int64_t block, DeviceContext& device);

Result<std::unique_ptr<Executable>> PrepareBlockedConv(const NodeFacts& node,
                                                       DeviceContext& device);
/// The same in bfloat16 or in bytes, for what DeclineConvBf16 and DeclineConvInt8 let be.
Result<std::unique_ptr<Executable>> PrepareBlockedConvLow(const NodeFacts& node,
                                                          DeviceContext& device);
/// By Winograd's way, as the operators outside of blocks have it.
std::string DeclineBlockedWinograd(const NodeFacts& node);
std::string DeclineBlockedMeasuredWinograd(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareBlockedWinograd(const NodeFacts& node,
                                                           DeviceContext& device);
/// Convolutions whose rows of output are short, with weights that do not stay in a cache.
std::string DeclineConvNarrow(const NodeFacts& node);
/// What that kernel cannot do, wherever the weights stay.
std::string DeclineConvMeasuredNarrow(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvNarrow(const NodeFacts& node, DeviceContext& device);
/// Convolutions and pools by loops of our own, where these are done before oneDNN would have begun.
std::string DeclineConvSmall(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvSmall(const NodeFacts& node, DeviceContext& device);
std::string DeclineSmallPool(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareSmallPool(const NodeFacts& node, DeviceContext& device);
Result<std::unique_ptr<Executable>> PrepareBlockedPool(const NodeFacts& node,
                                                       DeviceContext& device);
Result<std::unique_ptr<Executable>> PrepareBlockedLrn(const NodeFacts& node, DeviceContext& device);
}  // namespace slipway::runtime
