// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "runtime/python/interpreter.h"
#include "runtime/python/numpy_array.h"
#include "runtime/slipway.h"

// NOLINTBEGIN(readability-identifier-naming): names of C
extern "C" {

/// The functions of the C library that are called here, which is not linked: the module has it.
struct slipway_python_library {
  decltype(&slipway_session_run_views) run;
  decltype(&slipway_value_release) release;
  decltype(&slipway_value_view) view;
  decltype(&slipway_status_release) status_release;
  decltype(&slipway_text_release) text_release;
  decltype(&slipway_tensor_create) tensor_create;
  decltype(&slipway_tensor_set_strings) set_strings;
  decltype(&slipway_tensor_get_strings) get_strings;
  decltype(&slipway_sequence_maps) sequence_maps;
  decltype(&slipway_map_keys) map_keys;
  decltype(&slipway_map_items) map_items;
};

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
  const slipway_python_library* library;
  /// Null where arrays are not known to be NumpyArray: they are then read and made by the
  /// interpreter's own means.
  slipway::python::NumpyEmpty numpy_empty;
};

/// A function object for the module `onnxruntime`: given a dict of inputs it makes one inference
/// without the interpreter's detours: arrays in, and out arrays, dicts and lists of dicts, as
/// `Outputs` says; None where an input is nothing that `Inputs` takes; an integer, the address of
/// a status, where the inference failed. It gives the interpreter's lock up while the inference
/// runs. `call` must outlive its calls. Null with an exception. Called with that lock.
SLIPWAY_API PyObject* slipway_python_function(const slipway_python_call* call);
}
// NOLINTEND(readability-identifier-naming)
