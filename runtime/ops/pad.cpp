// SPDX-License-Identifier: Apache-2.0
// Pad: opsets 1, 2 (pads are an attribute), 11, 13 (an input), 18 (axes), 19 (wrap), 21, 23, 24,
// 25. Spec: https://onnx.ai/onnx/operators/onnx__Pad.html
// Version 18 has wrap too: PyTorch's exporter writes it there.
// Negative pads crop, in every mode and version.
#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <type_traits>

#include "runtime/kernels/by_width.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum class Mode : std::uint8_t { kConstant, kReflect, kEdge, kWrap };

Result<Mode> ModeOf(const NodeFacts& node) {
  const std::string_view mode = node.attributes.String("mode", "constant");
  if (mode == "constant") return Mode::kConstant;
  if (mode == "reflect") return Mode::kReflect;
  if (mode == "edge") return Mode::kEdge;
  if (mode == "wrap" && node.op->since >= 18) return Mode::kWrap;
  return Invalid("attribute `mode` is `", mode, "`");
}

struct Pads {
  std::vector<std::int64_t> begin, end;
  Shape shape;  ///< of the output
};

Result<Pads> PadsOf(const Shape& shape, const std::vector<std::int64_t>& pads,
                    std::vector<std::int64_t> axes, Mode mode) {
  axes = TRY(NormalizeAxes(std::move(axes), RankOf(shape)));
  if (pads.size() != 2 * axes.size()) {
    return Invalid("pads ", pads, " are not two for each of ", axes.size(), " axes");
  }
  Pads out{std::vector<std::int64_t>(shape.size(), 0), std::vector<std::int64_t>(shape.size(), 0),
           shape};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto d = At(axes[i]);
    out.begin[d] = pads[i];
    out.end[d] = pads[axes.size() + i];
    std::int64_t& dim = out.shape[d];
    if (__builtin_add_overflow(dim, out.begin[d], &dim) ||
        __builtin_add_overflow(dim, out.end[d], &dim) || dim < 0) {
      return Invalid("pads ", pads, " do not fit shape ", shape);
    }
    if (shape[d] == 0 && dim > 0 && mode != Mode::kConstant) {
      return Invalid("dimension ", d, " of ", shape, " has no element to repeat");
    }
  }
  return out;
}

/// The pads; `pads` and `axes` are the inputs' tensors where the version has them.
Result<Pads> Resolve(const NodeFacts& node, const Shape& shape, const Tensor* pads,
                     const Tensor* axes) {
  const Mode mode = TRY(ModeOf(node));
  std::vector<std::int64_t> all(shape.size());
  std::iota(all.begin(), all.end(), 0);
  if (node.op->since < 11) {
    const std::string_view name = node.op->since == 1 ? "paddings" : "pads";
    return PadsOf(shape, node.attributes.Ints(name, {}), std::move(all), mode);
  }
  return PadsOf(shape, IntsOf(pads), axes == nullptr ? std::move(all) : IntsOf(axes), mode);
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "pads"));
  TRY(CheckVector(node, 3, "axes"));
  if (node.Has(2) && CountOf(node.shape(2), 0, node.shape(2).size()) != 1) {
    return Invalid("input `constant_value` of shape ", node.shape(2), " is not one element");
  }
  if (DependsOnData(node, 1) || DependsOnData(node, 3)) return Facts{TensorFacts(node.dtype(0))};
  const auto constant = [&](std::size_t i) {
    return node.Has(i) ? node.inputs[i].constant : nullptr;
  };
  Pads pads = TRY(Resolve(node, node.shape(0), constant(1), constant(3)));
  return Facts{TensorFacts(node.dtype(0), std::move(pads.shape))};
}

std::int64_t SourceIndex(std::int64_t at, std::int64_t dim, Mode mode) {
  if (at >= 0 && at < dim) return at;
  if (mode == Mode::kEdge || dim == 1) return std::clamp<std::int64_t>(at, 0, dim - 1);
  const std::int64_t period = mode == Mode::kWrap ? dim : 2 * (dim - 1);
  at %= period;
  if (at < 0) at += period;
  return at < dim ? at : period - at;
}

void PadConstant(KernelContext& context, const Pads& pads, const Tensor& in, const Tensor* value,
                 Tensor& out) {
  FillWith(out, value);
  StridedBox box{.dims = in.shape(),
                 .from = ContiguousStrides(in.shape()),
                 .to = ContiguousStrides(out.shape())};
  for (std::size_t d = 0; d < box.dims.size(); ++d) {
    const std::int64_t skip = std::max<std::int64_t>(0, -pads.begin[d]);
    const std::int64_t cut = std::max<std::int64_t>(0, -pads.end[d]);
    box.dims[d] = std::max<std::int64_t>(0, box.dims[d] - skip - cut);
    box.from_offset += skip * box.from[d];
    box.to_offset += std::max<std::int64_t>(0, pads.begin[d]) * box.to[d];
  }
  CopyBox(context, box, in, out);
}

/// Where each element of a padded row comes from, and where rows of the input begin.
struct PadMap {
  struct Column {
    std::int64_t to, from;
  };
  std::int64_t skipped, first, whole;           ///< columns: of the input, of the output, in line
  std::vector<Column> others;                   ///< the other columns, one by one
  std::vector<std::vector<std::int64_t>> rows;  ///< offsets of each dimension but the last
};

PadMap MapOf(const Pads& pads, const Shape& in, const Shape& out, Mode mode) {
  const Strides strides = ContiguousStrides(in);
  const std::size_t last = in.size() - 1;
  const auto offset = [&](std::size_t d, std::int64_t i) {
    return SourceIndex(i - pads.begin[d], in[d], mode) * strides[d];
  };
  const std::int64_t columns = out.back();
  PadMap map{.skipped = std::max<std::int64_t>(0, -pads.begin.back()),
             .first = std::clamp<std::int64_t>(pads.begin.back(), 0, columns),
             .whole = 0,
             .others = {},
             .rows = std::vector<std::vector<std::int64_t>>(last)};
  map.whole = std::clamp<std::int64_t>(in.back() - map.skipped, 0, columns - map.first);
  map.others.reserve(At(columns - map.whole));
  for (std::int64_t i = 0; i < columns; ++i) {
    if (i == map.first) i += map.whole;
    if (i < columns) map.others.push_back({.to = i, .from = offset(last, i)});
  }
  for (std::size_t d = 0; d < last; ++d) {
    map.rows[d].reserve(At(out[d]));
    for (std::int64_t i = 0; i < out[d]; ++i) map.rows[d].push_back(offset(d, i));
  }
  return map;
}

/// One row; `from` is the input's row that it is made of.
template <class T>
void PadRow(const PadMap& map, const T* from, T* to, TextMeter& meter) {
  const auto put = [&](std::int64_t at, const T& element) {
    if constexpr (std::is_same_v<T, std::string>) meter.Add(element);
    to[at] = element;
  };
  if constexpr (std::is_same_v<T, std::string>) {
    for (std::int64_t i = 0; i < map.whole; ++i) put(map.first + i, from[map.skipped + i]);
  } else {
    std::copy_n(from + map.skipped, map.whole, to + map.first);
  }
  for (const PadMap::Column& column : map.others) put(column.to, from[column.from]);
}

/// Calls body(row, offset of the input's row) for rows [begin, end).
template <class Body>
void ForEachRow(const PadMap& map, std::int64_t begin, std::int64_t end, const Body& body) {
  std::vector<std::size_t> index(map.rows.size());
  std::int64_t rest = begin;
  for (std::size_t d = index.size(); d-- > 0;) {
    const auto dim = static_cast<std::int64_t>(map.rows[d].size());
    index[d] = At(rest % dim);
    rest /= dim;
  }
  for (std::int64_t row = begin; row < end; ++row) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < index.size(); ++d) offset += map.rows[d][index[d]];
    body(row, offset);
    for (std::size_t d = index.size(); d-- > 0;) {
      if (++index[d] < map.rows[d].size()) break;
      index[d] = 0;
    }
  }
}

void PadMapped(KernelContext& context, const Pads& pads, const Tensor& in, Mode mode, Tensor& out) {
  if (in.rank() == 0) return CopyAll(in, out);
  const PadMap map = MapOf(pads, in.shape(), out.shape(), mode);
  const std::int64_t columns = out.shape().back();
  TextMeter meter;
  context.ParallelFor(out.size() / columns, 64, [&](std::int64_t begin, std::int64_t end) {
    ByWidth(in.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = static_cast<const T*>(in.raw());
      T* to = static_cast<T*>(out.raw());
      ForEachRow(map, begin, end, [&](std::int64_t row, std::int64_t offset) {
        PadRow(map, from + offset, to + row * columns, meter);
      });
    });
  });
}

/// The constant to pad with, as the data's type; nothing means zero.
Result<Tensor> ConstantOf(const NodeFacts& node, KernelContext& context, DType dtype) {
  if (node.op->since >= 11) {
    const Tensor* value = node.Has(2) ? context.input(2) : nullptr;
    return value == nullptr ? Tensor() : *value;
  }
  const Tensor value = Tensor::FromVector(DType::kFloat32, {},
                                          std::vector<float>{node.attributes.Float("value", 0)});
  Tensor converted = TRY(Tensor::Make(dtype, {}));
  TRY(ConvertElements(context, value, converted));
  return converted;
}

Result<void> PadInto(const NodeFacts& node, KernelContext& context, const Pads& pads,
                     const Tensor& in, const Tensor* value, Tensor& out) {
  const Mode mode = TRY(ModeOf(node));
  if (mode == Mode::kConstant) {
    PadConstant(context, pads, in, value, out);
  } else if (out.size() > 0) {
    PadMapped(context, pads, in, mode, out);
  }
  return {};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  const bool inputs = node.op->since >= 11;
  const Pads pads = TRY(Resolve(node, in.shape(), inputs ? context.input(1) : nullptr,
                                node.Has(3) ? context.input(3) : nullptr));
  Tensor* out = TRY(OutputOf(node, context, 0, in.dtype(), pads.shape));
  const Tensor value = TRY(ConstantOf(node, context, in.dtype()));
  const Tensor* given = value.size() == 1 ? &value : nullptr;
  if (!IsPacked(in.dtype())) return PadInto(node, context, pads, in, given, *out);
  const Tensor wide = TRY(Unpacked(in));
  Tensor wide_out = TRY(Tensor::Make(DType::kUint8, out->shape()));
  const Tensor wide_value = given == nullptr ? Tensor() : TRY(Unpacked(value));
  TRY(PadInto(node, context, pads, wide, given == nullptr ? nullptr : &wide_value, wide_out));
  PackInto(wide_out, *out);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "pad", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Pad",
          .since = since,
          .signature = since < 11   ? "data:T -> output:T"
                       : since < 18 ? "data:T, pads:int64, constant_value?:T -> output:T"
                                    : "data:T, pads:int64, constant_value?:T, axes?:Tind -> "
                                      "output:T",
          .types = types,
          .attributes = since == 1   ? "mode:string=constant, paddings!:ints, value:float=0.0"
                        : since == 2 ? "mode:string=constant, pads!:ints, value:float=0.0"
                                     : "mode:string=constant",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_pad() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kFloatTypes>),
      Row(2, kT<kFloatTypes>),
      Row(11, kT<kNumericTypes>),
      Row(13, kT<kTypes13>),
      Row(18, kTTind<kTypes13, kIndexTypes>),
      Row(19, kTTind<kTypes13, kIndexTypes>),
      Row(21, kTTind<kTypes21, kIndexTypes>),
      Row(23, kTTind<kTypes23, kIndexTypes>),
      Row(24, kTTind<kTypes24, kIndexTypes>),
      Row(25, kTTind<kTypes25, kIndexTypes>),
  });
  return kOps;
}

}  // namespace slipway::runtime
