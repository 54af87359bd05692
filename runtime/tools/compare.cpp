// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/graph/feeds.h"
#include "runtime/tools/element.h"
#include "runtime/tools/test_folder.h"

namespace slipway::runtime {
namespace {

struct Tolerance {
  double relative, absolute;
};

bool Near(double expected, double actual, const Tolerance& tolerance, double& max_error) {
  if (std::isnan(expected) || std::isnan(actual)) return std::isnan(expected) == std::isnan(actual);
  if (expected == actual) return true;
  if (std::isinf(expected) || std::isinf(actual)) return false;
  const double error = std::abs(expected - actual);
  max_error = std::max(max_error, error);
  return error <= tolerance.absolute + tolerance.relative * std::abs(expected);
}

std::string IndexText(const Shape& shape, std::int64_t flat) {
  Shape index(shape.size(), 0);
  for (std::size_t d = shape.size(); d-- > 0;) {
    index[d] = flat % shape[d];
    flat /= shape[d];
  }
  return ShapeText(index);
}

/// What two elements are where they differ; "" where they agree.
std::string ElementDifference(const Tensor& expected, const Tensor& actual, std::int64_t i,
                              const Tolerance& tolerance, double& max_error) {
  const DType dtype = expected.dtype();
  const auto at = static_cast<std::size_t>(i);
  if (dtype == DType::kString) {
    const auto& a = expected.data<std::string>()[at];
    const auto& b = actual.data<std::string>()[at];
    return a == b ? "" : fmt::format("'{}' where '{}' is expected", b, a);
  }
  if (IsFloating(dtype)) {
    const double a = FloatAt(expected, i), b = FloatAt(actual, i);
    return Near(a, b, tolerance, max_error) ? "" : fmt::format("{} where {} is expected", b, a);
  }
  if (IsComplex(dtype)) {
    const auto a = ComplexAt(expected, i), b = ComplexAt(actual, i);
    const bool near = Near(a.first, b.first, tolerance, max_error) &&
                      Near(a.second, b.second, tolerance, max_error);
    return near ? ""
                : fmt::format("{}+{}i where {}+{}i is expected", b.first, b.second, a.first,
                              a.second);
  }
  const std::int64_t a = IntAt(expected, i), b = IntAt(actual, i);
  return a == b ? "" : fmt::format("{} where {} is expected", b, a);
}

std::string CompareTensors(const Tensor& expected, const Tensor& actual, const Tolerance& tolerance,
                           double& max_error) {
  if (expected.dtype() != actual.dtype() || expected.shape() != actual.shape()) {
    return fmt::format("{} where {} is expected", ValueText(Value(actual)),
                       ValueText(Value(expected)));
  }
  std::string first;
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const std::string difference = ElementDifference(expected, actual, i, tolerance, max_error);
    if (difference.empty()) continue;
    if (++wrong == 1) first = fmt::format("at {}: {}", IndexText(expected.shape(), i), difference);
  }
  if (wrong == 0) return "";
  return fmt::format("{} ({} of {} elements differ)", first, wrong, expected.size());
}

std::string CompareItems(const std::vector<Value>& expected, const std::vector<Value>& actual,
                         const Tolerance& tolerance, double& max_error) {
  if (expected.size() != actual.size()) {
    return fmt::format("{} items where {} are expected", actual.size(), expected.size());
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string difference =
        CompareValues(expected[i], actual[i], tolerance.relative, tolerance.absolute, max_error);
    if (!difference.empty()) return fmt::format("item {}: {}", i, difference);
  }
  return "";
}

}  // namespace

std::string CompareValues(const Value& expected, const Value& actual, double rtol, double atol,
                          double& max_error) {
  const Tolerance tolerance{.relative = rtol, .absolute = atol};
  if (expected.tensor() != nullptr && actual.tensor() != nullptr) {
    return CompareTensors(*expected.tensor(), *actual.tensor(), tolerance, max_error);
  }
  if (expected.sequence() != nullptr && actual.sequence() != nullptr) {
    return CompareItems(expected.sequence()->items, actual.sequence()->items, tolerance, max_error);
  }
  if (expected.map() != nullptr && actual.map() != nullptr) {
    const std::string keys =
        CompareTensors(expected.map()->keys, actual.map()->keys, tolerance, max_error);
    if (!keys.empty()) return "keys: " + keys;
    return CompareItems(expected.map()->items, actual.map()->items, tolerance, max_error);
  }
  if (expected.is_none() && actual.is_none()) return "";
  return fmt::format("{} where {} is expected", ValueText(actual), ValueText(expected));
}

}  // namespace slipway::runtime
