// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Pictures, decoded: a shared library of its own, `libslipway_image`, for it brings a library of
/// others for most formats. The runtime loads it when a model has the operator ImageDecoder.
namespace slipway::runtime {

/// A picture: rows from the top, red, green and blue of each pixel. Empty: not decoded.
struct Pixels {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> rgb = {};

  /// Makes room, all black. False where there are no pixels or too many.
  bool Resize(std::int64_t new_height, std::int64_t new_width);
  std::uint8_t* At(std::int64_t row, std::int64_t column) {
    return rgb.data() + (row * width + column) * 3;
  }
};

using EncodedImage = std::span<const std::uint8_t>;

/// What a program finds in the library `libslipway_image`: DecodeImage, under this name.
inline constexpr const char* kDecodeImage = "slipway_image_decode";
using DecodeImageFunction = void(EncodedImage encoded, Pixels& image);

/// Decodes by what the bytes begin with: BMP, JPEG, JPEG 2000, TIFF, PNG, WebP, PNM. Empty for
/// anything that cannot be decoded. Transparency is dropped.
Pixels DecodeImage(EncodedImage encoded);

Pixels DecodeBmp(EncodedImage encoded);
Pixels DecodeJpeg(EncodedImage encoded);
Pixels DecodeJpeg2000(EncodedImage encoded);
Pixels DecodePng(EncodedImage encoded);
Pixels DecodePnm(EncodedImage encoded);
Pixels DecodeTiff(EncodedImage encoded);
Pixels DecodeWebp(EncodedImage encoded);

}  // namespace slipway::runtime
