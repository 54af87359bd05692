// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/conv_finish.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// A convolution in parts, as many of them a piece as there are pieces: threads share the pieces,
/// each of which has room of its own.
class ConvPieces : public Executable {
 public:
  std::int64_t scratch_bytes() const final;
  Result<void> Run(KernelContext& context) const final;

 protected:
  /// `room`: numbers that a piece wants at least.
  ConvPieces(std::int64_t parts, std::int64_t pieces, std::int64_t room, const ConvFinish& finish);
  const ConvBounds& bounds() const { return finish_.bounds(); }

 private:
  /// Parts `first` to `last`, until the run is to end.
  virtual void RunParts(KernelContext& context, std::int64_t first, std::int64_t last,
                        float* room) const = 0;

  std::int64_t parts_, pieces_, room_;
  ConvFinish finish_;
};

}  // namespace slipway::runtime
