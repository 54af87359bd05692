// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/lrn.h"

namespace slipway::runtime {
namespace {

/// What an element costs beside its neighbours, in operations.
constexpr double kWork = 64;

/// Some images of [N, C, H, W], as many as one call may take.
Shape PartOf(const NodeFacts& node, Shape plain) {
  const auto size = static_cast<double>(node.attributes.Int("size", 1));
  plain[0] = StepsOf(plain[0], (kWork + size) * static_cast<double>(CountOf(plain, 1, 4)));
  return plain;
}

/// `block` is 0 for rows.
dnnl::lrn_forward::primitive_desc DescOf(const NodeFacts& node, const Shape& part,
                                         std::int64_t block, const dnnl::engine& engine) {
  const Attributes& attributes = node.attributes;
  return {{dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels,
           block > 0 ? BlockedDesc(part, block) : PlainDesc(part), attributes.Int("size", 1),
           attributes.Float("alpha", 1e-4F), attributes.Float("beta", 0.75F),
           attributes.Float("bias", 1)},
          UserScratchpad(),
          engine};
}

/// `part` of the node's images at a time.
Result<std::unique_ptr<Executable>> Prepare(const NodeFacts& node, const Shape& part,
                                            std::int64_t block, const dnnl::engine& engine) {
  try {
    const auto desc = DescOf(node, part, block, engine);
    const DnnlMap map{dnnl::lrn_forward(desc), desc.src_desc(), desc.dst_desc(),
                      desc.scratchpad_desc()};
    return std::unique_ptr<Executable>(new DnnlMapExecutable(map, node.shape(0)[0], part[0], engine,
                                                             "local response normalisation"));
  } catch (const dnnl::error& error) {
    return DnnlError("local response normalisation", error);
  }
}

}  // namespace

std::string DeclineLrnDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 1);
  if (!why.empty()) return why;
  const std::size_t rank = node.shape(0).size();
  if (rank != 4) return Message("rank ", rank);
  const std::int64_t size = node.attributes.Int("size", 1);
  if (size % 2 == 0) return Message("even size ", size);
  return size > node.shape(0)[1] ? Message("size ", size, " is over the channels") : "";
}

Result<std::unique_ptr<Executable>> PrepareLrnDnnl(const NodeFacts& node, DeviceContext& device) {
  return Prepare(node, PartOf(node, node.shape(0)), 0, Cpu(device).engine());
}

bool HasBlockedLrn(const NodeFacts& node, std::int64_t block, DeviceContext& device) {
  const std::int64_t size = node.attributes.Int("size", 1);
  const Shape& shape = node.shape(0);
  if (size % 2 == 0 || size > shape[1] || shape[1] % block != 0) return false;
  try {
    const auto desc = DescOf(node, PartOf(node, shape), block, Cpu(device).engine());
    return std::string_view(desc.impl_info_str()).starts_with("jit");
  } catch (const dnnl::error&) {
    return false;
  }
}

Result<std::unique_ptr<Executable>> PrepareBlockedLrn(const NodeFacts& node,
                                                      DeviceContext& device) {
  const Shape& shape = node.shape(0);
  const Shape part = PartOf(node, PlainShape(shape, shape[1] * shape[4]));
  return Prepare(node, part, shape[4], Cpu(device).engine());
}

}  // namespace slipway::runtime
