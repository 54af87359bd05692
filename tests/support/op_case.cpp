// SPDX-License-Identifier: Apache-2.0
#include "tests/support/op_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <random>

#include "base/file.h"
#include "base/text.h"
#include "runtime/graph/signature.h"
#include "runtime/kernels/convert.h"
#include "tests/support/op_context.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Shape;
using runtime::Tensor;

struct ShortName {
  std::string_view name;
  DType dtype;
};
constexpr ShortName kShortNames[] = {
    {"f32", DType::kFloat32},   {"f64", DType::kFloat64},    {"f16", DType::kFloat16},
    {"bf16", DType::kBfloat16}, {"i8", DType::kInt8},        {"i16", DType::kInt16},
    {"i32", DType::kInt32},     {"i64", DType::kInt64},      {"u8", DType::kUint8},
    {"u16", DType::kUint16},    {"u32", DType::kUint32},     {"u64", DType::kUint64},
    {"bool", DType::kBool},     {"str", DType::kString},     {"i4", DType::kInt4},
    {"u4", DType::kUint4},      {"f8", DType::kFloat8E4M3FN}};

Error Bad(std::string_view what, std::string_view text) {
  return {.code = Code::kInvalidArgument, .message = fmt::format("{} '{}'", what, text)};
}

template <class T>
Result<T> Number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Bad("no number:", text);
  return value;
}

template <class T>
Result<std::vector<T>> Numbers(std::string_view text) {
  std::vector<T> values;
  if (text.empty()) return values;
  for (const std::string& part : Split(text, ',')) values.push_back(TRY(Number<T>(part)));
  return values;
}

std::vector<double> RandomElements(std::int64_t count, double low, double high, bool special,
                                   std::mt19937& random) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double odd[] = {std::nan(""), kInf, -kInf, 0.0, -0.0, 1e-42, 3e38, -3e38};
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const double fraction = static_cast<double>(random()) / 4294967296.0;
    values.push_back(low + fraction * (high - low));
    if (special && random() % 4 == 0) values.back() = odd[random() % std::size(odd)];
  }
  return values;
}

/// The bracketed part at the front of `text` is taken off it.
std::optional<std::string_view> TakeBracketed(std::string_view& text, char open, char close) {
  if (!text.starts_with(open)) return std::nullopt;
  const std::size_t end = text.find(close);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view inside = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return inside;
}

struct Range {
  double low = -2, high = 2;
  bool special = false;
};

Result<Range> RangeOf(std::string_view text, DType dtype) {
  Range range;
  if (runtime::kIntTypes.Has(dtype)) range = {-6, 7, false};
  if (runtime::kUintTypes.Has(dtype)) range = {0, 12, false};
  if (dtype == DType::kBool) range = {0, 2, false};
  if (text.empty()) return range;
  if (text == ":special") {
    range.special = true;
    return range;
  }
  const std::size_t dots = text.find("..");
  if (!text.starts_with(':') || dots == std::string_view::npos) return Bad("no range:", text);
  range.low = TRY(Number<double>(text.substr(1, dots - 1)));
  range.high = TRY(Number<double>(text.substr(dots + 2)));
  return range;
}

Result<Tensor> MakeTensor(DType dtype, const Shape& shape, const std::vector<double>& values) {
  Tensor wide = TRY(Tensor::Make(DType::kFloat64, shape));
  std::copy(values.begin(), values.end(), wide.data<double>().begin());
  const bool whole = runtime::kIntTypes.Has(dtype) || runtime::kUintTypes.Has(dtype) ||
                     dtype == DType::kBool || dtype == DType::kString;
  for (double& value : wide.data<double>()) {
    if (whole) value = std::floor(value);
  }
  Tensor tensor = TRY(Tensor::Make(dtype, shape));
  OpContext context({}, 1);
  TRY(runtime::ConvertElements(context, wide, tensor));
  return tensor;
}

/// Nothing where `text` does not begin as a tensor does.
Result<std::optional<Tensor>> ParseTensor(std::string_view text, std::mt19937& random) {
  const std::size_t end = text.find_first_of("[{");
  const auto name = std::ranges::find_if(
      kShortNames, [&](const ShortName& s) { return s.name == text.substr(0, end); });
  if (end == std::string_view::npos || name == std::end(kShortNames))
    return std::optional<Tensor>();
  text.remove_prefix(end);
  std::optional<Shape> shape;
  if (const auto dims = TakeBracketed(text, '[', ']')) shape = TRY(Numbers<std::int64_t>(*dims));
  if (const auto list = TakeBracketed(text, '{', '}')) {
    const std::vector<double> values = TRY(Numbers<double>(*list));
    if (!shape) shape = Shape{static_cast<std::int64_t>(values.size())};
    if (TRY(runtime::ElementCount(*shape)) != static_cast<std::int64_t>(values.size())) {
      return Bad("elements do not fit the shape:", *list);
    }
    return std::optional(TRY(MakeTensor(name->dtype, *shape, values)));
  }
  const Range range = TRY(RangeOf(text, name->dtype));
  const auto values = RandomElements(TRY(runtime::ElementCount(*shape)), range.low, range.high,
                                     range.special, random);
  return std::optional(TRY(MakeTensor(name->dtype, *shape, values)));
}

Result<runtime::Attribute> ParseAttribute(std::string_view kind, std::string_view text,
                                          std::mt19937& random) {
  if (kind == "int") return runtime::Attribute(TRY(Number<std::int64_t>(text)));
  if (kind == "float") return runtime::Attribute(TRY(Number<float>(text)));
  if (kind == "string") return runtime::Attribute(std::string(text));
  if (kind == "ints") return runtime::Attribute(TRY(Numbers<std::int64_t>(text)));
  if (kind == "floats") return runtime::Attribute(TRY(Numbers<float>(text)));
  if (kind == "strings") return runtime::Attribute(Split(text, ','));
  if (kind == "tensor") {
    if (auto tensor = TRY(ParseTensor(text, random))) return runtime::Attribute(*std::move(tensor));
  }
  return Bad("attribute value", text);
}

Result<void> ParseWord(std::string_view word, const runtime::Schema& schema, std::mt19937& random,
                       OpCase& problem) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return Bad("no NAME=VALUE:", word);
  const std::string_view name = word.substr(0, equals);
  const std::string_view value = word.substr(equals + 1);
  if (name == "opset") return {};
  if (name == "outputs") {
    problem.node.outputs_wanted.assign(TRY(Number<std::size_t>(value)), true);
    return {};
  }
  const auto rule =
      std::ranges::find_if(schema.attributes, [&](const auto& r) { return r.name == name; });
  if (rule != schema.attributes.end()) {
    problem.node.attributes.Set(std::string(name), TRY(ParseAttribute(rule->kind, value, random)));
    return {};
  }
  std::optional<Tensor> tensor = TRY(ParseTensor(value, random));
  if (!tensor && value != "none") return Bad("neither attribute nor tensor:", word);
  problem.node.present.push_back(tensor.has_value());
  problem.inputs.push_back(tensor.value_or(Tensor()));
  problem.node.inputs.push_back(tensor ? runtime::TensorFacts(tensor->dtype(), tensor->shape())
                                       : runtime::ValueFacts{});
  return {};
}

}  // namespace

Result<OpCase> ParseOpCase(std::string_view line, std::uint32_t seed) {
  std::mt19937 random(seed);
  OpCase problem{.text = std::string(line)};
  std::vector<std::string> words;
  for (std::string& word : Split(line, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  if (words.size() < 2 || !words[1].starts_with("opset=")) return Bad("no `Type opset=N`:", line);
  const std::size_t dot = words[0].rfind('.');
  const std::string domain = dot == std::string::npos ? "" : words[0].substr(0, dot);
  const std::string type = dot == std::string::npos ? words[0] : words[0].substr(dot + 1);
  problem.node.opset = TRY(Number<int>(std::string_view(words[1]).substr(6)));
  problem.node.op = runtime::FindOp(domain, type, problem.node.opset);
  if (problem.node.op == nullptr) return Bad("no such operator:", words[0]);
  problem.node.outputs_wanted = {true};
  const runtime::Schema schema = TRY(runtime::ParseSchema(*problem.node.op));
  for (const std::string& word : words) {
    if (&word != &words[0]) TRY(ParseWord(word, schema, random, problem));
  }
  TRY(runtime::CheckAttributes(schema, problem.node.attributes));
  TRY(runtime::CheckTypes(schema, *problem.node.op, problem.node.inputs, problem.node.present,
                          problem.node.outputs_wanted.size()));
  return problem;
}

Result<std::vector<OpCase>> ReadOpCases(const std::filesystem::path& file) {
  std::vector<OpCase> cases;
  int number = 0;
  for (const std::string& raw : Split(TRY(ReadFile(file, 1 << 20)), '\n')) {
    ++number;
    const std::string_view line = Trim(std::string_view(raw).substr(0, raw.find('#')));
    if (line.empty()) continue;
    auto problem = ParseOpCase(line, static_cast<std::uint32_t>(number));
    if (!problem) {
      return Within(fmt::format("{}:{}", file.filename().string(), number),
                    std::move(problem).error());
    }
    problem->line = number;
    cases.push_back(*std::move(problem));
  }
  return cases;
}

}  // namespace slipway::test
