// SPDX-License-Identifier: Apache-2.0
// Formats simple enough to be read here. BMP: uncompressed, of 1, 4, 8, 16, 24 and 32 bits; PNM:
// P1 to P6.
#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "runtime/image/image.h"

namespace slipway::runtime {
namespace {

/// Numbers with the least byte first; 0 behind the end.
std::uint32_t Little(EncodedImage bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count && at + i < bytes.size(); ++i) {
    value |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
  }
  return value;
}

struct BmpHeader {
  std::size_t pixels = 0, palette = 0, palette_entry = 4, colors = 0;
  std::int64_t width = 0, height = 0;
  unsigned bits = 0;
  bool top_down = false;
  std::array<std::uint32_t, 3> masks{};  ///< of red, green and blue, for 16 and 32 bits
};

std::optional<BmpHeader> ReadBmpHeader(EncodedImage in) {
  BmpHeader header{.pixels = Little(in, 10, 4)};
  const std::size_t size = Little(in, 14, 4);
  if (size == 12) {
    header.width = Little(in, 18, 2);
    header.height = Little(in, 20, 2);
    header.bits = Little(in, 24, 2);
    header.palette_entry = 3;
  } else if (size >= 40) {
    header.width = static_cast<std::int32_t>(Little(in, 18, 4));
    header.height = static_cast<std::int32_t>(Little(in, 22, 4));
    header.bits = Little(in, 28, 2);
    header.colors = Little(in, 46, 4);
  } else {
    return std::nullopt;
  }
  const std::uint32_t compression = size == 12 ? 0 : Little(in, 30, 4);
  constexpr std::uint32_t kMasks = 3;
  if (compression != 0 && compression != kMasks) return std::nullopt;
  header.top_down = header.height < 0;
  header.height = header.top_down ? -header.height : header.height;
  header.palette = 14 + size;
  if (header.bits == 16) header.masks = {0x7c00, 0x3e0, 0x1f};
  if (header.bits == 32) header.masks = {0xff0000, 0xff00, 0xff};
  if (compression == kMasks) {
    for (std::size_t i = 0; i < 3; ++i) header.masks[i] = Little(in, 54 + 4 * i, 4);
  }
  return header;
}

/// The bits of a mask, stretched to eight.
std::uint8_t Masked(std::uint32_t value, std::uint32_t mask) {
  if (mask == 0) return 0;
  const std::uint32_t most = mask >> std::countr_zero(mask);
  const std::uint32_t part = (value & mask) >> std::countr_zero(mask);
  return static_cast<std::uint8_t>((std::uint64_t{part} * 255 + most / 2) / most);
}

void ReadBmpPixel(EncodedImage in, const BmpHeader& header, std::size_t row, std::size_t column,
                  std::uint8_t* rgb) {
  if (header.bits <= 8) {
    const std::size_t bit = column * header.bits;
    const std::uint32_t byte = Little(in, row + bit / 8, 1);
    const std::size_t index = byte >> (8 - header.bits - bit % 8) & ((1U << header.bits) - 1);
    const std::size_t at = header.palette + index * header.palette_entry;
    for (std::size_t i = 0; i < 3; ++i)
      rgb[i] = static_cast<std::uint8_t>(Little(in, at + 2 - i, 1));
    return;
  }
  const std::size_t bytes = header.bits / 8;
  const std::uint32_t value = Little(in, row + column * bytes, bytes);
  for (std::size_t i = 0; i < 3; ++i) {
    rgb[i] = header.bits == 24 ? static_cast<std::uint8_t>(value >> (16 - 8 * i))
                               : Masked(value, header.masks[i]);
  }
}

/// Reads the words of a PNM file: numbers in text, `#` to the end of the line is a comment.
class PnmReader {
 public:
  explicit PnmReader(EncodedImage in) : in_(in) {}

  /// -1 where no number follows.
  std::int64_t Number() {
    SkipSpace();
    std::int64_t value = -1;
    for (; at_ < in_.size() && in_[at_] >= '0' && in_[at_] <= '9'; ++at_) {
      value =
          std::min<std::int64_t>(std::max<std::int64_t>(value, 0) * 10 + in_[at_] - '0', 1 << 30);
    }
    return value;
  }
  /// A single bit in text, which no space need follow.
  std::int64_t Bit() {
    SkipSpace();
    return at_ < in_.size() && (in_[at_] == '0' || in_[at_] == '1') ? in_[at_++] - '0' : -1;
  }
  /// What is behind the one space after the header.
  EncodedImage Rest() const { return in_.subspan(std::min(at_ + 1, in_.size())); }

 private:
  void SkipSpace() {
    while (at_ < in_.size() && (in_[at_] <= ' ' || in_[at_] == '#')) {
      if (in_[at_] == '#') {
        while (at_ < in_.size() && in_[at_] != '\n') ++at_;
      } else {
        ++at_;
      }
    }
  }

  EncodedImage in_;
  std::size_t at_ = 2;
};

struct PnmHeader {
  std::int64_t width = 0, height = 0, most = 1;
  bool binary = false, bits = false;
  int channels = 1;
};

std::uint8_t Scaled(std::int64_t sample, const PnmHeader& header) {
  if (header.bits) return sample != 0 ? 0 : 255;
  sample = std::min(sample, header.most);
  return static_cast<std::uint8_t>((sample * 255 + header.most / 2) / header.most);
}

/// Sample number `index` of the binary part; rows of bits begin at whole bytes.
std::int64_t BinarySample(EncodedImage data, const PnmHeader& header, std::int64_t index) {
  const auto byte = [&](std::int64_t at) -> std::int64_t {
    return at < static_cast<std::int64_t>(data.size()) ? data[static_cast<std::size_t>(at)] : -1;
  };
  if (header.bits) {
    const std::int64_t column = index % header.width;
    const std::int64_t at = index / header.width * ((header.width + 7) / 8) + column / 8;
    return byte(at) < 0 ? -1 : byte(at) >> (7 - column % 8) & 1;
  }
  if (header.most < 256) return byte(index);
  return byte(2 * index + 1) < 0 ? -1 : byte(2 * index) * 256 + byte(2 * index + 1);
}

}  // namespace

Pixels DecodeBmp(EncodedImage in) {
  const auto header = ReadBmpHeader(in);
  constexpr std::array<unsigned, 6> kBits{1, 4, 8, 16, 24, 32};
  if (!header || std::ranges::find(kBits, header->bits) == kBits.end()) return {};
  Pixels image;
  if (header->width < 1 || header->width > (1 << 28)) return {};
  const std::size_t stride = (static_cast<std::size_t>(header->width) * header->bits + 31) / 32 * 4;
  const std::size_t room = in.size() < header->pixels ? 0 : in.size() - header->pixels;
  if (header->height < 1 || static_cast<std::size_t>(header->height) > room / stride) return {};
  if (!image.Resize(header->height, header->width)) return {};
  for (std::int64_t row = 0; row < image.height; ++row) {
    const std::int64_t stored = header->top_down ? row : image.height - 1 - row;
    const std::size_t at = header->pixels + static_cast<std::size_t>(stored) * stride;
    for (std::int64_t column = 0; column < image.width; ++column) {
      ReadBmpPixel(in, *header, at, static_cast<std::size_t>(column), image.At(row, column));
    }
  }
  return image;
}

Pixels DecodePnm(EncodedImage in) {
  PnmReader reader(in);
  const int kind = in[1] - '0';
  PnmHeader header{.width = reader.Number(), .height = reader.Number()};
  header.bits = kind == 1 || kind == 4;
  header.binary = kind >= 4;
  header.channels = kind == 3 || kind == 6 ? 3 : 1;
  if (!header.bits) header.most = reader.Number();
  const bool right = header.width > 0 && header.height > 0 && header.most > 0 &&
                     header.most < 65536 &&
                     header.height <= static_cast<std::int64_t>(in.size()) * 8 / header.width;
  Pixels image;
  if (!right || !image.Resize(header.height, header.width)) return {};
  const EncodedImage data = reader.Rest();
  const std::int64_t samples = image.height * image.width * header.channels;
  for (std::int64_t i = 0; i < samples; ++i) {
    const std::int64_t sample = header.binary ? BinarySample(data, header, i)
                                : header.bits ? reader.Bit()
                                              : reader.Number();
    if (sample < 0) return {};
    const std::uint8_t level = Scaled(sample, header);
    if (header.channels == 3) {
      image.rgb[static_cast<std::size_t>(i)] = level;
    } else {
      std::fill_n(image.rgb.data() + 3 * i, 3, level);
    }
  }
  return image;
}

}  // namespace slipway::runtime
