// SPDX-License-Identifier: Apache-2.0
#include "runtime/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/limits.h"
#include "runtime/bounds.h"

namespace slipway::runtime {
namespace {

struct DTypeRow {
  std::string_view name;
  int bits;
};

constexpr std::array<DTypeRow, kDTypeCount> kRows = {
    {{"undefined", 0},      {"float", 32},     {"uint8", 8},
     {"int8", 8},           {"uint16", 16},    {"int16", 16},
     {"int32", 32},         {"int64", 64},     {"string", 8 * sizeof(std::string)},
     {"bool", 8},           {"float16", 16},   {"double", 64},
     {"uint32", 32},        {"uint64", 64},    {"complex64", 64},
     {"complex128", 128},   {"bfloat16", 16},  {"float8e4m3fn", 8},
     {"float8e4m3fnuz", 8}, {"float8e5m2", 8}, {"float8e5m2fnuz", 8},
     {"uint4", 4},          {"int4", 4},       {"float4e2m1", 4},
     {"float8e8m0", 8},     {"uint2", 2},      {"int2", 2},
     {"float6e2m3", 8},     {"float6e3m2", 8}}};

constexpr std::size_t kAlignment = 64;
/// Up to this size memory is aligned here: what the C library has at hand is not.
constexpr std::size_t kSmallBytes = 512;
/// Memory from this size on is asked for in large pages.
constexpr std::size_t kLargeBytes = std::size_t{4} << 20;

std::int64_t BytesOf(DType dtype, std::int64_t size) {
  const std::int64_t bits = DTypeBits(dtype);
  return bits >= 8 ? size * (bits / 8) : (size * bits + 7) / 8;
}

Error TooLarge(DType dtype, const Shape& shape) {
  return {.code = Code::kResourceExhausted,
          .message = fmt::format("a tensor {}{} is too large", DTypeName(dtype), ShapeText(shape)),
          .id = "Tensor.TooLarge"};
}

/// Memory for `std::free`, in which a tensor's elements begin at the first place that is aligned.
/// Large ones lie in large pages where the machine has them, which are quicker to get and to read;
/// what is left beyond the last of them takes small ones. Null without memory.
void* AllocateBytes(std::size_t bytes) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  if (bytes <= kSmallBytes) return std::malloc(bytes + kAlignment);
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (bytes < kLargeBytes) return std::aligned_alloc(kAlignment, bytes);
  void* memory = nullptr;
  if (::posix_memalign(&memory, kLargePage, bytes) != 0) return nullptr;
  (void)::madvise(memory, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);
  return memory;
}

/// The first place from `memory` on that is aligned.
void* Aligned(void* memory) {
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(memory) % kAlignment;
  return static_cast<std::byte*>(memory) + (beyond == 0 ? 0 : kAlignment - beyond);
}

/// Frees a tensor's elements, and gives their bytes back to the session they count for.
struct Release {
  std::shared_ptr<MemoryBudget> budget;  ///< null: they count for none
  std::int64_t bytes = 0;
  void* memory = nullptr;  ///< in which the elements lie; null: they are strings

  void operator()(void* elements) {
    if (memory == nullptr) {
      delete[] static_cast<std::string*>(elements);
    } else {
      std::free(memory);
    }
    LetGo();
  }
  void LetGo() {
    if (budget != nullptr) budget->Give(bytes);
    budget.reset();
  }
};

Error NoMemoryFor(DType dtype, const Shape& shape) {
  return {.code = Code::kResourceExhausted,
          .message = fmt::format("no memory for a tensor {}{}", DTypeName(dtype), ShapeText(shape)),
          .id = "Tensor.NoMemory"};
}

Result<std::shared_ptr<void>> Allocate(DType dtype, const Shape& shape, std::int64_t size) {
  const std::int64_t bytes = BytesOf(dtype, size);
  Release release;
  if (Bounds* bounds = CurrentBounds(); bounds != nullptr && bounds->memory() != nullptr) {
    MemoryBudget& budget = *bounds->memory();
    if (bytes > budget.limits().tensor_bytes) return TooLarge(dtype, shape);
    if (!budget.Take(bytes)) {
      return MemoryLimitError(budget, bytes,
                              fmt::format("a tensor {}{}", DTypeName(dtype), ShapeText(shape)));
    }
    release.budget = bounds->memory();
    release.bytes = bytes;
  }
  void* elements = nullptr;
  if (dtype == DType::kString) {
    elements = new (std::nothrow) std::string[static_cast<std::size_t>(size)];
  } else if (release.memory = AllocateBytes(static_cast<std::size_t>(bytes));
             release.memory != nullptr) {
    elements = Aligned(release.memory);
  }
  if (elements == nullptr) {
    release.LetGo();
    return NoMemoryFor(dtype, shape);
  }
  return std::shared_ptr<void>(elements, std::move(release));
}

}  // namespace

std::string_view DTypeName(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kRows.size() ? kRows[index].name : "unknown";
}

int DTypeBits(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kRows.size() ? kRows[index].bits : 0;
}

Result<DType> DTypeFromNumber(std::int64_t number) {
  if (number <= 0 || number >= kDTypeCount) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("{} is no element type", number)};
  }
  return static_cast<DType>(number);
}

std::string ShapeText(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

Result<std::int64_t> ElementCount(const Shape& shape) {
  if (static_cast<std::int64_t>(shape.size()) > limits::kTensorRank) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("rank {} is over {}", shape.size(), limits::kTensorRank)};
  }
  bool empty = false;
  for (std::int64_t dim : shape) {
    if (dim < 0) {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("shape {} has a negative dimension", ShapeText(shape))};
    }
    empty = empty || dim == 0;
  }
  if (empty) return std::int64_t{0};
  std::int64_t count = 1;
  for (std::int64_t dim : shape) {
    if (__builtin_mul_overflow(count, dim, &count)) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("shape {} has too many elements", ShapeText(shape)),
                   .id = "Tensor.TooLarge"};
    }
  }
  return count;
}

Result<Tensor> Tensor::Make(DType dtype, Shape shape) {
  if (DTypeBits(dtype) == 0) {
    return Error{.code = Code::kInvalidArgument, .message = "a tensor of no element type"};
  }
  const std::int64_t size = TRY(ElementCount(shape));
  if (size > limits::kTensorBytes / std::max(1, DTypeBits(dtype) / 8)) {
    return TooLarge(dtype, shape);
  }
  Tensor tensor;
  std::shared_ptr<void> owner = TRY(Allocate(dtype, shape, size));
  // Elements that share a byte are written one by one, and the bits after the last are kept too.
  if (DTypeBits(dtype) < 8) {
    std::memset(owner.get(), 0, static_cast<std::size_t>(BytesOf(dtype, size)));
  }
  tensor.data_ = owner.get();
  tensor.owner_ = std::move(owner);
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.size_ = size;
  return tensor;
}

Tensor Tensor::Wrap(DType dtype, Shape shape, std::shared_ptr<const void> owner, void* data) {
  Tensor tensor;
  auto size = ElementCount(shape);
  SLIPWAY_CHECK(size.has_value());
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.size_ = *size;
  tensor.data_ = data;
  tensor.owner_ = std::move(owner);
  return tensor;
}

std::int64_t Tensor::bytes() const { return BytesOf(dtype_, size_); }

void Tensor::LeaveBudget() const {
  if (owner_.use_count() != 1) return;
  if (auto* release = std::get_deleter<Release>(owner_)) release->LetGo();
}

Result<void> Tensor::CountText() const {
  if (dtype_ != DType::kString || owner_.use_count() != 1) return {};
  auto* release = std::get_deleter<Release>(owner_);
  if (release == nullptr || release->budget == nullptr) return {};
  const auto room = static_cast<std::int64_t>(std::string().capacity());
  const std::int64_t bytes = BytesOf(dtype_, size_);
  std::int64_t text = 0;
  for (const std::string& element : data<std::string>()) {
    const auto held = static_cast<std::int64_t>(element.capacity());
    if (held > room) text += held + 1;
  }
  if (text > release->budget->limits().string_bytes) return TextLimitError(*release->budget);
  const std::int64_t more = bytes + text - release->bytes;
  if (more > 0 && !release->budget->Take(more)) {
    return MemoryLimitError(*release->budget, more, "text");
  }
  if (more < 0) release->budget->Give(-more);
  release->bytes = bytes + text;
  return {};
}

Tensor Tensor::Reshaped(Shape shape) const {
  Tensor tensor = *this;
  auto size = ElementCount(shape);
  SLIPWAY_CHECK(size.has_value() && *size == size_);
  tensor.shape_ = std::move(shape);
  return tensor;
}

Result<Tensor> Tensor::Clone() const {
  Tensor copy = TRY(Make(dtype_, shape_));
  if (dtype_ == DType::kString) {
    std::ranges::copy(data<std::string>(), copy.data<std::string>().begin());
  } else if (size_ > 0) {
    std::memcpy(copy.raw(), data_, static_cast<std::size_t>(bytes()));
  }
  return copy;
}

}  // namespace slipway::runtime
