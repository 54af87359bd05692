// SPDX-License-Identifier: Apache-2.0
// StringConcat, StringSplit, RegexFullMatch (opset 20).
// Spec: https://onnx.ai/onnx/operators/onnx__StringSplit.html and the pages of the others.
// Whitespace is Unicode's, as in Python's str.split.
#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/limits.h"
#include "runtime/bounds.h"
#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

std::int64_t TextBytes(std::span<const std::string> strings) {
  std::int64_t bytes = 0;
  for (const std::string& text : strings) bytes += static_cast<std::int64_t>(text.size());
  return bytes;
}

/// kResourceExhausted if strings of two tensors, each as often as said, make too much text.
Result<void> CheckText(std::span<const std::string> a, std::int64_t a_repeats,
                       std::span<const std::string> b, std::int64_t b_repeats) {
  constexpr std::string_view kWhat = "the text of a tensor";
  const std::int64_t left = TRY(CheckedMul(TextBytes(a), a_repeats, kWhat));
  const std::int64_t right = TRY(CheckedMul(TextBytes(b), b_repeats, kWhat));
  const std::int64_t bytes = TRY(CheckedAdd(left, right, kWhat));
  const Bounds* bounds = CurrentBounds();
  const MemoryBudget* budget = bounds == nullptr ? nullptr : bounds->memory().get();
  const std::int64_t most =
      budget == nullptr ? limits::kStringBytes : budget->limits().string_bytes;
  if (bytes > most) {
    return Error{
        .code = Code::kResourceExhausted,
        .message = Message("strings of ", bytes, " bytes together, at most ", most, " are allowed"),
        .id = "Tensor.TooLarge"};
  }
  if (budget == nullptr || bytes <= budget->limits().memory_bytes - budget->used()) return {};
  return MemoryLimitError(*budget, bytes, "text");
}

Result<void> RunConcat(const NodeFacts& node, KernelContext& context) {
  const Tensor& a = *context.input(0);
  const Tensor& b = *context.input(1);
  Tensor& out = context.output(0);
  if (out.size() == 0) return {};
  const auto left = a.data<std::string>();
  const auto right = b.data<std::string>();
  TRY(CheckText(left, out.size() / a.size(), right, out.size() / b.size()));
  auto to = out.data<std::string>();
  const BroadcastPlan plan = PlanBroadcast(out.shape(), {node.shape(0), node.shape(1)});
  Pause pause;
  ForEachRun(plan, 0, plan.size,
             [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
               for (std::int64_t i = 0; i < count; ++i) {
                 if (pause.MustStop(128)) return;
                 to[At(at + i)] = left[At(from[0] + i * plan.inner_stride(0))] +
                                  right[At(from[1] + i * plan.inner_stride(1))];
               }
             });
  return {};
}

/// Bytes of the whitespace character that `text` begins with; 0 if it begins with another.
std::size_t WhitespaceBytes(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(0);
  if (first == ' ' || (first >= 0x09 && first <= 0x0d) || (first >= 0x1c && first <= 0x1f)) {
    return 1;
  }
  if (first == 0xc2) return byte(1) == 0x85 || byte(1) == 0xa0 ? 2 : 0;
  if (first < 0xe1 || first > 0xe3 || byte(1) < 0x80 || byte(2) < 0x80) return 0;
  const unsigned point = (first & 0xfU) << 12 | (byte(1) & 0x3fU) << 6 | (byte(2) & 0x3fU);
  const bool space = point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
                     point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
  return space ? 3 : 0;
}

using Pieces = std::vector<std::string_view>;

std::string_view WithoutTrailingSpace(std::string_view text) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = WhitespaceBytes(text.substr(at));
    at += bytes > 0 ? bytes : 1;
    if (bytes == 0) kept = at;
  }
  return text.substr(0, kept);
}

/// At most `most` splits; what is behind the last one keeps its inner whitespace.
Pieces SplitAtWhitespace(std::string_view text, std::int64_t most) {
  Pieces pieces;
  while (true) {
    while (const std::size_t bytes = WhitespaceBytes(text)) text.remove_prefix(bytes);
    if (text.empty()) return pieces;
    if (static_cast<std::int64_t>(pieces.size()) == most) break;
    std::size_t end = 0;
    while (end < text.size() && WhitespaceBytes(text.substr(end)) == 0) ++end;
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  pieces.push_back(WithoutTrailingSpace(text));
  return pieces;
}

Pieces SplitAt(std::string_view text, std::string_view delimiter, std::int64_t most) {
  Pieces pieces;
  while (static_cast<std::int64_t>(pieces.size()) != most) {
    const std::size_t at = text.find(delimiter);
    if (at == std::string_view::npos) break;
    pieces.push_back(text.substr(0, at));
    text.remove_prefix(at + delimiter.size());
  }
  pieces.push_back(text);
  return pieces;
}

Result<Facts> InferSplit(const NodeFacts& node) {
  return OutputFacts(node,
                     {TensorFacts(DType::kString), TensorFacts(DType::kInt64, node.shape(0))});
}

Result<void> RunSplit(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  const std::string_view delimiter = node.attributes.String("delimiter", "");
  const std::int64_t most = std::max<std::int64_t>(-1, node.attributes.Int("maxsplit", -1));
  std::vector<Pieces> rows;
  std::int64_t width = 0;
  Pause pause;
  for (const std::string& text : in.data<std::string>()) {
    if (pause.MustStop(128 + 4 * static_cast<std::int64_t>(text.size()))) return {};
    rows.push_back(delimiter.empty() ? SplitAtWhitespace(text, most)
                                     : SplitAt(text, delimiter, most));
    width = std::max(width, static_cast<std::int64_t>(rows.back().size()));
  }
  Shape shape = in.shape();
  shape.push_back(width);
  Tensor* out = TRY(context.Allocate(0, DType::kString, shape));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::ranges::copy(rows[row],
                      out->data<std::string>().begin() + static_cast<std::int64_t>(row) * width);
  }
  if (!Wanted(node, 1)) return {};
  auto counts = context.output(1).data<std::int64_t>();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    counts[row] = static_cast<std::int64_t>(rows[row].size());
  }
  return {};
}

class RegexMatcher final : public Executable {
 public:
  explicit RegexMatcher(std::string_view pattern)
      : expression_(re2::StringPiece(pattern.data(), pattern.size()), RE2::Quiet) {}

  Result<void> Check() const {
    if (expression_.ok()) return {};
    return Invalid("attribute `pattern` is no expression of RE2: ", expression_.error());
  }

  Result<void> Run(KernelContext& context) const override {
    const auto in = context.input(0)->data<std::string>();
    auto out = context.output(0).data<bool>();
    Pause pause;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (pause.MustStop(256 + 64 * static_cast<std::int64_t>(in[i].size()))) return {};
      out[i] = RE2::FullMatch(in[i], expression_);
    }
    return {};
  }

 private:
  RE2 expression_;
};

Result<Facts> InferRegex(const NodeFacts& node) {
  if (!node.attributes.Has("pattern")) return Invalid("attribute `pattern` is missing");
  return Facts{TensorFacts(DType::kBool, node.shape(0))};
}

Result<std::unique_ptr<Executable>> PrepareRegex(const NodeFacts& node, DeviceContext&) {
  auto matcher = std::make_unique<RegexMatcher>(node.attributes.String("pattern", ""));
  TRY(matcher->Check());
  return std::unique_ptr<Executable>(std::move(matcher));
}

constexpr Kernel kConcat[] = {{.name = "string_concat", .run = RunConcat}};
constexpr Kernel kSplit[] = {{.name = "string_split", .run = RunSplit}};
constexpr Kernel kRegex[] = {{.name = "re2", .prepare = PrepareRegex}};

}  // namespace

OpList ops_strings() {
  static constexpr OpDef kOps[] = {
      {.type = "StringConcat",
       .since = 20,
       .signature = "X:string, Y:string -> Z:string",
       .infer = InferBroadcast,
       .kernels = kConcat},
      {.type = "StringSplit",
       .since = 20,
       .signature = "X:string -> Y:string, Z:int64",
       .attributes = "delimiter:string, maxsplit:int",
       .infer = InferSplit,
       .kernels = kSplit},
      {.type = "RegexFullMatch",
       .since = 20,
       .signature = "X:string -> Y:bool",
       .attributes = "pattern:string",
       .infer = InferRegex,
       .kernels = kRegex},
  };
  return kOps;
}

}  // namespace slipway::runtime
