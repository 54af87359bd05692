// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include "base/file.h"
#include "runtime/server/scorer.h"
#include "runtime/server/small_float.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;
using runtime::DType;
using runtime::Tensor;
using runtime::Value;

Error Differs(std::string message) {
  return {
      .code = Code::kFailedPrecondition, .message = std::move(message), .id = "Model.WrongAnswer"};
}

bool Close(double got, double want, const Tolerance& tolerance) {
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  if (std::isinf(want) || std::isinf(got)) return want == got;
  return std::fabs(got - want) <= tolerance.absolute + tolerance.relative * std::fabs(want);
}

double Wide(float value) { return value; }
double Wide(double value) { return value; }
struct Half {
  std::uint16_t bits;
};
struct Bfloat16 {
  std::uint16_t bits;
};
double Wide(Half value) { return HalfToFloat(value.bits); }
double Wide(Bfloat16 value) { return Bfloat16ToFloat(value.bits); }

/// In the element's own precision, so that the text is short.
template <class T>
auto Shown(T value) {
  if constexpr (std::is_same_v<T, double>) {
    return value;
  } else {
    return static_cast<float>(Wide(value));
  }
}

/// The largest finite magnitude of `count` numbers.
template <class T>
double Largest(const T* numbers, std::int64_t count) {
  double largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double magnitude = std::fabs(Wide(numbers[i]));
    if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
  }
  return largest;
}

template <class T>
Result<void> AgreeFloats(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  const auto* g = static_cast<const T*>(got.raw());
  const auto* w = static_cast<const T*>(want.raw());
  Tolerance near = tolerance;
  near.absolute += near.of_largest * Largest(w, want.size());
  for (std::int64_t i = 0; i < want.size(); ++i) {
    if (!Close(Wide(g[i]), Wide(w[i]), near)) {
      return Differs(fmt::format("element {} is {}, expected {}", i, Shown(g[i]), Shown(w[i])));
    }
  }
  return {};
}

Result<void> AgreeExactly(const Tensor& got, const Tensor& want) {
  if (want.dtype() == DType::kString) {
    const auto g = got.data<std::string>();
    const auto w = want.data<std::string>();
    const auto at = std::mismatch(g.begin(), g.end(), w.begin()).first - g.begin();
    if (at == want.size()) return {};
    return Differs(fmt::format("element {} is another text", at));
  }
  const auto g = got.raw_bytes();
  const auto w = want.raw_bytes();
  const auto byte = std::mismatch(g.begin(), g.end(), w.begin()).first - g.begin();
  if (byte == static_cast<std::int64_t>(w.size())) return {};
  return Differs(fmt::format("element {} differs", byte * 8 / runtime::DTypeBits(want.dtype())));
}

Result<void> AgreeTensors(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  if (got.dtype() != want.dtype() || got.shape() != want.shape()) {
    return Differs(fmt::format("is {}{}, expected {}{}", runtime::DTypeName(got.dtype()),
                               runtime::ShapeText(got.shape()), runtime::DTypeName(want.dtype()),
                               runtime::ShapeText(want.shape())));
  }
  switch (want.dtype()) {
    case DType::kFloat32:
      return AgreeFloats<float>(got, want, tolerance);
    case DType::kFloat64:
      return AgreeFloats<double>(got, want, tolerance);
    case DType::kFloat16:
      return AgreeFloats<Half>(got, want, tolerance);
    case DType::kBfloat16:
      return AgreeFloats<Bfloat16>(got, want, tolerance);
    default:
      return AgreeExactly(got, want);
  }
}

Result<void> AgreeLists(const std::vector<Value>& got, const std::vector<Value>& want,
                        const Tolerance& tolerance) {
  if (got.size() != want.size()) {
    return Differs(fmt::format("has {} items, expected {}", got.size(), want.size()));
  }
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (auto agreed = Agree(got[i], want[i], tolerance); !agreed) {
      return Within(fmt::format("item {}", i), std::move(agreed).error());
    }
  }
  return {};
}

Result<Value> ReadSample(const fs::path& file, const runtime::TypeInfo& type) {
  auto mapped = MappedFile::Open(file);
  if (!mapped) return std::move(mapped).error();
  auto value = runtime::ReadProtoValue((*mapped)->bytes(), type);
  if (!value) return Within("reading " + file.string(), std::move(value).error());
  return value;
}

/// A sample may be one of the service's own form alone, which is none of the model's.
bool HoldsTensors(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "input_0.pb", error) || fs::exists(folder / "output_0.pb", error) ||
         !fs::exists(folder / "request.json", error);
}

Result<void> CheckSet(const ServedModel& model, const fs::path& folder, const Tolerance& tolerance,
                      const std::optional<std::chrono::milliseconds>& time_limit) {
  std::error_code error;
  runtime::Feeds feeds;
  for (std::size_t i = 0; i < model.model().inputs().size(); ++i) {
    const runtime::ValueInfo& input = model.model().inputs()[i];
    const fs::path file = folder / fmt::format("input_{}.pb", i);
    if (!fs::exists(file, error)) break;
    feeds.emplace_back(input.name, TRY(ReadSample(file, input.type)));
  }
  runtime::RunLimits limits;
  if (time_limit) limits.deadline = std::chrono::steady_clock::now() + *time_limit;
  const std::vector<Value> got = TRY(model.SessionFor(feeds).Run(feeds, {}, limits));
  for (std::size_t i = 0; i < model.model().outputs().size(); ++i) {
    const runtime::ValueInfo& output = model.model().outputs()[i];
    const fs::path file = folder / fmt::format("output_{}.pb", i);
    if (!fs::exists(file, error)) continue;
    const Value want = TRY(ReadSample(file, output.type));
    if (auto agreed = Agree(got[i], want, tolerance); !agreed) {
      return Within(fmt::format("output '{}'", output.name), std::move(agreed).error());
    }
  }
  return {};
}

}  // namespace

Tolerance ToleranceOf(runtime::Precision precision) {
  switch (precision) {
    case runtime::Precision::kFloat32:
      return {};
    case runtime::Precision::kBfloat16:
      return {.of_largest = 0.02};
    case runtime::Precision::kInt8:
      return {.of_largest = 0.1};
  }
  return {};
}

Result<void> Agree(const Value& got, const Value& want, const Tolerance& tolerance) {
  if (const Tensor* tensor = want.tensor()) {
    if (got.tensor() == nullptr) return Differs("is no tensor");
    return AgreeTensors(*got.tensor(), *tensor, tolerance);
  }
  if (const runtime::Sequence* sequence = want.sequence()) {
    if (got.sequence() == nullptr) return Differs("is no sequence");
    return AgreeLists(got.sequence()->items, sequence->items, tolerance);
  }
  if (const runtime::Map* map = want.map()) {
    if (got.map() == nullptr) return Differs("is no map");
    TRY(AgreeTensors(got.map()->keys, map->keys, tolerance));
    return AgreeLists(got.map()->items, map->items, tolerance);
  }
  if (!got.is_none()) return Differs("is there, expected none");
  return {};
}

Result<std::int64_t> CheckGoldenSamples(
    const ServedModel& model, const Tolerance& tolerance,
    const std::optional<std::chrono::milliseconds>& time_limit) {
  std::vector<fs::path> sets;
  std::error_code error;
  for (auto it = fs::directory_iterator(model.file.parent_path(), error);
       !error && it != fs::directory_iterator(); it.increment(error)) {
    if (it->path().filename().string().starts_with("test_data_set_") && HoldsTensors(it->path())) {
      sets.push_back(it->path());
    }
  }
  std::sort(sets.begin(), sets.end());
  for (const fs::path& folder : sets) {
    if (auto checked = CheckSet(model, folder, tolerance, time_limit); !checked) {
      Error failed =
          Within("golden sample " + folder.filename().string(), std::move(checked).error());
      failed.id = "Model.WrongAnswer";
      return failed;
    }
  }
  return static_cast<std::int64_t>(sets.size());
}

}  // namespace slipway::server
