// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_transpose.h"

#include <algorithm>

#include "base/limits.h"
#include "runtime/device/cpu.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/turned.h"

namespace slipway::runtime {
namespace {

struct Extras {
  std::vector<std::int64_t> output_padding, output_shape;
  bool same = false, upper = false, valid = false;
};

/// What the output would be without padding.
Result<std::int64_t> Unpadded(const Window& window, const Extras& extras, std::size_t d) {
  const std::int64_t steps = TRY(
      CheckedMul(window.strides[d], std::max<std::int64_t>(window.output[d] - 1, 0), "the output"));
  const std::int64_t reach =
      TRY(CheckedMul(window.kernel[d] - 1, window.dilations[d], "the kernel"));
  return TRY(CheckedAdd(steps, reach, "the output")) + 1 + extras.output_padding[d];
}

Result<void> SizeDimension(Window& window, const Extras& extras, std::size_t d) {
  const std::int64_t full = TRY(Unpadded(window, extras, d));
  if (extras.output_shape.empty() && !extras.same) {
    window.input[d] = full - window.pads_begin[d] - window.pads_end[d];
    if (window.input[d] < 0) {
      return Invalid("pads ", window.pads_begin, " and ", window.pads_end, " leave no output");
    }
    return {};
  }
  window.input[d] = extras.output_shape.empty()
                        ? TRY(CheckedMul(window.output[d], window.strides[d], "the output"))
                        : extras.output_shape[d];
  const std::int64_t total = std::max<std::int64_t>(0, full - window.input[d]);
  window.pads_begin[d] = extras.upper ? total / 2 : total - total / 2;
  window.pads_end[d] = total - window.pads_begin[d];
  return {};
}

Result<Extras> ExtrasOf(const NodeFacts& node, std::size_t spatial) {
  Extras extras;
  const std::string_view mode = node.attributes.String("auto_pad", "NOTSET");
  extras.upper = mode == "SAME_UPPER";
  extras.same = extras.upper || mode == "SAME_LOWER";
  extras.valid = mode == "VALID";
  if (!extras.same && !extras.valid && mode != "NOTSET" && !mode.empty()) {
    return Invalid("attribute `auto_pad` is `", mode, "`");
  }
  extras.output_padding = TRY(PerDimension(node, "output_padding", spatial, 0, 0));
  std::vector<std::int64_t> shape = node.attributes.Ints("output_shape", {});
  if (shape.size() == spatial + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() &&
      (shape.size() != spatial || *std::min_element(shape.begin(), shape.end()) < 0)) {
    return Invalid("attribute `output_shape` is ", shape, " for ", spatial, " spatial dimensions");
  }
  extras.output_shape = std::move(shape);
  return extras;
}

}  // namespace

Result<ConvShape> TransposeShapeOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const Shape& w = node.shape(1);
  const Shape spatial = TRY(SpatialOf(x));
  if (w.size() != x.size() || x[1] != w[0]) {
    return Invalid("weights of ", w, " do not fit input of ", x);
  }
  const Shape kernel(w.begin() + 2, w.end());
  const Shape given = node.attributes.Ints("kernel_shape", kernel);
  if (given != kernel || std::any_of(kernel.begin(), kernel.end(), [](auto k) { return k < 1; })) {
    return Invalid("attribute `kernel_shape` is ", given, ", the weights have ", kernel);
  }
  const std::int64_t groups = node.attributes.Int("group", 1);
  if (groups < 1 || x[1] % groups != 0) {
    return Invalid("attribute `group` is ", groups, " for ", x[1], " channels");
  }
  const std::int64_t out_channels = TRY(CheckedMul(w[1], groups, "the output's channels"));
  ConvShape shape{
      .batch = x[0], .in_channels = x[1], .out_channels = out_channels, .groups = groups};
  if (node.Has(2) && node.shape(2) != Shape{shape.out_channels}) {
    return Invalid("bias of ", node.shape(2), " does not fit weights of ", w);
  }
  Window window{.input = spatial, .output = spatial, .kernel = kernel};
  window.strides = TRY(PerDimension(node, "strides", spatial.size(), 1, 1));
  window.dilations = TRY(PerDimension(node, "dilations", spatial.size(), 1, 1));
  const Extras extras = TRY(ExtrasOf(node, spatial.size()));
  if (extras.valid || extras.same) {
    window.pads_begin.assign(spatial.size(), 0);
    window.pads_end.assign(spatial.size(), 0);
  } else {
    TRY(ReadPads(node, window));
  }
  for (std::size_t d = 0; d < spatial.size(); ++d) TRY(SizeDimension(window, extras, d));
  shape.window = std::move(window);
  return shape;
}

Result<Tensor> RowsOfTaps(const NodeFacts& node, const ConvShape& shape, DeviceContext& device) {
  const Tensor& w = *node.inputs[1].constant;
  const std::int64_t groups = shape.groups, ins = shape.in_channels / groups;
  const std::int64_t rows = shape.out_channels / groups * shape.window.kernel_size();
  return Cpu(device).Packed(w, Message("turned in ", groups, " groups"),
                            [&] { return Turned(w, groups, ins, rows); });
}

}  // namespace slipway::runtime
