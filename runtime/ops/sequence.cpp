// SPDX-License-Identifier: Apache-2.0
// SequenceConstruct, SequenceEmpty, SequenceInsert, SequenceErase, SequenceAt, SequenceLength,
// ConcatFromSequence (opset 11), SplitToSequence (11, 24).
// Spec: https://onnx.ai/onnx/operators/onnx__SequenceAt.html and the pages of the others.
#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

ValueFacts SequenceFacts(DType element) {
  return {.kind = TypeInfo::Kind::kSequence, .dtype = element};
}

Result<const Sequence*> SequenceOf(KernelContext& context, std::size_t index) {
  const Sequence* sequence = context.input_value(index).sequence();
  if (sequence == nullptr) return Invalid("input ", index, " is no sequence");
  return sequence;
}

void SetSequence(KernelContext& context, std::vector<Value> items) {
  context.Set(0, std::make_shared<const Sequence>(Sequence{std::move(items)}));
}

/// A position from an optional scalar input, in [-length, last].
Result<std::int64_t> PositionOf(const NodeFacts& node, KernelContext& context, std::size_t index,
                                std::int64_t length, std::int64_t last, std::int64_t fallback) {
  if (!node.Has(index)) return fallback;
  const std::vector<std::int64_t> given = IntsOf(context.input(index));
  if (given.size() != 1) return Invalid("the position is not one number");
  if (given[0] < -length || given[0] > last) {
    return Invalid("position ", given[0], " out of range [", -length, ", ", last, "]");
  }
  return given[0] < 0 ? given[0] + length : given[0];
}

/// A copy of a tensor that outlives the run.
Result<Value> Kept(KernelContext& context, std::size_t index) {
  const Tensor* tensor = context.input(index);
  if (tensor == nullptr) return Invalid("input ", index, " is no tensor");
  return Value(TRY(tensor->Clone()));
}

Result<Facts> InferConstruct(const NodeFacts& node) { return Facts{SequenceFacts(node.dtype(0))}; }

Result<void> RunConstruct(const NodeFacts&, KernelContext& context) {
  std::vector<Value> items;
  for (std::size_t i = 0; i < context.inputs(); ++i) items.push_back(TRY(Kept(context, i)));
  SetSequence(context, std::move(items));
  return {};
}

Result<Facts> InferEmpty(const NodeFacts& node) {
  return Facts{SequenceFacts(TRY(DTypeFromNumber(node.attributes.Int("dtype", 1))))};
}

Result<void> RunEmpty(const NodeFacts&, KernelContext& context) {
  SetSequence(context, {});
  return {};
}

Result<Facts> InferSameSequence(const NodeFacts& node) {
  return Facts{SequenceFacts(node.dtype(0))};
}

Result<void> RunInsert(const NodeFacts& node, KernelContext& context) {
  std::vector<Value> items = TRY(SequenceOf(context, 0))->items;
  const auto length = static_cast<std::int64_t>(items.size());
  const std::int64_t at = TRY(PositionOf(node, context, 2, length, length, length));
  items.insert(items.begin() + at, TRY(Kept(context, 1)));
  SetSequence(context, std::move(items));
  return {};
}

Result<void> RunErase(const NodeFacts& node, KernelContext& context) {
  std::vector<Value> items = TRY(SequenceOf(context, 0))->items;
  const auto length = static_cast<std::int64_t>(items.size());
  if (length == 0) return Invalid("the sequence is empty");
  const std::int64_t at = TRY(PositionOf(node, context, 1, length, length - 1, length - 1));
  items.erase(items.begin() + at);
  SetSequence(context, std::move(items));
  return {};
}

Result<Facts> InferAt(const NodeFacts& node) { return Facts{TensorFacts(node.dtype(0))}; }

Result<void> RunAt(const NodeFacts& node, KernelContext& context) {
  const Sequence* sequence = TRY(SequenceOf(context, 0));
  const auto length = static_cast<std::int64_t>(sequence->items.size());
  const std::int64_t at = TRY(PositionOf(node, context, 1, length, length - 1, 0));
  context.Set(0, sequence->items[At(at)]);
  return {};
}

Result<Facts> InferLength(const NodeFacts&) { return Facts{TensorFacts(DType::kInt64, {})}; }

Result<void> RunLength(const NodeFacts&, KernelContext& context) {
  const Sequence* sequence = TRY(SequenceOf(context, 0));
  context.output(0).data<std::int64_t>()[0] = static_cast<std::int64_t>(sequence->items.size());
  return {};
}

Result<Facts> InferConcat(const NodeFacts& node) { return Facts{TensorFacts(node.dtype(0))}; }

/// Shape of the items joined along `axis`, each with a new dimension there where `stack`.
Result<Shape> JoinedShape(const Sequence& sequence, std::int64_t axis, bool stack) {
  const Tensor& first = *sequence.items[0].tensor();
  Shape shape = first.shape();
  if (stack) shape.insert(shape.begin() + axis, 1);
  for (std::size_t i = 1; i < sequence.items.size(); ++i) {
    Shape other = sequence.items[i].tensor()->shape();
    if (stack) other.insert(other.begin() + std::min(axis, RankOf(other)), 1);
    bool fits = other.size() == shape.size();
    for (std::size_t d = 0; fits && d < shape.size(); ++d) {
      fits = d == At(axis) || other[d] == shape[d];
    }
    if (!fits) return Invalid("item ", i, " of ", other, " does not join ", shape);
    shape[At(axis)] = TRY(CheckedAdd(shape[At(axis)], other[At(axis)], "the joined dimension"));
  }
  return shape;
}

Result<void> RunConcat(const NodeFacts& node, KernelContext& context) {
  const Sequence* sequence = TRY(SequenceOf(context, 0));
  for (const Value& item : sequence->items) {
    if (item.tensor() == nullptr) return Invalid("an item of the sequence is no tensor");
  }
  if (sequence->items.empty()) return Invalid("the sequence is empty");
  const Tensor& first = *sequence->items[0].tensor();
  const bool stack = node.attributes.Int("new_axis", 0) != 0;
  const std::int64_t rank = first.rank() + (stack ? 1 : 0);
  const std::int64_t axis = TRY(NormalizeAxis(node.attributes.Int("axis", 0), rank));
  const Shape shape = TRY(JoinedShape(*sequence, axis, stack));
  Tensor* out = TRY(context.Allocate(0, first.dtype(), shape));
  const std::int64_t outer = CountOf(shape, 0, At(axis));
  const std::int64_t row = CountOf(shape, At(axis), shape.size());
  std::int64_t offset = 0;
  for (const Value& item : sequence->items) {
    const Tensor& in = *item.tensor();
    if (in.dtype() != first.dtype()) return Invalid("items of the sequence differ in type");
    const std::int64_t piece = outer == 0 ? 0 : in.size() / outer;
    CopyBox(context,
            {.dims = {outer, piece}, .from = {piece, 1}, .to = {row, 1}, .to_offset = offset}, in,
            *out);
    offset += piece;
  }
  return {};
}

Result<Facts> InferSplit(const NodeFacts& node) {
  TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(node.shape(0))));
  TRY(CheckVector(node, 1, "split", true));
  return Facts{SequenceFacts(node.dtype(0))};
}

/// How large each part is along a dimension of `dim`.
Result<std::vector<std::int64_t>> PartsOf(const NodeFacts& node, KernelContext& context,
                                          std::int64_t dim) {
  if (dim > limits::kGraphNodes) return Invalid("a dimension of ", dim, " makes too many parts");
  if (!node.Has(1)) return std::vector<std::int64_t>(At(dim), 1);
  std::vector<std::int64_t> parts = IntsOf(context.input(1));
  if (context.input(1)->rank() == 0) {
    const std::int64_t size = parts[0];
    if (size < 1) return Invalid("input `split` is ", size);
    parts.assign(At(dim / size), size);
    if (dim % size != 0) parts.push_back(dim % size);
    return parts;
  }
  std::int64_t sum = 0;
  for (const std::int64_t part : parts) {
    if (part < 0 || __builtin_add_overflow(sum, part, &sum))
      return Invalid("input `split` is ", parts);
  }
  if (sum != dim) return Invalid("parts ", parts, " do not split a dimension of ", dim);
  return parts;
}

Result<void> RunSplit(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  const std::int64_t axis = TRY(NormalizeAxis(node.attributes.Int("axis", 0), in.rank()));
  const bool keep = node.Has(1) || node.attributes.Int("keepdims", 1) != 0;
  const std::int64_t outer = CountOf(in.shape(), 0, At(axis));
  const std::int64_t inner = CountOf(in.shape(), At(axis) + 1, in.shape().size());
  const std::int64_t row = in.dim(axis) * inner;
  std::vector<Value> items;
  std::int64_t offset = 0;
  for (const std::int64_t part : TRY(PartsOf(node, context, in.dim(axis)))) {
    Shape shape = in.shape();
    shape[At(axis)] = part;
    if (!keep) shape.erase(shape.begin() + axis);
    Tensor item = TRY(Tensor::Make(in.dtype(), shape));
    const std::int64_t piece = part * inner;
    CopyBox(context,
            {.dims = {outer, piece}, .from = {row, 1}, .to = {piece, 1}, .from_offset = offset}, in,
            item);
    items.emplace_back(std::move(item));
    offset += piece;
  }
  SetSequence(context, std::move(items));
  return {};
}

template <Result<void> (*run)(const NodeFacts&, KernelContext&)>
constexpr Kernel kKernels[] = {{.name = "sequence", .run = run}};

constexpr TypeRule kClassic[] = {{"T", kClassicTypes}, {"I", kIndexTypes}};
constexpr TypeRule kSplit24[] = {{"T", kTypes13}, {"I", kIndexTypes}};

consteval OpDef Row(std::string_view type, std::string_view signature, std::string_view attributes,
                    Result<Facts> (*infer)(const NodeFacts&), std::span<const Kernel> kernels,
                    int since = 11, std::span<const TypeRule> types = kClassic) {
  return {.type = type,
          .since = since,
          .signature = signature,
          .types = types,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

constexpr std::string_view kSplitSignature = "input:T, split?:I -> output_sequence:seq(T)";
constexpr std::string_view kSplitAttributes = "axis:int=0, keepdims:int=1";

}  // namespace

OpList ops_sequence() {
  static constexpr auto kOps = Versions({
      Row("SequenceConstruct", "inputs*:T -> output_sequence:seq(T)", "", InferConstruct,
          kKernels<RunConstruct>),
      Row("SequenceEmpty", "-> output:seq(T)", "dtype:int", InferEmpty, kKernels<RunEmpty>),
      Row("SequenceInsert",
          "input_sequence:seq(T), tensor:T, position?:I -> output_sequence:seq(T)", "",
          InferSameSequence, kKernels<RunInsert>),
      Row("SequenceErase", "input_sequence:seq(T), position?:I -> output_sequence:seq(T)", "",
          InferSameSequence, kKernels<RunErase>),
      Row("SequenceAt", "input_sequence:seq(T), position:I -> tensor:T", "", InferAt,
          kKernels<RunAt>),
      Row("SequenceLength", "input_sequence:seq(T) -> length:int64", "", InferLength,
          kKernels<RunLength>),
      Row("ConcatFromSequence", "input_sequence:seq(T) -> concat_result:T",
          "axis!:int, new_axis:int=0", InferConcat, kKernels<RunConcat>),
      Row("SplitToSequence", kSplitSignature, kSplitAttributes, InferSplit, kKernels<RunSplit>),
      Row("SplitToSequence", kSplitSignature, kSplitAttributes, InferSplit, kKernels<RunSplit>, 24,
          kSplit24),
  });
  return kOps;
}

}  // namespace slipway::runtime
