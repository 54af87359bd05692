// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <span>

#include "runtime/python/fast_inputs.h"
#include "runtime/python/fast_outputs.h"

namespace {

using slipway::python::kMostPorts;

constexpr int kOneArgument = 0x8;
constexpr const char* kCapsule = "slipway_python_call";

PyObject* Run(PyObject* capsule, PyObject* feeds) {
  const auto* const call =
      static_cast<const slipway_python_call*>(PyCapsule_GetPointer(capsule, kCapsule));
  if (call == nullptr) return nullptr;
  slipway::python::Inputs inputs(*call);
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  bool plain = call->output_count <= kMostPorts;
  for (Py_ssize_t at = 0; plain && PyDict_Next(feeds, &at, &key, &value) != 0;) {
    plain = inputs.Add(value);
  }
  if (!plain || inputs.count() != call->input_count) {
    Py_IncRef(call->none);
    return call->none;
  }
  std::array<slipway_view, kMostPorts> outputs;
  PyThreadState* state = PyEval_SaveThread();
  slipway_status status =
      call->library->run(call->session, call->input_names, inputs.views(), call->input_count,
                         call->output_names, call->output_count, outputs.data());
  PyEval_RestoreThread(state);
  if (status != nullptr) return PyLong_FromVoidPtr(status);
  return slipway::python::Outputs(*call, std::span(outputs).first(call->output_count));
}

}  // namespace

PyObject* slipway_python_function(const slipway_python_call* call) {
  static PyMethodDef method = {"run", Run, kOneArgument, nullptr};
  const slipway::python::Object capsule(
      PyCapsule_New(const_cast<slipway_python_call*>(call), kCapsule, nullptr));
  return capsule ? PyCFunction_NewEx(&method, capsule.get(), nullptr) : nullptr;
}
