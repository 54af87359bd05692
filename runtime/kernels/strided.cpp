// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/strided.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <type_traits>

#include "runtime/kernels/by_width.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/turn_simd.h"
#include "runtime/kernels/weave_simd.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kCopyGrainBytes = 64 << 10;
constexpr std::int64_t kTile = 16;

/// Drops dimensions of one step and joins neighbours that advance evenly on both sides.
void Simplify(StridedBox& box) {
  std::size_t kept = 0;
  for (std::size_t d = 0; d < box.dims.size(); ++d) {
    if (box.dims[d] == 1) continue;
    if (kept > 0 && box.from[kept - 1] == box.from[d] * box.dims[d] &&
        box.to[kept - 1] == box.to[d] * box.dims[d]) {
      box.dims[kept - 1] *= box.dims[d];
      box.from[kept - 1] = box.from[d];
      box.to[kept - 1] = box.to[d];
      continue;
    }
    box.dims[kept] = box.dims[d];
    box.from[kept] = box.from[d];
    box.to[kept] = box.to[d];
    ++kept;
  }
  box.dims.resize(kept);
  box.from.resize(kept);
  box.to.resize(kept);
}

void SwapDimensions(StridedBox& box, std::size_t a, std::size_t b) {
  std::swap(box.dims[a], box.dims[b]);
  std::swap(box.from[a], box.from[b]);
  std::swap(box.to[a], box.to[b]);
}

/// Brings the dimension along which the target is contiguous to the end, and the one along
/// which the source is before it; at least two dimensions are there afterwards.
void Arrange(StridedBox& box) {
  while (box.dims.size() < 2) {
    box.dims.insert(box.dims.begin(), 1);
    box.from.insert(box.from.begin(), 0);
    box.to.insert(box.to.begin(), 0);
  }
  const std::size_t last = box.dims.size() - 1;
  for (std::size_t d = 0; d < last; ++d) {
    if (box.to[d] == 1 && box.to[last] != 1) SwapDimensions(box, d, last);
  }
  if (box.from[last] == 1) return;
  for (std::size_t d = 0; d + 1 < last; ++d) {
    if (box.from[d] == 1 && box.from[last - 1] != 1) SwapDimensions(box, d, last - 1);
  }
}

template <class T>
void CopyRow(const T* from, std::int64_t from_step, T* to, std::int64_t to_step, std::int64_t count,
             TextMeter& meter) {
  if constexpr (std::is_same_v<T, std::string>) {
    for (std::int64_t i = 0; i < count; ++i) {
      meter.Add(from[i * from_step]);
      to[i * to_step] = from[i * from_step];
    }
    return;
  }
  if (from_step == 1 && to_step == 1) {
    std::copy_n(from, count, to);
  } else if (from_step == 0 && to_step == 1) {
    std::fill_n(to, count, *from);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i * to_step] = from[i * from_step];
  }
}

/// Rows of `count` neighbours.
template <std::int64_t count, class T>
void CopyNarrow(const StridedBox& box, const T* from, T* to, std::int64_t begin, std::int64_t end) {
  const std::size_t rows = box.dims.size() - 2;
  for (std::int64_t row = begin; row < end; ++row) {
    std::memcpy(to + row * box.to[rows], from + row * box.from[rows], count * sizeof(T));
  }
}

/// Whether the rows are of few neighbours, for which a call takes longer than to copy them, and
/// have been copied.
template <class T>
bool CopiedNarrow(const StridedBox& box, const T* from, T* to, std::int64_t begin,
                  std::int64_t end) {
  if (box.from.back() != 1 || box.to.back() != 1) return false;
  switch (box.dims.back()) {
    case 2:
      CopyNarrow<2>(box, from, to, begin, end);
      return true;
    case 3:
      CopyNarrow<3>(box, from, to, begin, end);
      return true;
    case 4:
      CopyNarrow<4>(box, from, to, begin, end);
      return true;
    case 6:
      CopyNarrow<6>(box, from, to, begin, end);
      return true;
    case 8:
      CopyNarrow<8>(box, from, to, begin, end);
      return true;
    default:
      return false;
  }
}

/// Whether the rows are few, or of few elements, each of which lies in a line of its own, and have
/// been copied.
template <class T>
bool CopiedWoven(const StridedBox& box, const T* from, T* to, std::int64_t begin,
                 std::int64_t end) {
  const std::size_t last = box.dims.size() - 1;
  const std::int64_t columns = box.dims[last], from_step = box.from[last];
  const std::int64_t to_row = box.to[last - 1], rows = end - begin;
  if (box.from[last - 1] != 1 || from_step == 1 || box.to[last] != 1) return false;
  if (CanWeave(columns, sizeof(T)) && to_row == columns) {
    WeaveLines(from + begin, from_step, columns, rows, sizeof(T), to + begin * to_row);
    return true;
  }
  if (CanWeave(rows, sizeof(T)) && from_step == rows) {
    UnweaveLines(from + begin, rows, columns, sizeof(T), to + begin * to_row, to_row);
    return true;
  }
  return false;
}

/// Rows [begin, end) of the two innermost dimensions, in tiles that stay in cache.
template <class T>
void CopyPlane(const StridedBox& box, const T* from, T* to, std::int64_t begin, std::int64_t end,
               TextMeter& meter) {
  if constexpr (!std::is_same_v<T, std::string>) {
    if (CopiedNarrow(box, from, to, begin, end)) return;
    if (CopiedWoven(box, from, to, begin, end)) return;
  }
  const std::size_t last = box.dims.size() - 1;
  const std::int64_t columns = box.dims[last];
  const std::int64_t from_row = box.from[last - 1];
  const std::int64_t to_row = box.to[last - 1];
  const bool crossed = from_row == 1 && box.from[last] != 1;
  if constexpr (std::is_same_v<T, std::uint32_t>) {
    if (crossed && box.to[last] == 1) {
      return TurnWords(from + begin, box.from[last], to + begin * to_row, to_row, end - begin,
                       columns);
    }
  }
  const std::int64_t width = crossed ? kTile : columns;
  for (std::int64_t column = 0; column < columns; column += width) {
    const std::int64_t count = std::min(width, columns - column);
    for (std::int64_t row = begin; row < end; ++row) {
      CopyRow(from + row * from_row + column * box.from[last], box.from[last],
              to + row * to_row + column * box.to[last], box.to[last], count, meter);
    }
  }
}

/// Where a plane of the two innermost dimensions begins in both tensors.
class PlaneWalk {
 public:
  PlaneWalk(const StridedBox& box, std::int64_t plane) : box_(&box), index_(box.dims.size() - 2) {
    for (std::size_t d = index_.size(); d-- > 0;) {
      index_[d] = plane % box.dims[d];
      plane /= box.dims[d];
      from += index_[d] * box.from[d];
      to += index_[d] * box.to[d];
    }
  }

  void Next() {
    for (std::size_t d = index_.size(); d-- > 0;) {
      const std::int64_t back = ++index_[d] < box_->dims[d] ? 0 : box_->dims[d];
      from += (1 - back) * box_->from[d];
      to += (1 - back) * box_->to[d];
      if (back == 0) return;
      index_[d] = 0;
    }
  }

  std::int64_t from = 0, to = 0;  ///< elements

 private:
  const StridedBox* box_;
  std::vector<std::int64_t> index_;
};

template <class T>
void CopyTyped(KernelContext& context, const StridedBox& box, const T* from, T* to) {
  const std::size_t planes_dims = box.dims.size() - 2;
  const std::int64_t rows = box.dims[planes_dims];
  const std::int64_t chunks = (rows + kTile - 1) / kTile;
  const std::int64_t planes = CountOf(box.dims, 0, planes_dims);
  const std::int64_t bytes = kTile * box.dims.back() * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t grain =
      std::max<std::int64_t>(1, kCopyGrainBytes / std::max<std::int64_t>(bytes, 1));
  TextMeter meter;
  context.ParallelFor(planes * chunks, grain, [&](std::int64_t begin, std::int64_t end) {
    PlaneWalk walk(box, begin / chunks);
    for (std::int64_t unit = begin; unit < end; walk.Next()) {
      const std::int64_t chunk = unit % chunks;
      const std::int64_t chunk_end = std::min(chunks, chunk + end - unit);
      CopyPlane(box, from + walk.from, to + walk.to, chunk * kTile,
                std::min(rows, chunk_end * kTile), meter);
      unit += chunk_end - chunk;
    }
  });
}

template <class T>
void CopyAs(KernelContext& context, const StridedBox& box, const Tensor& source, Tensor& target) {
  CopyTyped(context, box, static_cast<const T*>(source.raw()) + box.from_offset,
            static_cast<T*>(target.raw()) + box.to_offset);
}

std::size_t ElementBytes(const Tensor& tensor) {
  return static_cast<std::size_t>(DTypeBits(tensor.dtype())) / 8;
}

}  // namespace

Strides ContiguousStrides(const Shape& shape) {
  Strides strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    strides[d] = stride;
    if (__builtin_mul_overflow(stride, shape[d], &stride)) stride = 0;
  }
  return strides;
}

void CopyBox(KernelContext& context, const StridedBox& box, const Tensor& source, Tensor& target) {
  if (CountOf(box.dims, 0, box.dims.size()) == 0) return;
  StridedBox simple = box;
  Simplify(simple);
  Arrange(simple);
  ByWidth(source.dtype(),
          [&](auto tag) { CopyAs<typename decltype(tag)::type>(context, simple, source, target); });
}

void CopyElements(const Tensor& source, std::int64_t from, Tensor& target, std::int64_t to,
                  std::int64_t count, TextMeter* meter) {
  if (count == 0) return;
  if (source.dtype() == DType::kString) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string& text = source.data<std::string>()[At(from + i)];
      if (meter != nullptr) meter->Add(text);
      target.data<std::string>()[At(to + i)] = text;
    }
    return;
  }
  const std::size_t width = ElementBytes(source);
  std::memcpy(static_cast<std::byte*>(target.raw()) + At(to) * width,
              static_cast<const std::byte*>(source.raw()) + At(from) * width, At(count) * width);
}

void CopyAll(const Tensor& source, Tensor& target) {
  if (source.raw() == target.raw() || source.size() == 0) return;
  if (source.dtype() == DType::kString) return CopyElements(source, 0, target, 0, source.size());
  std::memcpy(target.raw(), source.raw(), At(source.bytes()));
}

bool LiesAt(const Tensor& piece, const Tensor& whole, std::int64_t offset) {
  if (IsPacked(whole.dtype())) return false;
  const std::int64_t width = DTypeBits(whole.dtype()) / 8;
  return piece.raw() == static_cast<const std::byte*>(whole.raw()) + offset * width;
}

void FillWith(Tensor& target, const Tensor* value) {
  if (target.size() == 0) return;
  if (target.dtype() == DType::kString) {
    const std::string text = value == nullptr ? "" : value->data<std::string>()[0];
    TextMeter meter;
    for (std::string& element : target.data<std::string>()) {
      meter.Add(text);
      element = text;
    }
    return;
  }
  if (value == nullptr) {
    std::memset(target.raw(), 0, At(target.bytes()));
    return;
  }
  if (IsPacked(target.dtype())) {
    const int bits = DTypeBits(target.dtype());
    const unsigned mask = (1U << bits) - 1;
    unsigned byte = static_cast<const std::uint8_t*>(value->raw())[0] & mask;
    for (int filled = bits; filled < 8; filled *= 2) byte |= byte << filled;
    std::memset(target.raw(), static_cast<int>(byte), At(target.bytes()));
    return;
  }
  const std::size_t width = ElementBytes(target);
  auto* bytes = static_cast<std::byte*>(target.raw());
  const std::size_t total = At(target.size()) * width;
  std::memcpy(bytes, value->raw(), width);
  for (std::size_t filled = width; filled < total;) {
    const std::size_t count = std::min(filled, total - filled);
    std::memcpy(bytes + filled, bytes, count);
    filled += count;
  }
}

Result<Tensor> Unpacked(const Tensor& packed) {
  Tensor bytes = TRY(Tensor::Make(DType::kUint8, packed.shape()));
  const std::int64_t bits = DTypeBits(packed.dtype());
  const std::int64_t per_byte = 8 / bits;
  const unsigned mask = (1U << bits) - 1;
  const auto* in = static_cast<const std::uint8_t*>(packed.raw());
  std::uint8_t* out = bytes.data<std::uint8_t>().data();
  for (std::int64_t i = 0; i < packed.size(); ++i) {
    const auto shift = static_cast<unsigned>(i % per_byte * bits);
    out[i] = static_cast<std::uint8_t>(in[i / per_byte] >> shift & mask);
  }
  return bytes;
}

void PackInto(const Tensor& bytes, Tensor& packed) {
  const std::int64_t bits = DTypeBits(packed.dtype());
  const std::int64_t per_byte = 8 / bits;
  const unsigned mask = (1U << bits) - 1;
  const std::uint8_t* in = bytes.data<std::uint8_t>().data();
  auto* out = static_cast<std::uint8_t*>(packed.raw());
  if (packed.size() > 0) std::memset(out, 0, At(packed.bytes()));
  for (std::int64_t i = 0; i < packed.size(); ++i) {
    const auto shift = static_cast<unsigned>(i % per_byte * bits);
    out[i / per_byte] = static_cast<std::uint8_t>(out[i / per_byte] | (in[i] & mask) << shift);
  }
}

}  // namespace slipway::runtime
