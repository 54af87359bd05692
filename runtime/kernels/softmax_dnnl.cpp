// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/softmax.h"

namespace slipway::runtime {
namespace {

/// What an element costs, in operations.
constexpr double kWork = 64;

/// `Primitive` is dnnl::softmax_forward or dnnl::logsoftmax_forward.
template <class Primitive>
Result<std::unique_ptr<Executable>> Make(const SoftmaxShape& shape, const dnnl::engine& engine) {
  const double work = kWork * static_cast<double>(shape.count) * static_cast<double>(shape.inner);
  const std::int64_t part = StepsOf(shape.outer, work);
  const dnnl::memory::desc x = PlainDesc({part, shape.count, shape.inner});
  try {
    const typename Primitive::desc desc(dnnl::prop_kind::forward_inference, x, 1);
    const typename Primitive::primitive_desc primitive(desc, UserScratchpad(), engine);
    const DnnlMap map{Primitive(primitive), x, x, primitive.scratchpad_desc()};
    return std::unique_ptr<Executable>(
        new DnnlMapExecutable(map, shape.outer, part, engine, "softmax"));
  } catch (const dnnl::error& error) {
    return DnnlError("softmax", error);
  }
}

}  // namespace

Result<SoftmaxShape> SoftmaxShapeOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const std::int64_t rank = RankOf(x);
  std::int64_t axis = node.attributes.Int("axis", node.op->since < 13 ? 1 : -1);
  if (node.op->since >= 13) {
    if (rank == 0 && (axis == 0 || axis == -1)) return SoftmaxShape{};
    axis = TRY(NormalizeAxis(axis, rank));
    return SoftmaxShape{CountOf(x, 0, At(axis)), x[At(axis)], CountOf(x, At(axis) + 1, x.size())};
  }
  if (axis < -rank || axis > rank) {
    return Invalid("axis ", axis, " out of range [", -rank, ", ", rank, "]");
  }
  if (axis < 0) axis += rank;
  return SoftmaxShape{CountOf(x, 0, At(axis)), CountOf(x, At(axis), x.size()), 1};
}

std::string DeclineSoftmaxDnnl(const NodeFacts& node) { return DeclineUnlessFloat32(node, 1); }

Result<std::unique_ptr<Executable>> PrepareSoftmaxDnnl(const NodeFacts& node,
                                                       DeviceContext& device) {
  const SoftmaxShape shape = TRY(SoftmaxShapeOf(node));
  const dnnl::engine& engine = Cpu(device).engine();
  if (node.op->type == "LogSoftmax") return Make<dnnl::logsoftmax_forward>(shape, engine);
  return Make<dnnl::softmax_forward>(shape, engine);
}

}  // namespace slipway::runtime
