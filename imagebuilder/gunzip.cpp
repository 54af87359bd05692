// SPDX-License-Identifier: Apache-2.0
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "imagebuilder/errors.h"
#include "imagebuilder/gzip.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr int kGzipWindow = 15 + 16;

}  // namespace

struct GunzipReader::State {
  std::span<const std::byte> rest;
  std::vector<std::byte> piece = std::vector<std::byte>(kPieceBytes);
  libdeflate_decompressor* whole = libdeflate_alloc_decompressor();
  z_stream stream{};
  bool streaming = false;

  ~State() {
    libdeflate_free_decompressor(whole);
    if (streaming) inflateEnd(&stream);
  }

  Result<bool> WholeMember(std::size_t& produced);
  Result<void> StartStream();
  Result<std::size_t> StreamPiece();
};

/// A member that fits into one piece is decompressed at once, which is several times faster.
Result<bool> GunzipReader::State::WholeMember(std::size_t& produced) {
  if (whole == nullptr) return false;
  std::size_t consumed = 0;
  const libdeflate_result result = libdeflate_gzip_decompress_ex(
      whole, rest.data(), rest.size(), piece.data(), piece.size(), &consumed, &produced);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return false;
  if (result != LIBDEFLATE_SUCCESS) return Damaged("the layer is not valid gzip");
  rest = rest.subspan(consumed);
  return true;
}

Result<void> GunzipReader::State::StartStream() {
  stream = {};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
    return Error{.code = Code::kResourceExhausted, .message = "no memory left to decompress with"};
  }
  streaming = true;
  return {};
}

Result<std::size_t> GunzipReader::State::StreamPiece() {
  const std::size_t given =
      std::min<std::size_t>(rest.size(), std::numeric_limits<unsigned>::max());
  stream.next_in =
      const_cast<Bytef*>(reinterpret_cast<const Bytef*>(rest.data()));  // zlib only reads it
  stream.avail_in = static_cast<unsigned>(given);
  stream.next_out = reinterpret_cast<Bytef*>(piece.data());
  stream.avail_out = static_cast<unsigned>(piece.size());
  const int status = inflate(&stream, Z_NO_FLUSH);
  rest = rest.subspan(given - stream.avail_in);
  const std::size_t produced = piece.size() - stream.avail_out;
  if (status == Z_STREAM_END) {
    inflateEnd(&stream);
    streaming = false;
    return produced;
  }
  if (status != Z_OK || (produced == 0 && rest.empty())) {
    return Damaged("the layer is not valid gzip");
  }
  return produced;
}

GunzipReader::GunzipReader(std::span<const std::byte> compressed)
    : state_(std::make_unique<State>()) {
  state_->rest = compressed;
}

GunzipReader::~GunzipReader() = default;

Result<std::span<const std::byte>> GunzipReader::Next() {
  std::size_t produced = 0;
  while (produced == 0 && (state_->streaming || !state_->rest.empty())) {
    if (!state_->streaming && !TRY(state_->WholeMember(produced))) TRY(state_->StartStream());
    if (state_->streaming) produced = TRY(state_->StreamPiece());
  }
  return std::span<const std::byte>(state_->piece).first(produced);
}

}  // namespace slipway::imagebuilder
