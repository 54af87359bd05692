// SPDX-License-Identifier: Apache-2.0
#include "runtime/python/fast_inputs.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace slipway::python {
namespace {

constexpr int kContiguousWithFormat = 0x38 | 0x4;

/// Whether `format` is that of texts of one length in UCS-4, as in "12w".
bool IsFixedText(const char* format) {
  const std::size_t digits = std::strspn(format, "0123456789");
  return std::strcmp(format + digits, "w") == 0;
}

/// The element type of a format of PEP 3118; 0 for another byte order or no such type.
std::int32_t DTypeOf(const char* format) {
  if (format == nullptr) return SLIPWAY_UNDEFINED;
  if (std::strcmp(format, "Zf") == 0) return SLIPWAY_COMPLEX64;
  if (std::strcmp(format, "Zd") == 0) return SLIPWAY_COMPLEX128;
  if (std::strcmp(format, "O") == 0 || IsFixedText(format)) return SLIPWAY_STRING;
  if (std::strlen(format) != 1) return SLIPWAY_UNDEFINED;
  static constexpr char kFormats[] = "fBbHhiqld?eIQL";
  static constexpr std::int32_t kTypes[] = {
      SLIPWAY_FLOAT32, SLIPWAY_UINT8,  SLIPWAY_INT8,   SLIPWAY_UINT16,  SLIPWAY_INT16,
      SLIPWAY_INT32,   SLIPWAY_INT64,  SLIPWAY_INT64,  SLIPWAY_FLOAT64, SLIPWAY_BOOL,
      SLIPWAY_FLOAT16, SLIPWAY_UINT32, SLIPWAY_UINT64, SLIPWAY_UINT64};
  const char* found = std::strchr(kFormats, *format);
  return found == nullptr ? SLIPWAY_UNDEFINED : kTypes[found - kFormats];
}

/// Bytes of an element of these types; 0 for others.
std::size_t WidthOf(std::int32_t dtype) {
  switch (dtype) {
    case SLIPWAY_BOOL:
    case SLIPWAY_INT8:
    case SLIPWAY_UINT8:
      return 1;
    case SLIPWAY_FLOAT16:
    case SLIPWAY_INT16:
    case SLIPWAY_UINT16:
      return 2;
    case SLIPWAY_FLOAT32:
    case SLIPWAY_INT32:
    case SLIPWAY_UINT32:
      return 4;
    case SLIPWAY_FLOAT64:
    case SLIPWAY_INT64:
    case SLIPWAY_UINT64:
    case SLIPWAY_COMPLEX64:
      return 8;
    case SLIPWAY_COMPLEX128:
      return 16;
    default:
      return 0;
  }
}

/// The elements of a string tensor as the C library takes them.
struct Text {
  std::string bytes;
  std::vector<std::int64_t> offsets = {0};

  /// False, and no exception, for what is no str that UTF-8 can write.
  bool Add(PyObject* element) {
    Py_ssize_t size = 0;
    const char* text = element == nullptr ? nullptr : PyUnicode_AsUTF8AndSize(element, &size);
    if (text == nullptr) {
      PyErr_Clear();
      return false;
    }
    bytes.append(text, static_cast<std::size_t>(size));
    offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    return true;
  }

  /// An element of fixed length; zeros fill what it has too much.
  bool Add(std::span<const std::uint32_t> codes) {
    while (!codes.empty() && codes.back() == 0) codes = codes.first(codes.size() - 1);
    const auto bytes_of = std::as_bytes(codes);
    int order = std::endian::native == std::endian::little ? -1 : 1;
    const Object element(PyUnicode_DecodeUTF32(reinterpret_cast<const char*>(bytes_of.data()),
                                               static_cast<Py_ssize_t>(bytes_of.size()), nullptr,
                                               &order));
    return Add(element.get());
  }

  /// All elements of an array.
  bool AddAll(const Py_buffer& buffer) {
    const auto length = static_cast<std::size_t>(buffer.itemsize);
    const std::size_t count = length == 0 ? 0 : static_cast<std::size_t>(buffer.len) / length;
    const bool objects = *buffer.format == 'O';
    const std::size_t width = length / sizeof(std::uint32_t);
    offsets.reserve(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      const bool added =
          objects
              ? Add(static_cast<PyObject* const*>(buffer.buf)[i])
              : Add(std::span(static_cast<const std::uint32_t*>(buffer.buf) + i * width, width));
      if (!added) return false;
    }
    return length != 0;
  }
};

}  // namespace

Inputs::~Inputs() {
  for (const slipway_view& view : std::span(views_).first(count_)) {
    if (view.value != nullptr) call_.library->release(view.value);
  }
}

bool Inputs::Add(PyObject* value) {
  const Object type(PyObject_Type(value));
  if (type.get() != call_.array_type || count_ == kMostPorts) return false;
  return (call_.numpy_empty != nullptr && AddNumbers(value)) || AddBuffer(value);
}

/// Arrays of NumPy's own numbers, which know their types by these objects.
bool Inputs::AddNumbers(PyObject* value) {
  const NumpyArray& array = AsNumpyArray(value);
  const auto rank = static_cast<std::size_t>(array.rank);
  constexpr int kPlain = kRowMajor | kAligned;
  if (rank > kMostDims || (array.flags & kPlain) != kPlain) return false;
  const std::span dtypes(call_.dtypes, call_.dtype_count);
  const auto found = std::ranges::find(dtypes, array.dtype);
  const auto dtype = static_cast<std::int32_t>(found - dtypes.begin());
  const std::size_t width = found == dtypes.end() ? 0 : WidthOf(dtype);
  if (width == 0) return false;
  std::size_t bytes = width;
  for (std::size_t i = 0; i < rank; ++i) {
    dims_[count_][i] = array.dims[i];
    bytes *= static_cast<std::size_t>(array.dims[i]);
  }
  Py_IncRef(value);
  arrays_[count_] = Object(value);
  views_[count_] = {.value = nullptr,
                    .data = array.data,
                    .dims = dims_[count_].data(),
                    .rank = rank,
                    .bytes = bytes,
                    .kind = SLIPWAY_TENSOR,
                    .dtype = dtype,
                    .head = {}};
  ++count_;
  return true;
}

bool Inputs::AddBuffer(PyObject* value) {
  Buffer& buffer = buffers_[count_];
  if (!buffer.Open(value, kContiguousWithFormat)) return false;
  std::array<std::int64_t, kMostDims>& dims = dims_[count_];
  slipway_view& view = views_[count_++];
  view = {.value = nullptr,
          .data = buffer->buf,
          .dims = dims.data(),
          .rank = static_cast<std::size_t>(buffer->ndim),
          .bytes = static_cast<std::size_t>(buffer->len),
          .kind = SLIPWAY_TENSOR,
          .dtype = DTypeOf(buffer->format),
          .head = {}};
  if (view.rank > kMostDims) return false;
  for (std::size_t i = 0; i < view.rank; ++i) dims[i] = buffer->shape[i];
  if (view.dtype == SLIPWAY_UNDEFINED) return false;
  const std::size_t alignment = IsFixedText(buffer->format)
                                    ? alignof(std::uint32_t)
                                    : static_cast<std::size_t>(buffer->itemsize);
  const auto address = reinterpret_cast<std::uintptr_t>(buffer->buf);
  if (alignment == 0 || address % alignment != 0) return false;
  return view.dtype != SLIPWAY_STRING || AddText(*buffer, view);
}

bool Inputs::AddText(const Py_buffer& buffer, slipway_view& view) {
  Text text;
  if (!text.AddAll(buffer)) return false;
  slipway_status status =
      call_.library->tensor_create(SLIPWAY_STRING, view.dims, view.rank, &view.value);
  if (status == nullptr) {
    status = call_.library->set_strings(view.value, text.bytes.data(), text.offsets.data());
  }
  if (status != nullptr) call_.library->status_release(status);
  return status == nullptr;
}

}  // namespace slipway::python
