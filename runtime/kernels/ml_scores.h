// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/op.h"

/// What the classifiers and regressors of ai.onnx.ml share: examples, labels, transformed scores.
namespace slipway::runtime {

/// Examples of an input [N, F], or one example [F].
struct Examples {
  std::int64_t rows = 0, features = 0;
};
/// kInvalidArgument naming a shape that is neither.
Result<Examples> ExamplesOf(const Shape& shape);
/// The features of one example, of a type that such inputs have, as double: all of `to`.
void ReadExample(const Tensor& x, std::int64_t row, std::span<double> to);
/// What of that, or of scores, is on the stack.
inline constexpr std::size_t kFewFeatures = 64;

enum class PostTransform : std::uint8_t { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };
/// kInvalidArgument naming an unknown one.
Result<PostTransform> PostTransformOf(std::string_view name);
/// Attribute `post_transform`.
Result<PostTransform> PostTransformOf(const NodeFacts& node);

/// Transforms the scores of one example. PROBIT inverts the error function by Winitzki's
/// approximation, as the standard's reference evaluator does.
void Transform(PostTransform transform, std::span<double> scores);
double Logistic(double x);

/// The labels of a classifier: strings or integers.
struct ClassLabels {
  std::vector<std::string> strings;
  std::vector<std::int64_t> ints;
  bool are_strings() const { return !strings.empty(); }
  std::int64_t size() const {
    return static_cast<std::int64_t>(are_strings() ? strings.size() : ints.size());
  }
  DType dtype() const { return are_strings() ? DType::kString : DType::kInt64; }
  static constexpr std::int64_t kNone = -1;
  /// Writes label `index` as element `at`; 0 or "" for kNone.
  void Store(Tensor& to, std::int64_t at, std::int64_t index) const;
};
/// From attributes of those names. kInvalidArgument if both or neither are given.
Result<ClassLabels> ClassLabelsOf(const NodeFacts& node, std::string_view strings,
                                  std::string_view ints);

/// Index of the largest score, the first of equals.
std::int64_t LargestOf(std::span<const double> scores);

}  // namespace slipway::runtime
