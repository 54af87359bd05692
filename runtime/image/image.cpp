// SPDX-License-Identifier: Apache-2.0
#include "runtime/image/image.h"

#include <array>
#include <new>
#include <string_view>

namespace slipway::runtime {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;

struct Format {
  std::string_view magic;
  Pixels (*decode)(EncodedImage);
};

using namespace std::string_view_literals;
constexpr Format kFormats[] = {
    {"BM"sv, DecodeBmp},
    {"\xff\xd8\xff"sv, DecodeJpeg},
    {"\x89PNG\r\n\x1a\n"sv, DecodePng},
    {"\0\0\0\x0cjP  "sv, DecodeJpeg2000},
    {"\xff\x4f\xff\x51"sv, DecodeJpeg2000},
    {"II*\0"sv, DecodeTiff},
    {"MM\0*"sv, DecodeTiff},
    {"RIFF"sv, DecodeWebp},
    {"P1"sv, DecodePnm},
    {"P2"sv, DecodePnm},
    {"P3"sv, DecodePnm},
    {"P4"sv, DecodePnm},
    {"P5"sv, DecodePnm},
    {"P6"sv, DecodePnm},
};

}  // namespace

bool Pixels::Resize(std::int64_t new_height, std::int64_t new_width) {
  *this = {};
  if (new_height < 1 || new_width < 1 || new_height > kMostPixels / new_width) return false;
  try {
    rgb.resize(static_cast<std::size_t>(new_height * new_width) * 3);
  } catch (const std::bad_alloc&) {
    return false;
  }
  height = new_height;
  width = new_width;
  return true;
}

Pixels DecodeImage(EncodedImage encoded) {
  const std::string_view text(reinterpret_cast<const char*>(encoded.data()), encoded.size());
  for (const Format& format : kFormats) {
    if (text.starts_with(format.magic)) return format.decode(encoded);
  }
  return {};
}

}  // namespace slipway::runtime

// From this library to a runtime of the same build, which finds it by its name.
extern "C" [[gnu::visibility("default")]] void slipway_image_decode(
    slipway::runtime::EncodedImage encoded, slipway::runtime::Pixels& image);

extern "C" void slipway_image_decode(slipway::runtime::EncodedImage encoded,
                                     slipway::runtime::Pixels& image) {
  image = slipway::runtime::DecodeImage(encoded);
}
