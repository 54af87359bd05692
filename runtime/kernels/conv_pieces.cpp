// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_pieces.h"

namespace slipway::runtime {

ConvPieces::ConvPieces(std::int64_t parts, std::int64_t pieces, std::int64_t room,
                       const ConvFinish& finish)
    : parts_(parts),
      pieces_(pieces),
      room_((room + kLeastPositions - 1) / kLeastPositions * kLeastPositions),
      finish_(finish) {}

std::int64_t ConvPieces::scratch_bytes() const {
  return pieces_ * room_ * static_cast<std::int64_t>(sizeof(float));
}

Result<void> ConvPieces::Run(KernelContext& context) const {
  auto* const rooms = reinterpret_cast<float*>(context.scratch().data());
  context.ParallelFor(pieces_, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      RunParts(context, parts_ * piece / pieces_, parts_ * (piece + 1) / pieces_,
               rooms + piece * room_);
    }
  });
  finish_.Rest(context);
  return {};
}

}  // namespace slipway::runtime
