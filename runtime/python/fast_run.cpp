// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "runtime/slipway.h"

/// One inference for the module `onnxruntime`, without the interpreter's detours: plain arrays in,
/// plain arrays out; for anything else the module does it by itself. The functions of the
/// interpreter are declared here as its stable ABI has them (those of buffers since 3.11, unchanged
/// since 3.8), so that neither its headers nor a build for each version is needed: the process
/// that loads this has them. Source: docs.python.org/3/c-api/stable.html, PEP 3118.
// NOLINTBEGIN(readability-identifier-naming): names of C
extern "C" {

struct PyObject;
struct PyThreadState;
using Py_ssize_t = std::ptrdiff_t;

struct Py_buffer {
  void* buf;
  PyObject* obj;
  Py_ssize_t len, itemsize;
  int readonly, ndim;
  char* format;
  Py_ssize_t *shape, *strides, *suboffsets;
  void* internal;
};

int PyObject_GetBuffer(PyObject* object, Py_buffer* view, int flags);
void PyBuffer_Release(Py_buffer* view);
int PyDict_Next(PyObject* dict, Py_ssize_t* position, PyObject** key, PyObject** value);
PyObject* PyObject_Type(PyObject* object);
PyObject* PyObject_CallFunctionObjArgs(PyObject* callable, ...);
PyObject* PyTuple_New(Py_ssize_t size);
int PyTuple_SetItem(PyObject* tuple, Py_ssize_t index, PyObject* item);
PyObject* PyList_New(Py_ssize_t size);
int PyList_SetItem(PyObject* list, Py_ssize_t index, PyObject* item);
PyObject* PyLong_FromLongLong(long long number);
PyObject* PyLong_FromVoidPtr(void* pointer);
void PyErr_Clear();
void Py_IncRef(PyObject* object);
void Py_DecRef(PyObject* object);
PyThreadState* PyEval_SaveThread();
void PyEval_RestoreThread(PyThreadState* state);

/// What stays the same from call to call; the module keeps it and all it points to.
struct slipway_python_call {
  slipway_session* session;
  const char* const* input_names;
  std::size_t input_count;
  const char* const* output_names;
  std::size_t output_count;
  PyObject* array_type;     ///< numpy.ndarray
  PyObject* empty;          ///< numpy.empty
  PyObject* const* dtypes;  ///< by number of the element type; null where numpy has none
  std::size_t dtype_count;
  PyObject* none;
  decltype(&slipway_session_run_views) run;
  decltype(&slipway_value_release) release;
};

/// A list of the outputs: arrays, and a tuple of a view's first seven fields for each that is
/// large or no plain tensor, whose value the caller then owns. None where an input is no plain
/// array. An integer, the address of a status, where the inference failed. Null with an exception.
SLIPWAY_API PyObject* slipway_python_run(const slipway_python_call* call, PyObject* feeds);
}
// NOLINTEND(readability-identifier-naming)

namespace {

constexpr std::size_t kMostPorts = 16;
constexpr std::size_t kMostCopied = 1 << 16;
constexpr int kContiguousWithFormat = 0x38 | 0x4;

/// The element type of a format of PEP 3118; 0 for another byte order or no such type.
std::int32_t DTypeOf(const char* format) {
  if (format == nullptr) return SLIPWAY_UNDEFINED;
  if (std::strcmp(format, "Zf") == 0) return SLIPWAY_COMPLEX64;
  if (std::strcmp(format, "Zd") == 0) return SLIPWAY_COMPLEX128;
  if (std::strlen(format) != 1) return SLIPWAY_UNDEFINED;
  static constexpr char kFormats[] = "fBbHhiqld?eIQL";
  static constexpr std::int32_t kTypes[] = {
      SLIPWAY_FLOAT32, SLIPWAY_UINT8,  SLIPWAY_INT8,   SLIPWAY_UINT16,  SLIPWAY_INT16,
      SLIPWAY_INT32,   SLIPWAY_INT64,  SLIPWAY_INT64,  SLIPWAY_FLOAT64, SLIPWAY_BOOL,
      SLIPWAY_FLOAT16, SLIPWAY_UINT32, SLIPWAY_UINT64, SLIPWAY_UINT64};
  const char* found = std::strchr(kFormats, *format);
  return found == nullptr ? SLIPWAY_UNDEFINED : kTypes[found - kFormats];
}

/// The buffers of the inputs, held as long as this lives.
class Inputs {
 public:
  Inputs() = default;
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;
  ~Inputs() {
    for (Py_buffer& buffer : std::span(buffers_).first(count_)) PyBuffer_Release(&buffer);
  }

  /// False, and no exception, for what is no plain array.
  bool Add(PyObject* value, PyObject* array_type) {
    PyObject* type = PyObject_Type(value);
    const bool plain = type == array_type;
    Py_DecRef(type);
    if (!plain || count_ == kMostPorts) return false;
    Py_buffer& buffer = buffers_[count_];
    if (PyObject_GetBuffer(value, &buffer, kContiguousWithFormat) != 0) {
      PyErr_Clear();
      return false;
    }
    slipway_view& view = views_[count_++];
    const auto address = reinterpret_cast<std::uintptr_t>(buffer.buf);
    view = {.value = nullptr,
            .data = buffer.buf,
            .dims = dims_[count_ - 1].data(),
            .rank = static_cast<std::size_t>(buffer.ndim),
            .bytes = static_cast<std::size_t>(buffer.len),
            .kind = SLIPWAY_TENSOR,
            .dtype = DTypeOf(buffer.format),
            .head = {}};
    if (view.rank > kMostDims) return false;
    for (std::size_t i = 0; i < view.rank; ++i) dims_[count_ - 1][i] = buffer.shape[i];
    return view.dtype != SLIPWAY_UNDEFINED && buffer.itemsize > 0 &&
           address % static_cast<std::uintptr_t>(buffer.itemsize) == 0;
  }

  const slipway_view* views() const { return views_.data(); }
  std::size_t count() const { return count_; }

 private:
  static constexpr std::size_t kMostDims = 16;
  std::array<Py_buffer, kMostPorts> buffers_;
  std::array<slipway_view, kMostPorts> views_;
  std::array<std::array<std::int64_t, kMostDims>, kMostPorts> dims_;
  std::size_t count_ = 0;
};

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

/// A new array with the elements of `view`, whose value stays.
PyObject* Copy(const slipway_python_call& call, const slipway_view& view, PyObject* dtype) {
  PyObject* shape = PyTuple_New(static_cast<Py_ssize_t>(view.rank));
  if (shape == nullptr) return nullptr;
  for (std::size_t i = 0; i < view.rank; ++i) {
    PyTuple_SetItem(shape, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(view.dims[i]));
  }
  PyObject* array = PyObject_CallFunctionObjArgs(call.empty, shape, dtype, nullptr);
  Py_DecRef(shape);
  if (array == nullptr || view.bytes == 0) return array;
  Py_buffer buffer;
  if (PyObject_GetBuffer(array, &buffer, 0) != 0) {
    Py_DecRef(array);
    return nullptr;
  }
  std::memcpy(buffer.buf, view.data, view.bytes);
  PyBuffer_Release(&buffer);
  return array;
}

PyObject* Output(const slipway_python_call& call, const slipway_view& view) {
  const auto number = static_cast<std::size_t>(view.dtype);
  PyObject* dtype = number < call.dtype_count ? call.dtypes[number] : nullptr;
  if (view.kind != SLIPWAY_TENSOR || dtype == nullptr || view.bytes > kMostCopied) {
    return Fields(view);
  }
  PyObject* array = Copy(call, view, dtype);
  if (array != nullptr) call.release(view.value);
  return array;
}

PyObject* Outputs(const slipway_python_call& call, std::span<const slipway_view> views) {
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(views.size()));
  for (std::size_t i = 0; i < views.size(); ++i) {
    PyObject* output = list == nullptr ? nullptr : Output(call, views[i]);
    if (output == nullptr) {
      for (const slipway_view& rest : views.subspan(i)) call.release(rest.value);
      if (list != nullptr) Py_DecRef(list);
      return nullptr;
    }
    PyList_SetItem(list, static_cast<Py_ssize_t>(i), output);
  }
  return list;
}

}  // namespace

PyObject* slipway_python_run(const slipway_python_call* call, PyObject* feeds) {
  Inputs inputs;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  bool plain = call->output_count <= kMostPorts;
  for (Py_ssize_t at = 0; plain && PyDict_Next(feeds, &at, &key, &value) != 0;) {
    plain = inputs.Add(value, call->array_type);
  }
  if (!plain || inputs.count() != call->input_count) {
    Py_IncRef(call->none);
    return call->none;
  }
  std::array<slipway_view, kMostPorts> outputs;
  PyThreadState* state = PyEval_SaveThread();
  slipway_status status =
      call->run(call->session, call->input_names, inputs.views(), call->input_count,
                call->output_names, call->output_count, outputs.data());
  PyEval_RestoreThread(state);
  if (status != nullptr) return PyLong_FromVoidPtr(status);
  return Outputs(*call, std::span(outputs).first(call->output_count));
}
