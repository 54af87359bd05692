// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "runtime/python/interpreter.h"

/// What modules compiled against NumPy's C interface have of it, declared here as that of the
/// interpreter is: the beginning of an array, as it has been since NumPy 1.7 and is in 2, and one
/// function of the table that NumPy gives out. The module sees to it that both are as they are
/// said to be here before it has anything of this used.
/// Source: numpy.org/doc/stable/reference/c-api/types-and-structures.html, numpy/ndarraytypes.h.
namespace slipway::python {

/// PyArrayObject_fields.
struct NumpyArray {
  std::byte object[2 * sizeof(void*)];  ///< PyObject of interpreters with one lock
  void* data;
  int rank;
  Py_ssize_t *dims, *strides;
  PyObject* base;
  PyObject* dtype;
  int flags;
};

inline constexpr int kRowMajor = 0x1, kAligned = 0x100;  ///< of NumpyArray::flags

inline const NumpyArray& AsNumpyArray(PyObject* array) {
  return *reinterpret_cast<const NumpyArray*>(array);
}

/// PyArray_Empty: takes over a reference to the type.
using NumpyEmpty = PyObject* (*)(int rank, const Py_ssize_t* dims, PyObject* dtype,
                                 int column_major);

}  // namespace slipway::python
