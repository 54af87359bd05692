// SPDX-License-Identifier: Apache-2.0
// Formats that libraries read.
#include <openjpeg.h>
#include <png.h>
#include <tiffio.h>
#include <turbojpeg.h>
#include <webp/decode.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <memory>

#include "runtime/image/image.h"

namespace slipway::runtime {
namespace {

/// Takes every fourth byte out of rows of red, green, blue and transparency.
void DropAlpha(const std::uint8_t* rgba, Pixels& image) {
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = rgba[i / 3 * 4 + i % 3];
}

/// A file in memory, as libraries read it.
struct MemoryFile {
  EncodedImage bytes;
  std::size_t at = 0;

  std::size_t Read(void* to, std::size_t count) {
    count = std::min(count, bytes.size() - at);
    if (count > 0) std::memcpy(to, bytes.data() + at, count);
    at += count;
    return count;
  }
  bool Seek(std::uint64_t to) {
    if (to > bytes.size()) return false;
    at = static_cast<std::size_t>(to);
    return true;
  }
};

tmsize_t ReadTiff(thandle_t file, void* to, tmsize_t count) {
  return static_cast<tmsize_t>(static_cast<MemoryFile*>(file)->Read(
      to, static_cast<std::size_t>(std::max<tmsize_t>(count, 0))));
}
tmsize_t WriteTiff(thandle_t, void*, tmsize_t) { return 0; }
toff_t SeekTiff(thandle_t handle, toff_t to, int from) {
  auto* file = static_cast<MemoryFile*>(handle);
  const toff_t base = from == SEEK_CUR ? file->at : from == SEEK_END ? file->bytes.size() : 0;
  return file->Seek(base + to) ? file->at : static_cast<toff_t>(-1);
}
/// Says that the message is dealt with: standard error belongs to the program.
int KeepQuiet(TIFF*, void*, const char*, const char*, va_list) { return 1; }
int CloseTiff(thandle_t) { return 0; }
toff_t TiffSize(thandle_t file) { return static_cast<MemoryFile*>(file)->bytes.size(); }

OPJ_SIZE_T ReadJpeg2000(void* to, OPJ_SIZE_T count, void* file) {
  const std::size_t read = static_cast<MemoryFile*>(file)->Read(to, count);
  return read == 0 ? static_cast<OPJ_SIZE_T>(-1) : read;
}
OPJ_OFF_T SkipJpeg2000(OPJ_OFF_T count, void* handle) {
  auto* file = static_cast<MemoryFile*>(handle);
  return file->Seek(file->at + static_cast<std::uint64_t>(count)) ? count : -1;
}
OPJ_BOOL SeekJpeg2000(OPJ_OFF_T to, void* file) {
  return static_cast<MemoryFile*>(file)->Seek(static_cast<std::uint64_t>(to)) ? OPJ_TRUE
                                                                              : OPJ_FALSE;
}

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};
using Jpeg2000Stream = std::unique_ptr<opj_stream_t, Destroy<opj_stream_destroy>>;
using Jpeg2000Codec = std::unique_ptr<opj_codec_t, Destroy<opj_destroy_codec>>;
using Jpeg2000Image = std::unique_ptr<opj_image_t, Destroy<opj_image_destroy>>;

Jpeg2000Stream StreamOf(MemoryFile& file) {
  Jpeg2000Stream stream(opj_stream_default_create(OPJ_TRUE));
  if (stream == nullptr) return stream;
  opj_stream_set_user_data(stream.get(), &file, nullptr);
  opj_stream_set_user_data_length(stream.get(), file.bytes.size());
  opj_stream_set_read_function(stream.get(), ReadJpeg2000);
  opj_stream_set_skip_function(stream.get(), SkipJpeg2000);
  opj_stream_set_seek_function(stream.get(), SeekJpeg2000);
  return stream;
}

/// A sample with eight bits.
std::uint8_t Level(const opj_image_comp_t& part, std::size_t at) {
  const std::int64_t shifted =
      std::int64_t{part.data[at]} + (part.sgnd != 0 ? std::int64_t{1} << (part.prec - 1) : 0);
  const std::int64_t scaled =
      part.prec > 8 ? shifted >> (part.prec - 8) : shifted * 255 / ((1 << part.prec) - 1);
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(scaled, 0, 255));
}

/// Grey, or red, green and blue of full size.
bool TakeComponents(const opj_image_t& from, Pixels& image) {
  const std::size_t channels = from.numcomps >= 3 ? 3 : 1;
  if (from.numcomps == 0 || from.color_space == OPJ_CLRSPC_SYCC) return false;
  for (std::size_t c = 0; c < channels; ++c) {
    const opj_image_comp_t& part = from.comps[c];
    if (part.data == nullptr || part.prec < 1 || part.prec > 31 || part.w != image.width ||
        part.h != image.height) {
      return false;
    }
  }
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = Level(from.comps[channels == 3 ? i % 3 : 0], i / 3);
  }
  return true;
}

}  // namespace

Pixels DecodeJpeg(EncodedImage encoded) {
  const std::unique_ptr<void, Destroy<tjDestroy>> decoder(tjInitDecompress());
  const auto size = static_cast<unsigned long>(encoded.size());
  int width = 0;
  int height = 0;
  int sampling = 0;
  int space = 0;
  Pixels image;
  if (decoder == nullptr || tjDecompressHeader3(decoder.get(), encoded.data(), size, &width,
                                                &height, &sampling, &space) != 0) {
    return {};
  }
  if (!image.Resize(height, width)) return {};
  const int failed = tjDecompress2(decoder.get(), encoded.data(), size, image.rgb.data(), width, 0,
                                   height, TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
  if (failed != 0 && tjGetErrorCode(decoder.get()) != TJERR_WARNING) return {};
  return image;
}

Pixels DecodePng(EncodedImage encoded) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, Destroy<png_image_free>> owner(&png);
  if (png_image_begin_read_from_memory(&png, encoded.data(), encoded.size()) == 0) return {};
  Pixels image;
  if (!image.Resize(png.height, png.width)) return {};
  png.format = PNG_FORMAT_RGBA;
  std::vector<std::uint8_t> rgba(image.rgb.size() / 3 * 4);
  if (png_image_finish_read(&png, nullptr, rgba.data(), 0, nullptr) == 0) return {};
  DropAlpha(rgba.data(), image);
  return image;
}

Pixels DecodeWebp(EncodedImage encoded) {
  int width = 0;
  int height = 0;
  Pixels image;
  if (WebPGetInfo(encoded.data(), encoded.size(), &width, &height) == 0) return {};
  if (!image.Resize(height, width)) return {};
  const std::uint8_t* done = WebPDecodeRGBInto(encoded.data(), encoded.size(), image.rgb.data(),
                                               image.rgb.size(), width * 3);
  return done != nullptr ? image : Pixels();
}

Pixels DecodeTiff(EncodedImage encoded) {
  MemoryFile file{encoded};
  const std::unique_ptr<TIFFOpenOptions, Destroy<TIFFOpenOptionsFree>> options(
      TIFFOpenOptionsAlloc());
  if (options == nullptr) return {};
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), KeepQuiet, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), KeepQuiet, nullptr);
  const std::unique_ptr<TIFF, Destroy<TIFFClose>> tiff(
      TIFFClientOpenExt("image", "rm", &file, ReadTiff, WriteTiff, SeekTiff, CloseTiff, TiffSize,
                        nullptr, nullptr, options.get()));
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  Pixels image;
  if (tiff == nullptr || TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width) == 0 ||
      TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height) == 0 || !image.Resize(height, width)) {
    return {};
  }
  std::vector<std::uint32_t> raster(image.rgb.size() / 3);
  if (TIFFReadRGBAImageOriented(tiff.get(), width, height, raster.data(), ORIENTATION_TOPLEFT, 1) ==
      0) {
    return {};
  }
  for (std::size_t i = 0; i < raster.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      image.rgb[3 * i + c] = static_cast<std::uint8_t>(raster[i] >> (8 * c));
    }
  }
  return image;
}

Pixels DecodeJpeg2000(EncodedImage encoded) {
  MemoryFile file{encoded};
  const Jpeg2000Stream stream = StreamOf(file);
  const bool bare = encoded[0] == 0xff;
  const Jpeg2000Codec codec(opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2));
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* header = nullptr;
  Pixels image;
  if (stream == nullptr || codec == nullptr ||
      opj_setup_decoder(codec.get(), &parameters) == OPJ_FALSE) {
    return {};
  }
  const bool read = opj_read_header(stream.get(), codec.get(), &header) != OPJ_FALSE;
  const Jpeg2000Image decoded(header);
  if (!read || header->x1 <= header->x0 || header->y1 <= header->y0 ||
      !image.Resize(header->y1 - header->y0, header->x1 - header->x0)) {
    return {};
  }
  const bool done = opj_decode(codec.get(), stream.get(), header) != OPJ_FALSE &&
                    opj_end_decompress(codec.get(), stream.get()) != OPJ_FALSE &&
                    TakeComponents(*header, image);
  return done ? image : Pixels();
}

}  // namespace slipway::runtime
