// SPDX-License-Identifier: Apache-2.0
#include "runtime/python/fast_outputs.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace slipway::python {
namespace {

constexpr std::size_t kMostCopied = 1 << 16;
constexpr int kWritable = 0x1;

PyObject* Fields(const slipway_view& view) {
  PyObject* tuple = PyTuple_New(7);
  if (tuple == nullptr) return nullptr;
  PyTuple_SetItem(tuple, 0, PyLong_FromVoidPtr(view.value));
  PyTuple_SetItem(tuple, 1, PyLong_FromVoidPtr(view.data));
  PyTuple_SetItem(tuple, 2, PyLong_FromVoidPtr(const_cast<std::int64_t*>(view.dims)));
  PyTuple_SetItem(tuple, 3, PyLong_FromLongLong(static_cast<long long>(view.rank)));
  PyTuple_SetItem(tuple, 4, PyLong_FromLongLong(static_cast<long long>(view.bytes)));
  PyTuple_SetItem(tuple, 5, PyLong_FromLongLong(view.kind));
  PyTuple_SetItem(tuple, 6, PyLong_FromLongLong(view.dtype));
  return tuple;
}

/// A value of the C library and its view, released at the end.
class Part {
 public:
  explicit Part(const slipway_python_library& library) : library_(library) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() {
    if (value != nullptr) library_.release(value);
  }

  slipway_view View() const {
    slipway_view view;
    library_.view(value, &view);
    return view;
  }

  slipway_value* value = nullptr;

 private:
  const slipway_python_library& library_;
};

std::size_t CountOf(const slipway_view& view) {
  std::size_t count = 1;
  for (const std::int64_t dim : std::span(view.dims, view.rank)) {
    count *= static_cast<std::size_t>(dim);
  }
  return count;
}

/// Number `index` of the elements at `data`; null, and no exception, for types that are no plain
/// numbers of Python.
PyObject* Number(std::int32_t dtype, const void* data, std::size_t index) {
  const auto at = [data, index]<class T>(T) { return static_cast<const T*>(data)[index]; };
  switch (dtype) {
    case SLIPWAY_FLOAT32:
      return PyFloat_FromDouble(static_cast<double>(at(float{})));
    case SLIPWAY_FLOAT64:
      return PyFloat_FromDouble(at(double{}));
    case SLIPWAY_INT64:
      return PyLong_FromLongLong(at(std::int64_t{}));
    case SLIPWAY_INT32:
      return PyLong_FromLongLong(at(std::int32_t{}));
    case SLIPWAY_INT16:
      return PyLong_FromLongLong(at(std::int16_t{}));
    case SLIPWAY_INT8:
      return PyLong_FromLongLong(at(std::int8_t{}));
    case SLIPWAY_UINT64:
      return PyLong_FromUnsignedLongLong(at(std::uint64_t{}));
    case SLIPWAY_UINT32:
      return PyLong_FromUnsignedLongLong(at(std::uint32_t{}));
    case SLIPWAY_UINT16:
      return PyLong_FromUnsignedLongLong(at(std::uint16_t{}));
    case SLIPWAY_UINT8:
      return PyLong_FromUnsignedLongLong(at(std::uint8_t{}));
    case SLIPWAY_BOOL:
      return PyBool_FromLong(at(std::uint8_t{}));
    default:
      return nullptr;
  }
}

/// The elements of a tensor as Python's numbers and texts. Nothing, and no exception, where its
/// type has none such.
using Elements = std::optional<std::vector<Object>>;

Elements TextsOf(const slipway_python_call& call, slipway_value* value, std::size_t count) {
  std::vector<std::int64_t> offsets(count + 1);
  char* text = nullptr;
  if (slipway_status status = call.library->get_strings(value, &text, offsets.data())) {
    call.library->status_release(status);
    return std::nullopt;
  }
  Elements elements(std::in_place);
  elements->reserve(count);
  for (std::size_t i = 0; elements && i < count; ++i) {
    const Py_ssize_t size = offsets[i + 1] - offsets[i];
    elements->emplace_back(PyUnicode_FromStringAndSize(text + offsets[i], size));
    if (!elements->back()) elements.reset();
  }
  call.library->text_release(text);
  return elements;
}

Elements ElementsOf(const slipway_python_call& call, const slipway_view& view) {
  const std::size_t count = CountOf(view);
  if (view.dtype == SLIPWAY_STRING) return TextsOf(call, view.value, count);
  std::vector<Object> elements;
  elements.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    elements.emplace_back(Number(view.dtype, view.data, i));
    if (!elements.back()) return std::nullopt;
  }
  return elements;
}

/// A new array of that shape, its elements not set.
Object EmptyArray(const slipway_python_call& call, const slipway_view& view) {
  if (call.numpy_empty != nullptr) {
    PyObject* dtype = call.dtypes[view.dtype];
    Py_IncRef(dtype);
    return Object(call.numpy_empty(static_cast<int>(view.rank), view.dims, dtype, 0));
  }
  Object shape(PyTuple_New(static_cast<Py_ssize_t>(view.rank)));
  if (!shape) return shape;
  for (std::size_t i = 0; i < view.rank; ++i) {
    PyTuple_SetItem(shape.get(), static_cast<Py_ssize_t>(i), PyLong_FromLongLong(view.dims[i]));
  }
  PyObject* dtype = call.dtypes[view.dtype];
  return Object(PyObject_CallFunctionObjArgs(call.empty, shape.get(), dtype, nullptr));
}

/// A new array with the elements of `view`.
Object NumberArray(const slipway_python_call& call, const slipway_view& view) {
  Object array = EmptyArray(call, view);
  if (!array || view.bytes == 0) return array;
  if (call.numpy_empty != nullptr) {
    std::memcpy(AsNumpyArray(array.get()).data, view.data, view.bytes);
    return array;
  }
  Buffer buffer;
  if (!buffer.Open(array.get(), kWritable)) return Object();
  std::memcpy(buffer->buf, view.data, view.bytes);
  return array;
}

/// A new array of the texts of `view`.
Object TextArray(const slipway_python_call& call, const slipway_view& view) {
  Elements texts = ElementsOf(call, view);
  if (!texts) return Object();
  Object array = EmptyArray(call, view);
  Buffer buffer;
  if (!array || texts->empty()) return array;
  if (!buffer.Open(array.get(), kWritable)) return Object();
  const std::span slots(static_cast<PyObject**>(buffer->buf), texts->size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Object before(slots[i]);
    slots[i] = (*texts)[i].Release();
  }
  return array;
}

/// A dict of `keys` and as many items.
Object DictOf(std::span<const Object> keys, std::span<const Object> items) {
  Object dict(PyDict_New());
  for (std::size_t i = 0; dict && i < keys.size(); ++i) {
    if (PyDict_SetItem(dict.get(), keys[i].get(), items[i].get()) != 0) return Object();
  }
  return dict;
}

/// A map, or the maps of a sequence, where the library gives their keys and items as two tensors.
Object MapsOf(const slipway_python_call& call, const slipway_view& view) {
  const slipway_python_library& library = *call.library;
  const bool many = view.kind == SLIPWAY_SEQUENCE;
  Part keys_part(library);
  Part items_part(library);
  slipway_status status =
      many ? library.sequence_maps(view.value, &keys_part.value, &items_part.value)
           : library.map_keys(view.value, &keys_part.value);
  if (!many && status == nullptr) status = library.map_items(view.value, &items_part.value);
  if (status != nullptr) {
    library.status_release(status);
    return Object();
  }
  const slipway_view stacked = items_part.View();
  const Elements keys = ElementsOf(call, keys_part.View());
  if (!keys) return Object();
  const Elements items = ElementsOf(call, stacked);
  if (!items) return Object();
  if (!many) return DictOf(*keys, *items);
  const auto rows = static_cast<std::size_t>(stacked.dims[0]);
  Object list(PyList_New(static_cast<Py_ssize_t>(rows)));
  for (std::size_t row = 0; list && row < rows; ++row) {
    Object dict = DictOf(*keys, std::span(*items).subspan(row * keys->size(), keys->size()));
    if (!dict) return dict;
    PyList_SetItem(list.get(), static_cast<Py_ssize_t>(row), dict.Release());
  }
  return list;
}

/// The output as an object that shares nothing with `view`. Null, and no exception, where it is
/// for the module to make one.
Object OutputOf(const slipway_python_call& call, const slipway_view& view) {
  if (view.kind == SLIPWAY_SEQUENCE || view.kind == SLIPWAY_MAP) return MapsOf(call, view);
  const auto number = static_cast<std::size_t>(view.dtype);
  const bool known = number < call.dtype_count && call.dtypes[number] != nullptr;
  if (view.kind != SLIPWAY_TENSOR || !known || view.bytes > kMostCopied) return Object();
  return view.dtype == SLIPWAY_STRING ? TextArray(call, view) : NumberArray(call, view);
}

}  // namespace

PyObject* Outputs(const slipway_python_call& call, std::span<const slipway_view> views) {
  Object list(PyList_New(static_cast<Py_ssize_t>(views.size())));
  bool all_made = true;
  for (std::size_t i = 0; i < views.size(); ++i) {
    Object output = list ? OutputOf(call, views[i]) : Object();
    const bool made = static_cast<bool>(output);
    all_made = all_made && made;
    if (!made && PyErr_Occurred() == nullptr) output = Object(Fields(views[i]));
    if (!output) {
      for (const slipway_view& rest : views.subspan(i)) call.library->release(rest.value);
      return nullptr;
    }
    if (made) call.library->release(views[i].value);
    PyList_SetItem(list.get(), static_cast<Py_ssize_t>(i), output.Release());
  }
  if (!list || all_made) return list.Release();
  PyObject* partly = PyTuple_New(1);
  if (partly != nullptr) PyTuple_SetItem(partly, 0, list.Release());
  return partly;
}

}  // namespace slipway::python
