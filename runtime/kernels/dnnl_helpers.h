// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <dnnl.hpp>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/device/cpu.h"
#include "runtime/kernels/block_turn.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/op.h"

/// Shared by kernels on oneDNN; included by .cpp files only.
namespace slipway::runtime {

/// float32, row-major.
dnnl::memory::desc PlainDesc(const Shape& shape);
/// float32 in whatever layout the primitive likes best.
dnnl::memory::desc AnyDesc(const Shape& shape);
/// float32 [N, C, H, W] in blocks of so many channels, 8 or 16.
dnnl::memory::desc BlockedDesc(const Shape& shape, std::int64_t block);
/// Attributes with scratchpads owned by us: runs of one primitive may then overlap.
dnnl::primitive_attr UserScratchpad();

/// Memory over a tensor's elements, which the primitive only reads where the tensor is const.
dnnl::memory Over(const dnnl::memory::desc& desc, const dnnl::engine& engine, const void* data);

/// Why a kernel for float32 alone cannot serve the node: "" if inputs 0 to `inputs` are float32
/// and no input is empty.
std::string DeclineUnlessFloat32(const NodeFacts& node, std::size_t inputs);

/// Threads for a call of so many operations, of the calling thread's `threads`: one where to start
/// others takes longer than they save. Follows from the work alone.
int ThreadsFor(double work, int threads);

/// What an element costs to move, in operations.
inline constexpr double kMoveWork = 8;

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

/// A primitive with memory objects for its arguments: to make these takes longer than a small
/// primitive takes to run. Thread-safe: runs at one time have objects of their own.
class DnnlCall {
 public:
  struct Argument {
    int which = 0;  ///< DNNL_ARG_…
    dnnl::memory::desc desc = {};
  };
  DnnlCall(dnnl::primitive primitive, const dnnl::engine& engine, std::vector<Argument> arguments);
  /// Runs it over the data of each argument, in their order, until it is done. The primitive only
  /// reads what it has as a source. Throws dnnl::error.
  void Run(std::span<const void* const> data) const;
  void Run(std::initializer_list<const void*> data) const { Run(std::span(data)); }

 private:
  struct Objects {
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> arguments;
  };
  struct Idle {
    std::mutex mutex;  // guards objects
    std::vector<Objects> objects;
  };
  Objects Take() const;

  dnnl::primitive primitive_;
  dnnl::engine engine_;
  std::vector<Argument> arguments_;
  std::unique_ptr<Idle> idle_;
};

/// What a convolution or its transpose takes: source, weights, destination, scratch, then a bias.
template <class PrimitiveDesc>
std::vector<DnnlCall::Argument> ConvolutionArguments(const PrimitiveDesc& desc, bool has_bias) {
  std::vector<DnnlCall::Argument> arguments = {{DNNL_ARG_SRC, desc.src_desc()},
                                               {DNNL_ARG_WEIGHTS, desc.weights_desc()},
                                               {DNNL_ARG_DST, desc.dst_desc()},
                                               {DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc()}};
  if (has_bias) arguments.push_back({DNNL_ARG_BIAS, desc.bias_desc()});
  return arguments;
}

/// What a primitive of one source and one destination takes.
struct DnnlMap {
  dnnl::primitive primitive;
  dnnl::memory::desc x, y, scratch;
};

/// Runs a primitive over `count` items of input 0 and output 0 that lie one after the other, `part`
/// of them at a time. `what` it does is told in errors.
class DnnlMapExecutable final : public Executable {
 public:
  DnnlMapExecutable(const DnnlMap& map, std::int64_t count, std::int64_t part,
                    const dnnl::engine& engine, std::string_view what);
  std::int64_t scratch_bytes() const override { return scratch_bytes_; }
  Result<void> Run(KernelContext& context) const override;

 private:
  std::int64_t count_, part_, scratch_bytes_;
  double work_;
  DnnlCall call_;
  std::string_view what_;
};

/// From one layout or element type to another. Thread-safe.
class LayoutChange {
 public:
  /// `scaled`: numbers are multiplied by one that comes with them.
  LayoutChange(const dnnl::memory::desc& have, const dnnl::memory::desc& want,
               const dnnl::engine& engine, bool scaled = false);
  bool needed() const { return needed_; }
  /// What the data takes in the layout wanted; 0 where the layouts agree.
  std::size_t room_bytes() const { return needed() ? want_.get_size() : 0; }
  /// Where `data` is in the layout wanted: where it was if the layouts agree, else brought into
  /// `room`.
  const void* Bring(const void* data, void* room, KernelContext& context) const;
  /// The same of numbers that are multiplied by `*factor`.
  const void* BringScaled(const void* data, const float* factor, void* room) const;

 private:
  dnnl::engine engine_;
  dnnl::memory::desc have_, want_;
  bool needed_;
  std::optional<BlockTurn> turn_;  // between rows and blocks of channels
  bool to_blocks_ = false;
  std::optional<DnnlCall> reorder_;  // nothing where it wants scratch memory of its own
};

}  // namespace slipway::runtime
