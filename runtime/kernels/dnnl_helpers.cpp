// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/dnnl_helpers.h"

#include <cstring>

#include "base/limits.h"
#include "runtime/stored_bytes.h"

namespace slipway::runtime {

dnnl::memory::desc PlainDesc(const Shape& shape) {
  dnnl::memory::dims dims = shape.empty() ? dnnl::memory::dims{1} : shape;
  dnnl::memory::dims strides(dims.size());
  std::int64_t stride = 1;
  for (std::size_t d = dims.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= dims[d];
  }
  return {dims, dnnl::memory::data_type::f32, strides};
}

dnnl::memory::desc AnyDesc(const Shape& shape) {
  return {shape, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
}

dnnl::memory::desc BlockedDesc(const Shape& shape, std::int64_t block) {
  using Tag = dnnl::memory::format_tag;
  return {shape, dnnl::memory::data_type::f32, block == 16 ? Tag::nChw16c : Tag::nChw8c};
}

dnnl::primitive_attr UserScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::memory Over(const dnnl::memory::desc& desc, const dnnl::engine& engine, const void* data) {
  return {desc, engine, const_cast<void*>(data)};
}

std::string DeclineUnlessFloat32(const NodeFacts& node, std::size_t inputs) {
  for (std::size_t i = 0; i < inputs && i < node.inputs.size(); ++i) {
    if (!node.Has(i)) continue;
    if (node.dtype(i) != DType::kFloat32) return Message("dtype ", node.dtype(i), " is not float");
    if (CountOf(node.shape(i), 0, node.shape(i).size()) == 0) return "an input is empty";
    if (node.shape(i).size() > DNNL_MAX_NDIMS) return Message("rank ", node.shape(i).size());
  }
  for (const ValueFacts& output : node.outputs) {
    if (!output.shape) return "the output's shape depends on data";
    if (CountOf(*output.shape, 0, output.shape->size()) == 0) return "an output is empty";
  }
  return "";
}

int ThreadsFor(double work, int threads) {
  constexpr double kLeastWork = 4e5;
  return work < kLeastWork ? 1 : threads;
}

Error DnnlError(std::string_view doing, const dnnl::error& error) {
  return {.code = error.status == dnnl_unimplemented ? Code::kUnimplemented : Code::kInternal,
          .message = Message("oneDNN: ", doing, ": ", error.what())};
}

Result<Tensor> PackedFor(CpuContext& cpu, const Tensor& constant, const dnnl::memory::desc& have,
                         const dnnl::memory::desc& want) {
  if (have == want) return StoredWeights::Keep(constant);
  std::string key(reinterpret_cast<const char*>(&want.data), sizeof(want.data));
  key.append(reinterpret_cast<const char*>(&have.data), sizeof(have.data));
  return cpu.Packed(constant, key, [&]() -> Result<Tensor> {
    const auto bytes = static_cast<std::int64_t>(want.get_size());
    Tensor packed = TRY(Tensor::Make(DType::kUint8, {bytes}));
    try {
      dnnl::memory from = Over(have, cpu.engine(), constant.raw());
      dnnl::memory to = Over(want, cpu.engine(), packed.raw());
      Reorder(from, to, cpu.engine());
    } catch (const dnnl::error& error) {
      return DnnlError("packing weights", error);
    }
    return packed;
  });
}

void Reorder(dnnl::memory& from, dnnl::memory& to, const dnnl::engine& engine) {
  dnnl::stream& stream = CpuStream(engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
}

DnnlCall::DnnlCall(dnnl::primitive primitive, const dnnl::engine& engine,
                   std::vector<Argument> arguments)
    : primitive_(std::move(primitive)),
      engine_(engine),
      arguments_(std::move(arguments)),
      idle_(std::make_unique<Idle>()) {}

DnnlCall::Objects DnnlCall::Take() const {
  {
    const std::lock_guard lock(idle_->mutex);
    if (!idle_->objects.empty()) {
      Objects objects = std::move(idle_->objects.back());
      idle_->objects.pop_back();
      return objects;
    }
  }
  Objects objects;
  for (const Argument& argument : arguments_) {
    objects.memories.push_back(Over(argument.desc, engine_, nullptr));
    objects.arguments.push_back({argument.which, objects.memories.back().get()});
  }
  return objects;
}

void DnnlCall::Run(std::span<const void* const> data) const {
  SLIPWAY_CHECK(data.size() == arguments_.size());
  Objects objects = Take();
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] != nullptr) objects.memories[i].set_data_handle(const_cast<void*>(data[i]));
  }
  dnnl::stream& stream = CpuStream(engine_);
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive_.get(), stream.get(),
                             static_cast<int>(objects.arguments.size()), objects.arguments.data()),
      "could not execute a primitive");
  stream.wait();
  const std::lock_guard lock(idle_->mutex);
  idle_->objects.push_back(std::move(objects));
}

DnnlMapExecutable::DnnlMapExecutable(const DnnlMap& map, std::int64_t count, std::int64_t part,
                                     const dnnl::engine& engine, std::string_view what)
    : count_(count),
      part_(part),
      scratch_bytes_(static_cast<std::int64_t>(map.scratch.get_size())),
      work_(kMoveWork * static_cast<double>(map.x.get_size() + map.y.get_size()) / sizeof(float) *
            static_cast<double>(count) / static_cast<double>(part)),
      call_(map.primitive, engine,
            {{DNNL_ARG_SRC, map.x}, {DNNL_ARG_DST, map.y}, {DNNL_ARG_SCRATCHPAD, map.scratch}}),
      what_(what) {}

Result<void> DnnlMapExecutable::Run(KernelContext& context) const {
  const ThreadScope threads(ThreadsFor(work_, context.threads()));
  try {
    const float* x = context.input(0)->data<float>().data();
    const float* y = context.output(0).data<float>().data();
    const std::int64_t x_item = context.input(0)->size() / count_;
    const std::int64_t y_item = context.output(0).size() / count_;
    ForParts(count_, part_, [&](std::int64_t first) {
      call_.Run({x + first * x_item, y + first * y_item, context.scratch().data()});
    });
  } catch (const dnnl::error& error) {
    return DnnlError(what_, error);
  }
  return {};
}

namespace {

/// Whether the positions of a channel lie one after the other, `step` numbers apart.
bool IsDense(const dnnl_memory_desc_t& desc, std::int64_t step) {
  const auto& strides = desc.format_desc.blocking.strides;
  for (int d = desc.ndims; d-- > 2; step *= desc.dims[d]) {
    if (strides[d] != step) return false;
  }
  return true;
}

/// How many channels of each position lie together: 1 in rows, all of them in channels last. 0 for
/// what is none of these, or not float32 of rank 3 or more.
std::int64_t BlockOf(const dnnl_memory_desc_t& desc) {
  if (desc.data_type != dnnl_f32 || desc.format_kind != dnnl_blocked || desc.ndims < 3 ||
      desc.offset0 != 0 || desc.extra.flags != dnnl_memory_extra_flag_none) {
    return 0;
  }
  const dnnl_blocking_desc_t& blocking = desc.format_desc.blocking;
  std::int64_t block = 1;
  if (blocking.inner_nblks > 1) return 0;
  if (blocking.inner_nblks == 1) {
    if (blocking.inner_idxs[0] != 1) return 0;
    block = blocking.inner_blks[0];
  } else if (blocking.strides[1] == 1) {
    block = desc.dims[1];
  }
  return IsDense(desc, block) ? block : 0;
}

/// What turns `plain` into `blocked`, if it is that in which they differ.
std::optional<BlockTurn> TurnOf(const dnnl_memory_desc_t& plain,
                                const dnnl_memory_desc_t& blocked) {
  if (BlockOf(plain) != 1 || BlockOf(blocked) < 2) return std::nullopt;
  const auto& steps = plain.format_desc.blocking.strides;
  const auto& block_steps = blocked.format_desc.blocking.strides;
  BlockTurn turn{.items = plain.dims[0],
                 .channels = plain.dims[1],
                 .positions = 1,
                 .block = BlockOf(blocked),
                 .plain_item = steps[0],
                 .plain_channel = steps[1],
                 .blocked_item = block_steps[0],
                 .blocked_block = block_steps[1]};
  for (int d = 2; d < plain.ndims; ++d) turn.positions *= plain.dims[d];
  return turn;
}

}  // namespace

LayoutChange::LayoutChange(const dnnl::memory::desc& have, const dnnl::memory::desc& want,
                           const dnnl::engine& engine, bool scaled)
    : engine_(engine), have_(have), want_(want), needed_(scaled || have != want) {
  if (!needed_) return;
  to_blocks_ = BlockOf(have.data) == 1;
  turn_ = to_blocks_ ? TurnOf(have.data, want.data) : TurnOf(want.data, have.data);
  if (turn_ && !scaled) return;
  dnnl::primitive_attr attributes = UserScratchpad();
  if (scaled) attributes.set_output_scales(0, {DNNL_RUNTIME_F32_VAL});
  const dnnl::reorder::primitive_desc desc(engine, have, engine, want, attributes);
  if (desc.scratchpad_desc().get_size() > 0) {
    if (scaled) throw dnnl::error(dnnl_unimplemented, "the change of layout has no scale");
    return;
  }
  std::vector<DnnlCall::Argument> arguments{{DNNL_ARG_FROM, have}, {DNNL_ARG_TO, want}};
  if (scaled) arguments.push_back({DNNL_ARG_ATTR_OUTPUT_SCALES, PlainDesc({1})});
  reorder_.emplace(dnnl::reorder(desc), engine, std::move(arguments));
}

const void* LayoutChange::BringScaled(const void* data, const float* factor, void* room) const {
  reorder_->Run({data, room, factor});
  return room;
}

const void* LayoutChange::Bring(const void* data, void* room, KernelContext& context) const {
  if (!needed_) return data;
  if (turn_) {
    const auto change = to_blocks_ ? IntoBlocks : OutOfBlocks;
    change(*turn_, static_cast<const float*>(data), static_cast<float*>(room), context);
    return room;
  }
  if (reorder_) {
    reorder_->Run({data, room});
    return room;
  }
  dnnl::memory from = Over(have_, engine_, data);
  dnnl::memory to = Over(want_, engine_, room);
  Reorder(from, to, engine_);
  return room;
}

}  // namespace slipway::runtime
