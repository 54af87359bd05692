// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "runtime/bounds.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/recurrent.h"

namespace slipway::runtime {
namespace {

/// Everything as double; absent inputs are empty.
struct Weights {
  Tensor x, w, r, b, h, c, p;
};

/// Where outputs go; null where they are not wanted.
struct Outputs {
  double *y = nullptr, *h = nullptr, *c = nullptr;
};

Result<Tensor> Doubled(KernelContext& context, const NodeFacts& node, std::size_t index) {
  if (!node.Has(index)) return Tensor();
  const Tensor& from = *context.input(index);
  Tensor to = TRY(Tensor::Make(DType::kFloat64, from.shape()));
  TRY(ConvertElements(context, from, to));
  return to;
}

double Dot(const double* a, const double* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// One direction of one sequence of the batch.
class Line {
 public:
  Line(const Recurrence& recurrence, const Weights& weights, std::int64_t direction,
       std::int64_t item)
      : k_(recurrence), weights_(weights), direction_(direction), item_(item) {
    const std::int64_t rows = k_.gates * k_.hidden;
    w_ = Data(weights.w) + direction * rows * k_.inputs;
    r_ = Data(weights.r) + direction * rows * k_.hidden;
    b_ = weights.b.size() > 0 ? Data(weights.b) + direction * 2 * rows : nullptr;
    p_ = weights.p.size() > 0 ? Data(weights.p) + direction * 3 * k_.hidden : nullptr;
    f_ = k_.activations.data() + direction * k_.functions;
    h_ = StateOf(weights.h);
    c_ = StateOf(weights.c);
    sums_.resize(At(rows));
    recurrent_.resize(At(rows));
    reset_.resize(At(k_.hidden));
  }

  void Run(std::int64_t length, const Outputs& outputs) {
    const bool reversed = k_.first_reversed || direction_ == 1;
    const std::int64_t work = k_.gates * k_.hidden * (k_.inputs + k_.hidden + 16);
    Pause pause;
    for (std::int64_t i = 0; i < length; ++i) {
      if (pause.MustStop(work)) return;
      const std::int64_t step = reversed ? length - 1 - i : i;
      Step(Data(weights_.x) +
           (k_.batch_first ? item_ * k_.steps + step : step * k_.batch + item_) * k_.inputs);
      if (outputs.y != nullptr) std::copy(h_.begin(), h_.end(), outputs.y + YOffset(step));
    }
    if (outputs.h != nullptr) std::copy(h_.begin(), h_.end(), outputs.h + StateOffset());
    if (outputs.c != nullptr) std::copy(c_.begin(), c_.end(), outputs.c + StateOffset());
  }

 private:
  static const double* Data(const Tensor& tensor) { return tensor.data<double>().data(); }

  std::int64_t StateOffset() const {
    const std::int64_t row =
        k_.batch_first ? item_ * k_.directions + direction_ : direction_ * k_.batch + item_;
    return row * k_.hidden;
  }
  std::int64_t YOffset(std::int64_t step) const {
    const std::int64_t row = k_.batch_first
                                 ? (item_ * k_.steps + step) * k_.directions + direction_
                                 : (step * k_.directions + direction_) * k_.batch + item_;
    return row * k_.hidden;
  }
  std::vector<double> StateOf(const Tensor& initial) const {
    std::vector<double> state(At(k_.hidden), 0);
    if (initial.size() > 0) std::copy_n(Data(initial) + StateOffset(), k_.hidden, state.begin());
    return state;
  }

  double Clipped(double x) const { return k_.clip < 0 ? x : std::clamp(x, -k_.clip, k_.clip); }
  double Bias(std::int64_t row) const { return b_ == nullptr ? 0 : b_[row]; }
  double RecurrentBias(std::int64_t row) const {
    return b_ == nullptr ? 0 : b_[k_.gates * k_.hidden + row];
  }

  /// Input and recurrent sums of every gate, with their biases.
  void Step(const double* x) {
    for (std::int64_t row = 0; row < k_.gates * k_.hidden; ++row) {
      sums_[At(row)] = Dot(w_ + row * k_.inputs, x, k_.inputs) + Bias(row);
      recurrent_[At(row)] = Dot(r_ + row * k_.hidden, h_.data(), k_.hidden) + RecurrentBias(row);
    }
    if (k_.gates == 4) {
      StepLstm();
    } else if (k_.gates == 3) {
      StepGru();
    } else {
      for (std::size_t i = 0; i < h_.size(); ++i) h_[i] = f_[0](Clipped(sums_[i] + recurrent_[i]));
    }
  }

  double Gate(std::int64_t gate, std::int64_t i, std::int64_t peephole, double cell) const {
    const auto row = At(gate * k_.hidden + i);
    double sum = sums_[row] + recurrent_[row];
    if (p_ != nullptr && peephole >= 0) sum += p_[peephole * k_.hidden + i] * cell;
    return Clipped(sum);
  }

  void StepLstm() {
    for (std::int64_t i = 0; i < k_.hidden; ++i) {
      double& cell = c_[At(i)];
      const double input = f_[0](Gate(0, i, 0, cell));
      const double forget = k_.input_forget ? 1 - input : f_[0](Gate(2, i, 2, cell));
      cell = forget * cell + input * f_[1](Gate(3, i, -1, 0));
      const double output = f_[0](Gate(1, i, 1, cell));
      h_[At(i)] = output * f_[2](cell);
    }
  }

  void StepGru() {
    for (std::int64_t i = 0; i < k_.hidden; ++i) {
      reset_[At(i)] = f_[0](Gate(1, i, -1, 0));
    }
    std::vector<double> scaled(h_);
    for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] *= reset_[i];
    std::vector<double> next(h_.size());
    for (std::int64_t i = 0; i < k_.hidden; ++i) {
      const std::int64_t row = 2 * k_.hidden + i;
      const double carried =
          k_.linear_before_reset
              ? reset_[At(i)] * recurrent_[At(row)]
              : Dot(r_ + row * k_.hidden, scaled.data(), k_.hidden) + RecurrentBias(row);
      const double hidden = f_[1](Clipped(sums_[At(row)] + carried));
      const double update = f_[0](Gate(0, i, -1, 0));
      next[At(i)] = (1 - update) * hidden + update * h_[At(i)];
    }
    h_.swap(next);
  }

  const Recurrence& k_;
  const Weights& weights_;
  std::int64_t direction_, item_;
  const double *w_, *r_, *b_, *p_;
  const GateFunction* f_;
  std::vector<double> h_, c_, sums_, recurrent_, reset_;
};

Result<std::optional<Tensor>> Zeros(const NodeFacts& node, std::size_t index, const Shape& shape) {
  if (!Wanted(node, index)) return std::optional<Tensor>();
  Tensor tensor = TRY(Tensor::Make(DType::kFloat64, shape));
  std::fill_n(tensor.data<double>().data(), tensor.size(), 0.0);
  return std::optional(std::move(tensor));
}

}  // namespace

Result<std::vector<std::int64_t>> SequenceLengths(const NodeFacts& node, KernelContext& context,
                                                  const Recurrence& r) {
  if (!node.Has(4)) return std::vector<std::int64_t>(At(r.batch), r.steps);
  std::vector<std::int64_t> lengths = IntsOf(context.input(4));
  for (const std::int64_t length : lengths) {
    if (length < 0 || length > r.steps) {
      return Invalid("sequence length ", length, " out of range [0, ", r.steps, "]");
    }
  }
  return lengths;
}

Result<void> RunRecurrence(const NodeFacts& node, KernelContext& context,
                           const RecurrentWeights* given) {
  const Recurrence recurrence = TRY(RecurrenceOf(node));
  std::int64_t wanted = 0;
  for (std::size_t i = 0; i < 3; ++i) wanted += Wanted(node, i) ? context.output(i).size() : 0;
  if (wanted == 0) return {};
  Weights weights;
  weights.x = TRY(Doubled(context, node, 0));
  weights.w = given == nullptr ? TRY(Doubled(context, node, 1)) : given->w;
  weights.r = given == nullptr ? TRY(Doubled(context, node, 2)) : given->r;
  weights.b = TRY(Doubled(context, node, 3));
  weights.h = TRY(Doubled(context, node, 5));
  weights.c = TRY(Doubled(context, node, 6));
  weights.p = TRY(Doubled(context, node, 7));
  const std::vector<std::int64_t> lengths = TRY(SequenceLengths(node, context, recurrence));
  std::optional<Tensor> results[3];
  results[0] = TRY(Zeros(node, 0, recurrence.y_shape()));
  results[1] = TRY(Zeros(node, 1, recurrence.state_shape()));
  results[2] = TRY(Zeros(node, 2, recurrence.state_shape()));
  const auto data = [&](std::size_t i) {
    return results[i] ? results[i]->data<double>().data() : nullptr;
  };
  const Outputs outputs{data(0), data(1), data(2)};
  context.ParallelFor(recurrence.batch * recurrence.directions, 1,
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t i = begin; i < end; ++i) {
                          const std::int64_t item = i / recurrence.directions;
                          Line line(recurrence, weights, i % recurrence.directions, item);
                          line.Run(lengths[At(item)], outputs);
                        }
                      });
  for (std::size_t i = 0; i < 3; ++i) {
    if (results[i]) TRY(ConvertElements(context, *results[i], context.output(i)));
  }
  return {};
}

}  // namespace slipway::runtime
