// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/window.h"

#include <algorithm>

#include "base/limits.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

std::int64_t Window::input_size() const { return CountOf(input, 0, input.size()); }
std::int64_t Window::output_size() const { return CountOf(output, 0, output.size()); }
std::int64_t Window::kernel_size() const { return CountOf(kernel, 0, kernel.size()); }

void Window::Taps(std::int64_t at, std::vector<Tap>& taps) const {
  taps.assign(1, {0, 0});
  std::vector<std::int64_t> start(output.size());
  for (std::size_t d = output.size(); d-- > 0;) {
    start[d] = at % output[d] * strides[d] - pads_begin[d];
    at /= output[d];
  }
  std::vector<Tap> next;
  for (std::size_t d = 0; d < kernel.size(); ++d) {
    next.clear();
    for (const Tap& tap : taps) {
      const std::int64_t first = start[d] < 0 ? (-start[d] - 1) / dilations[d] + 1 : 0;
      for (std::int64_t k = first; k < kernel[d]; ++k) {
        const std::int64_t position = start[d] + k * dilations[d];
        if (position >= input[d]) break;
        next.push_back({tap.kernel * kernel[d] + k, tap.input * input[d] + position});
      }
    }
    taps.swap(next);
  }
}

std::int64_t Window::PaddedCount(std::int64_t at) const {
  std::int64_t count = 1;
  for (std::size_t d = output.size(); d-- > 0;) {
    const std::int64_t start = at % output[d] * strides[d] - pads_begin[d];
    at /= output[d];
    const std::int64_t room = input[d] + pads_end[d] - start;
    const std::int64_t fitting = room <= 0 ? 0 : (room - 1) / dilations[d] + 1;
    count *= std::min(kernel[d], fitting);
  }
  return count;
}

Result<std::vector<std::int64_t>> PerDimension(const NodeFacts& node, std::string_view name,
                                               std::size_t spatial, std::int64_t fallback,
                                               std::int64_t least) {
  std::vector<std::int64_t> list =
      node.attributes.Ints(name, std::vector<std::int64_t>(spatial, fallback));
  if (list.size() != spatial || std::any_of(list.begin(), list.end(), [&](std::int64_t x) {
        return x < least || x > limits::kTensorBytes;
      })) {
    return Invalid("attribute `", name, "` is ", list, " for ", spatial, " spatial dimensions");
  }
  return list;
}

Result<void> ReadPads(const NodeFacts& node, Window& window) {
  const std::size_t spatial = window.input.size();
  const std::vector<std::int64_t> pads = TRY(PerDimension(node, "pads", 2 * spatial, 0, 0));
  window.pads_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(spatial));
  window.pads_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(spatial), pads.end());
  return {};
}

namespace {

Result<std::int64_t> Extent(const Window& window, std::size_t d) {
  const std::int64_t reach =
      TRY(CheckedMul(window.kernel[d] - 1, window.dilations[d], "the kernel"));
  return CheckedAdd(reach, 1, "the kernel");
}

Result<void> SizeNotset(Window& window, std::size_t d, bool ceil) {
  const std::int64_t room =
      window.input[d] + window.pads_begin[d] + window.pads_end[d] - TRY(Extent(window, d));
  if (room < 0) {
    return Invalid("kernel of ", window.kernel, " with dilations ", window.dilations,
                   " is larger than the padded input of ", window.input);
  }
  const std::int64_t stride = window.strides[d];
  std::int64_t size = room / stride + 1;
  if (ceil && room % stride != 0 && size * stride < window.input[d] + window.pads_begin[d]) {
    ++size;
  }
  window.output[d] = size;
  return {};
}

Result<void> SizeSame(Window& window, std::size_t d, bool upper) {
  const std::int64_t in = window.input[d];
  const std::int64_t stride = window.strides[d];
  const std::int64_t size = in / stride + (in % stride != 0 ? 1 : 0);
  const std::int64_t extent = TRY(Extent(window, d));
  const std::int64_t total = std::max<std::int64_t>(0, (size - 1) * stride + extent - in);
  window.pads_begin[d] = upper ? total / 2 : total - total / 2;
  window.pads_end[d] = total - window.pads_begin[d];
  window.output[d] = size;
  return {};
}

}  // namespace

bool IsPointwise(const Window& window) {
  const auto is_one = [](std::int64_t stride) { return stride == 1; };
  return window.kernel_size() == 1 && std::ranges::all_of(window.strides, is_one) &&
         window.input == window.output;
}

Result<Window> MakeWindow(const NodeFacts& node, const Shape& input, const Shape& kernel) {
  const std::size_t spatial = input.size();
  if (kernel.size() != spatial) {
    return Invalid("kernel of ", kernel, " over spatial dimensions ", input);
  }
  for (const std::int64_t size : kernel) {
    if (size < 1) return Invalid("kernel of ", kernel, " is empty");
  }
  Window window{.input = input, .output = Shape(spatial), .kernel = kernel};
  window.strides = TRY(PerDimension(node, "strides", spatial, 1, 1));
  window.dilations = TRY(PerDimension(node, "dilations", spatial, 1, 1));
  window.pads_begin.assign(spatial, 0);
  window.pads_end.assign(spatial, 0);
  const std::string_view mode = node.attributes.String("auto_pad", "NOTSET");
  const bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!same && mode != "VALID" && mode != "NOTSET" && !mode.empty()) {
    return Invalid("attribute `auto_pad` is `", mode, "`");
  }
  if (mode == "NOTSET" || mode.empty()) TRY(ReadPads(node, window));
  const bool ceil = node.attributes.Int("ceil_mode", 0) != 0;
  for (std::size_t d = 0; d < spatial; ++d) {
    if (same) {
      TRY(SizeSame(window, d, mode == "SAME_UPPER"));
    } else {
      TRY(SizeNotset(window, d, ceil));
    }
  }
  return window;
}

Result<Window> PoolWindow(const NodeFacts& node) {
  const Shape spatial = TRY(SpatialOf(node.shape(0)));
  return MakeWindow(node, spatial, TRY(PerDimension(node, "kernel_shape", spatial.size(), 1, 1)));
}

Shape WithSpatial(std::int64_t batch, std::int64_t channels, const Shape& spatial) {
  Shape shape{batch, channels};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  return shape;
}

Result<Shape> SpatialOf(const Shape& x) {
  if (x.size() < 3)
    return Invalid("input of ", x, " is not batch, channels and spatial dimensions");
  return Shape(x.begin() + 2, x.end());
}

}  // namespace slipway::runtime
