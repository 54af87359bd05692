// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/pool.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

using dnnl::memory;
using dnnl::pooling_v2_forward;

/// Padding at the end that makes the output exactly as large as it is.
std::vector<std::int64_t> ExactPads(const Window& window) {
  std::vector<std::int64_t> pads;
  for (std::size_t d = 0; d < window.input.size(); ++d) {
    const std::int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
    pads.push_back((window.output[d] - 1) * window.strides[d] + reach - window.input[d] -
                   window.pads_begin[d]);
  }
  return pads;
}

/// Of one plane. Reading is what it costs: counted as some operations each.
double WorkOf(const Window& window) {
  return 8.0 * static_cast<double>(window.output_size()) *
         static_cast<double>(window.kernel_size());
}

/// `node` with facts of [N, C, H, W], whose planes lie one by one, or in blocks.
Result<std::unique_ptr<Executable>> PreparePool(const NodeFacts& node, std::int64_t block,
                                                const CpuContext& cpu) {
  const Window window = TRY(PoolWindow(node));
  const bool counts_pads = node.attributes.Int("count_include_pad", 0) != 0;
  const auto kind = !IsAveragePool(node) ? dnnl::algorithm::pooling_max
                    : counts_pads        ? dnnl::algorithm::pooling_avg_include_padding
                                         : dnnl::algorithm::pooling_avg_exclude_padding;
  memory::dims dilations;
  for (const std::int64_t d : window.dilations) dilations.push_back(d - 1);
  const std::int64_t together = std::max<std::int64_t>(1, block);
  const Shape& all = node.shape(0);
  const std::int64_t planes = all[0] * all[1] / together;
  const std::int64_t part = StepsOf(planes, WorkOf(window) * static_cast<double>(together));
  const std::int64_t batch = part == planes ? all[0] : 1;
  const auto desc_of = [&](const Shape& spatial) {
    const Shape shape = WithSpatial(batch, part / batch * together, spatial);
    return block > 0 ? BlockedDesc(shape, block) : PlainDesc(shape);
  };
  const double moved =
      kMoveWork *
      static_cast<double>(planes * together * (window.input_size() + window.output_size()));
  // oneDNN divides the work between as many threads as there are when it makes a primitive.
  const ThreadScope threads(ThreadsFor(moved, cpu.threads()));
  try {
    const pooling_v2_forward::desc desc(
        dnnl::prop_kind::forward_inference, kind, desc_of(window.input), desc_of(window.output),
        window.strides, window.kernel, dilations, window.pads_begin, ExactPads(window));
    const pooling_v2_forward::primitive_desc primitive(desc, UserScratchpad(), cpu.engine());
    const DnnlMap map{pooling_v2_forward(primitive), primitive.src_desc(), primitive.dst_desc(),
                      primitive.scratchpad_desc()};
    return std::unique_ptr<Executable>(
        new DnnlMapExecutable(map, planes, part, cpu.engine(), "pooling"));
  } catch (const dnnl::error& error) {
    return DnnlError("pooling", error);
  }
}

}  // namespace

std::string DeclinePoolDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 1);
  if (!why.empty()) return why;
  if (node.outputs.size() > 1 && node.outputs_wanted[1]) return "the indices are wanted";
  const Result<Window> window = PoolWindow(node);
  if (!window) return window.error().message;
  if (StepsOf(2, WorkOf(*window)) == 1) return "a plane takes too long to wait for";
  if (window->input.size() > 3) return Message(window->input.size(), " spatial dimensions");
  const std::vector<std::int64_t> pads = ExactPads(*window);
  const bool counts_pads = IsAveragePool(node) && node.attributes.Int("count_include_pad", 0) != 0;
  for (std::size_t d = 0; d < pads.size(); ++d) {
    const std::int64_t reach = (window->kernel[d] - 1) * window->dilations[d] + 1;
    if (window->pads_begin[d] >= reach || pads[d] >= reach) return "a window lies in the padding";
    if (counts_pads && pads[d] > window->pads_end[d]) return "windows reach beyond the padding";
  }
  return "";
}

Result<std::unique_ptr<Executable>> PreparePoolDnnl(const NodeFacts& node, DeviceContext& device) {
  return PreparePool(node, 0, Cpu(device));
}

Result<std::unique_ptr<Executable>> PrepareBlockedPool(const NodeFacts& node,
                                                       DeviceContext& device) {
  const std::int64_t block = node.shape(0)[4];
  const std::int64_t channels = node.shape(0)[1] * block;
  NodeFacts plain = node;
  plain.inputs[0].shape = PlainShape(node.shape(0), channels);
  for (ValueFacts& output : plain.outputs) output.shape = PlainShape(*output.shape, channels);
  return PreparePool(plain, block, Cpu(device));
}

}  // namespace slipway::runtime
