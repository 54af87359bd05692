// SPDX-License-Identifier: Apache-2.0
#include "runtime/python/fast_inputs.h"

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

/// Appends a code point in UTF-8. False for what is none.
bool AppendUtf8(std::string& text, std::uint32_t code) {
  const auto put = [&text](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto continued = [&put, code](int shift) { put(0x80 | (code >> shift & 0x3f)); };
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    continued(0);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    continued(6);
    continued(0);
  } else {
    put(0xf0 | code >> 18);
    continued(12);
    continued(6);
    continued(0);
  }
  return true;
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
    for (const std::uint32_t code : codes) {
      if (!AppendUtf8(bytes, code)) return false;
    }
    offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    return true;
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
