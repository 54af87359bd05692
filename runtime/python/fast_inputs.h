// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/python/fast_call.h"

namespace slipway::python {

inline constexpr std::size_t kMostPorts = 16;

/// The inputs of one run: the memory of arrays in place, and tensors made of arrays of text.
/// Used with the interpreter's lock held; the views live as long as this.
class Inputs {
 public:
  explicit Inputs(const slipway_python_call& call) : call_(call) {}
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;
  ~Inputs();

  /// False, and no exception, for what is no row-major array of this machine's numbers or of text.
  bool Add(PyObject* value);

  const slipway_view* views() const { return views_.data(); }
  std::size_t count() const { return count_; }

 private:
  static constexpr std::size_t kMostDims = 16;

  bool AddNumbers(PyObject* value);
  bool AddBuffer(PyObject* value);
  bool AddText(const Py_buffer& buffer, slipway_view& view);

  const slipway_python_call& call_;
  std::array<Buffer, kMostPorts> buffers_;
  std::array<Object, kMostPorts> arrays_;
  std::array<slipway_view, kMostPorts> views_;
  std::array<std::array<std::int64_t, kMostDims>, kMostPorts> dims_;
  std::size_t count_ = 0;
};

}  // namespace slipway::python
