// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/heads.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/bounds.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

/// Scores become probabilities. `sink` takes part where it is not minus infinity.
void Softmax(Doubles& scores, double sink) {
  double largest = sink;
  for (const double score : scores) largest = std::max(largest, score);
  double sum = sink == kHidden ? 0 : std::exp(sink - largest);
  for (double& score : scores) {
    score = score == kHidden ? 0 : std::exp(score - largest);
    sum += score;
  }
  for (double& score : scores) score = sum == 0 ? 0 : score / sum;
}

/// Scores of the keys for query `row`, given the products of the two, become probabilities.
/// `kept`, where it is not null, gets the stage that is wanted.
void Weigh(const HeadsProblem& problem, std::int64_t row, Doubles& scores, double* kept) {
  const HeadsShape& s = problem.shape;
  const std::int64_t i = row % s.q_length;
  const std::int64_t head = row / s.q_length % s.q_heads;
  const std::int64_t n = row / s.q_length / s.q_heads;
  for (std::int64_t j = 0; j < s.kv_length; ++j) {
    double& score = scores[At(j)];
    score *= problem.scale;
    if (problem.softcap > 0) score = problem.softcap * std::tanh(score / problem.softcap);
    const double bias = problem.bias ? problem.bias(n, head, i, j) : 0.0;
    score = bias == kHidden ? kHidden : score + bias;
  }
  if (problem.wanted == ScoresWanted::kBeforeSoftmax) std::ranges::copy(scores, kept);
  double sink = kHidden;
  if (!problem.sinks.empty()) sink = problem.sinks[At(head)];
  Softmax(scores, sink);
  if (problem.wanted == ScoresWanted::kAfterSoftmax) std::ranges::copy(scores, kept);
}

/// The keys and values that query head number `plane` of the batch reads.
std::int64_t SourceOf(const HeadsShape& s, std::int64_t plane) {
  return plane / s.q_heads * s.kv_heads + plane % s.q_heads / (s.q_heads / s.kv_heads);
}

void AttendOne(const HeadsProblem& problem, std::int64_t row, Doubles& scores, double* kept,
               double* y) {
  const HeadsShape& s = problem.shape;
  const std::int64_t source = SourceOf(s, row / s.q_length);
  const double* q = problem.q->data<double>().data() + row * s.head;
  const double* keys = problem.k->data<double>().data() + source * s.kv_length * s.head;
  const double* values = problem.v->data<double>().data() + source * s.kv_length * s.v_head;
  for (std::int64_t j = 0; j < s.kv_length; ++j) {
    double sum = 0;
    for (std::int64_t d = 0; d < s.head; ++d) sum += q[d] * keys[j * s.head + d];
    scores[At(j)] = sum;
  }
  Weigh(problem, row, scores, kept);
  std::fill_n(y, s.v_head, 0.0);
  for (std::int64_t j = 0; j < s.kv_length; ++j) {
    if (scores[At(j)] == 0) continue;
    for (std::int64_t d = 0; d < s.v_head; ++d) y[d] += scores[At(j)] * values[j * s.v_head + d];
  }
}

}  // namespace

Result<HeadsResult> Attend(KernelContext& context, const HeadsProblem& problem) {
  const HeadsShape& s = problem.shape;
  HeadsResult result;
  result.y = TRY(Tensor::Make(DType::kFloat64, {s.batch, s.q_heads, s.q_length, s.v_head}));
  if (problem.wanted != ScoresWanted::kNone) {
    result.scores =
        TRY(Tensor::Make(DType::kFloat64, {s.batch, s.q_heads, s.q_length, s.kv_length}));
  }
  double* kept = result.scores ? result.scores->data<double>().data() : nullptr;
  double* y = result.y.data<double>().data();
  if (result.y.size() == 0 && (!result.scores || result.scores->size() == 0)) return result;
  context.ParallelFor(
      s.batch * s.q_heads * s.q_length, 1, [&](std::int64_t begin, std::int64_t end) {
        Doubles scores(At(s.kv_length));
        for (std::int64_t row = begin; row < end; ++row) {
          AttendOne(problem, row, scores, kept == nullptr ? nullptr : kept + row * s.kv_length,
                    y + row * s.v_head);
        }
      });
  return result;
}

Result<void> JoinHeads(KernelContext& context, const Tensor& y, Tensor& to) {
  const std::int64_t width = y.dim(1) * y.dim(3);
  Tensor joined = TRY(Tensor::Make(DType::kFloat64, {y.dim(0), y.dim(2), width}));
  CopyBox(context,
          {.dims = y.shape(),
           .from = ContiguousStrides(y.shape()),
           .to = {y.dim(2) * width, y.dim(3), width, 1}},
          y, joined);
  return ConvertElements(context, joined.Reshaped(to.shape()), to);
}

}  // namespace slipway::runtime
