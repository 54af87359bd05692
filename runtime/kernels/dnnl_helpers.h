// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <dnnl.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/bounds.h"
#include "runtime/device/cpu.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/op.h"

/// Shared by kernels on oneDNN; included by .cpp files only.
namespace slipway::runtime {

/// float32, row-major.
dnnl::memory::desc PlainDesc(const Shape& shape);
/// float32 in whatever layout the primitive likes best.
dnnl::memory::desc AnyDesc(const Shape& shape);
/// Attributes with scratchpads owned by us: runs of one primitive may then overlap.
dnnl::primitive_attr UserScratchpad();

/// Memory over a tensor's elements, which the primitive only reads where the tensor is const.
dnnl::memory Over(const dnnl::memory::desc& desc, const dnnl::engine& engine, const void* data);

/// Why a kernel for float32 alone cannot serve the node: "" if inputs 0 to `inputs` are float32
/// and no input is empty.
std::string DeclineUnlessFloat32(const NodeFacts& node, std::size_t inputs);

/// Calls body(first) for runs of `part` out of `count` items, until the run is to end. The last
/// one begins early enough to be whole.
template <class Body>
void ForParts(std::int64_t count, std::int64_t part, const Body& body) {
  for (std::int64_t at = 0; at < count; at += part) {
    if (part < count && MustStop()) return;
    body(std::min(at, count - part));
  }
}

/// With oneDNN's message: kUnimplemented where it has no implementation, else kInternal.
Error DnnlError(std::string_view doing, const dnnl::error& error);

/// Places pieces of one scratch buffer one after another, each at 64 bytes.
class ScratchLayout {
 public:
  std::int64_t Add(std::size_t bytes) {
    const std::int64_t offset = bytes_;
    bytes_ += static_cast<std::int64_t>((bytes + 63) / 64 * 64);
    return offset;
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t bytes_ = 0;
};

/// A weight that a primitive wants in the layout `want`; `have` describes `constant`. Packed once
/// per device and shared. The tensor itself where the layouts agree.
Result<Tensor> PackedFor(CpuContext& cpu, const Tensor& constant, const dnnl::memory::desc& have,
                         const dnnl::memory::desc& want);

/// Runs a reorder between two layouts on the calling thread's stream.
void Reorder(dnnl::memory& from, dnnl::memory& to, const dnnl::engine& engine);

/// `data`, laid out as `have`, in the layout `want`: as it is where these agree, else brought into
/// `room`.
dnnl::memory Brought(const dnnl::memory::desc& have, const dnnl::memory::desc& want,
                     const dnnl::engine& engine, const void* data, std::byte* room);

}  // namespace slipway::runtime
