// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// The functions of the interpreter as its stable ABI has them (those of buffers since 3.11, that
/// of a text's bytes since 3.10, all unchanged since 3.8), declared here so that neither its
/// headers nor a build for each version is needed: the process that loads this library has them.
/// Sources: docs.python.org/3/c-api/stable.html, PEP 3118.
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

/// A function of C as an object of the interpreter; METH_O: called with one argument.
struct PyMethodDef {
  const char* name;
  PyObject* (*function)(PyObject* self, PyObject* argument);
  int flags;
  const char* doc;
};

int PyObject_GetBuffer(PyObject* object, Py_buffer* view, int flags);
void PyBuffer_Release(Py_buffer* view);
int PyDict_Next(PyObject* dict, Py_ssize_t* position, PyObject** key, PyObject** value);
PyObject* PyDict_New();
int PyDict_SetItem(PyObject* dict, PyObject* key, PyObject* value);
PyObject* PyObject_Type(PyObject* object);
PyObject* PyObject_CallFunctionObjArgs(PyObject* callable, ...);
PyObject* PyTuple_New(Py_ssize_t size);
int PyTuple_SetItem(PyObject* tuple, Py_ssize_t index, PyObject* item);
PyObject* PyList_New(Py_ssize_t size);
int PyList_SetItem(PyObject* list, Py_ssize_t index, PyObject* item);
PyObject* PyLong_FromLongLong(long long number);
PyObject* PyLong_FromUnsignedLongLong(unsigned long long number);
PyObject* PyLong_FromVoidPtr(void* pointer);
PyObject* PyBool_FromLong(long number);
PyObject* PyFloat_FromDouble(double number);
PyObject* PyUnicode_DecodeUTF32(const char* text, Py_ssize_t size, const char* errors,
                                int* byte_order);
PyObject* PyUnicode_FromStringAndSize(const char* text, Py_ssize_t size);
const char* PyUnicode_AsUTF8AndSize(PyObject* text, Py_ssize_t* size);
PyObject* PyErr_Occurred();
void PyErr_Clear();
PyObject* PyCFunction_NewEx(PyMethodDef* method, PyObject* self, PyObject* module);
PyObject* PyCapsule_New(void* pointer, const char* name, void (*destructor)(PyObject*));
void* PyCapsule_GetPointer(PyObject* capsule, const char* name);
void Py_IncRef(PyObject* object);
void Py_DecRef(PyObject* object);
PyThreadState* PyEval_SaveThread();
void PyEval_RestoreThread(PyThreadState* state);
}
// NOLINTEND(readability-identifier-naming)

namespace slipway::python {

/// An owned reference; null where the call that made it failed with an exception.
class Object {
 public:
  Object() = default;
  explicit Object(PyObject* owned) : object_(owned) {}
  Object(Object&& other) noexcept : object_(other.Release()) {}
  Object& operator=(Object&& other) noexcept {
    PyObject* before = object_;
    object_ = other.Release();
    if (before != nullptr) Py_DecRef(before);
    return *this;
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() {
    if (object_ != nullptr) Py_DecRef(object_);
  }

  explicit operator bool() const { return object_ != nullptr; }
  PyObject* get() const { return object_; }
  /// The reference, for what takes it over.
  PyObject* Release() {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  PyObject* object_ = nullptr;
};

/// A view of an object's memory, let go at the end. False, and no exception, where there is none.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { Close(); }

  bool Open(PyObject* object, int flags) {
    open_ = PyObject_GetBuffer(object, &view_, flags) == 0;
    if (!open_) PyErr_Clear();
    return open_;
  }
  void Close() {
    if (open_) PyBuffer_Release(&view_);
    open_ = false;
  }
  const Py_buffer* operator->() const { return &view_; }
  const Py_buffer& operator*() const { return view_; }

 private:
  Py_buffer view_;
  bool open_ = false;
};

}  // namespace slipway::python
