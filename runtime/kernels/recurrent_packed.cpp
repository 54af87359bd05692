// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/recurrent_packed.h"

#include <algorithm>
#include <optional>
#include <span>

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/recurrent.h"
#include "runtime/kernels/recurrent_simd.h"
#include "runtime/kernels/row_product_simd.h"

namespace slipway::runtime {
namespace {

/// Steps whose input products are kept at once, in bytes: what stays in the second cache.
constexpr std::int64_t kChunkBytes = 256 << 10;
/// Multiplications below which threads cost more than they bring.
constexpr double kWorkPerThread = 1 << 20;
/// Rows of input between looks at the clock, and multiplications, where these are more.
constexpr std::int64_t kLeastRows = 8, kMostRows = 64;
constexpr std::int64_t kWorkAtOnce = 1 << 28;

constexpr std::int64_t kFloatBytes = sizeof(float);

using Kind = GateFunction::Kind;

bool IsUsual(const Recurrence& r, const GateFunction* functions) {
  if (r.gates == 1) return functions[0].kind == Kind::kTanh || functions[0].kind == Kind::kRelu;
  const bool gates = functions[0].kind == Kind::kSigmoid && functions[1].kind == Kind::kTanh;
  return gates && (r.gates == 3 || functions[2].kind == Kind::kTanh);
}

/// Gates lie `width` numbers apart, the hidden units and zeros.
struct Layout {
  std::int64_t width = 0, row = 0;
};

Layout LayoutOf(const Recurrence& r) {
  const std::int64_t width = (r.hidden + kRecurrentPad - 1) / kRecurrentPad * kRecurrentPad;
  return {.width = width, .row = width * r.gates};
}

/// Columns of the gates that are multiplied by one state: all, but for a GRU's last gate.
std::int64_t TogetherOf(const Recurrence& r, const Layout& layout) {
  return r.gates == 3 ? 2 * layout.width : layout.row;
}

struct Packed {
  Tensor w;          ///< for each direction, [inputs, gates of width] in panels
  Tensor r;          ///< the same [hidden, gates of width]; a GRU's last gate has its own panels
  Tensor bias;       ///< [directions, gates of width]: of input and state together
  Tensor own_bias;   ///< [directions, width]: of the state alone, of a GRU's last gate
  Tensor peepholes;  ///< [directions, 3 of width], or empty
};

const float* Floats(const Tensor& tensor) { return tensor.data<float>().data(); }
float* Floats(Tensor& tensor) { return tensor.data<float>().data(); }

Result<Tensor> Zeros(Shape shape) {
  Tensor tensor = TRY(Tensor::Make(DType::kFloat32, std::move(shape)));
  std::ranges::fill(tensor.data<float>(), 0.0F);
  return tensor;
}

/// [directions, gates * hidden, depth] as [directions, depth, gates of width] in panels, of which
/// none reaches over column `border`.
Result<Tensor> Panels(const Recurrence& r, const Tensor& from, std::int64_t depth,
                      std::int64_t border) {
  const Layout layout = LayoutOf(r);
  Tensor to = TRY(Zeros({r.directions, depth, layout.row}));
  for (std::int64_t d = 0; d < r.directions; ++d) {
    const float* in = Floats(from) + d * r.gates * r.hidden * depth;
    float* out = Floats(to) + d * depth * layout.row;
    for (std::int64_t row = 0; row < r.gates * r.hidden; ++row, in += depth) {
      const std::int64_t at = row / r.hidden * layout.width + row % r.hidden;
      const std::int64_t first = at < border ? 0 : border;
      const std::int64_t past = at < border ? border : layout.row;
      const Panel panel = PanelOf(at - first, past - first);
      float* column = out + first * depth + panel.begin * depth + at - first - panel.begin;
      for (std::int64_t k = 0; k < depth; ++k) column[k * panel.stride] = in[k];
    }
  }
  return to;
}

Result<void> PackBias(const Recurrence& r, const Tensor* from, Packed& packed) {
  const Layout layout = LayoutOf(r);
  packed.bias = TRY(Zeros({r.directions, layout.row}));
  packed.own_bias = TRY(Zeros({r.directions, layout.width}));
  if (from == nullptr) return {};
  const std::int64_t rows = r.gates * r.hidden;
  for (std::int64_t d = 0; d < r.directions; ++d) {
    const float* of_input = Floats(*from) + d * 2 * rows;
    const float* of_state = of_input + rows;
    for (std::int64_t g = 0; g < r.gates; ++g) {
      const bool apart = r.gates == 3 && g == 2;
      float* out = Floats(packed.bias) + d * layout.row + g * layout.width;
      float* own = Floats(packed.own_bias) + d * layout.width;
      for (std::int64_t j = 0; j < r.hidden; ++j) {
        const float state = of_state[g * r.hidden + j];
        out[j] = of_input[g * r.hidden + j] + (apart ? 0 : state);
        if (apart) own[j] = state;
      }
    }
  }
  return {};
}

Result<void> PackPeepholes(const Recurrence& r, const Tensor* from, Packed& packed) {
  if (from == nullptr) return {};
  const Layout layout = LayoutOf(r);
  packed.peepholes = TRY(Zeros({r.directions, 3, layout.width}));
  for (std::int64_t i = 0; i < 3 * r.directions; ++i) {
    std::copy_n(Floats(*from) + i * r.hidden, r.hidden,
                Floats(packed.peepholes) + i * layout.width);
  }
  return {};
}

/// `inputs`: as the node has them; null where absent.
Result<Packed> Pack(const Recurrence& r, std::span<const Tensor* const> inputs) {
  Packed packed;
  const Layout layout = LayoutOf(r);
  packed.w = TRY(Panels(r, *inputs[1], r.inputs, layout.row));
  packed.r = TRY(Panels(r, *inputs[2], r.hidden, TogetherOf(r, layout)));
  TRY(PackBias(r, inputs[3], packed));
  TRY(PackPeepholes(r, inputs[7], packed));
  return packed;
}

/// What one run works on.
struct Work {
  const Recurrence& r;
  const Packed& packed;
  const float *x, *h, *c;
  float *y, *last_h, *last_c;          ///< null where not wanted
  std::span<const std::int64_t> ends;  ///< of each item, in steps; empty where all are whole
  std::int64_t chunk = 1;              ///< steps at once
  float* room = nullptr;
};

/// Numbers of working memory of each item in a direction.
std::int64_t RoomOfItem(const Layout& layout, std::int64_t chunk) {
  return chunk * layout.row + 4 * layout.width;
}

/// Some items of the batch in one direction.
class Lines {
 public:
  Lines(const Work& work, std::int64_t direction, std::int64_t first, std::int64_t count)
      : work_(work),
        r_(work.r),
        layout_(LayoutOf(work.r)),
        direction_(direction),
        first_(first),
        count_(count),
        relu_(r_.activations[At(direction * r_.functions)].kind == Kind::kRelu),
        clip_(static_cast<float>(r_.clip)) {
    float* room = work.room + (direction * r_.batch + first) * RoomOfItem(layout_, work.chunk);
    const auto take = [&room, this](std::int64_t numbers) {
      float* taken = room;
      room += count_ * numbers;
      return taken;
    };
    sums_ = take(work.chunk * layout_.row);
    h_ = take(layout_.width);
    c_ = take(layout_.width);
    own_ = take(layout_.width);
    scaled_ = take(layout_.width);
  }

  void Run() {
    TakeState(work_.h, h_);
    TakeState(work_.c, c_);
    const bool reversed = r_.first_reversed || direction_ == 1;
    for (std::int64_t done = 0; done < r_.steps; done += work_.chunk) {
      const std::int64_t steps = std::min(work_.chunk, r_.steps - done);
      const std::int64_t begin = reversed ? r_.steps - done - steps : done;
      AddInput(begin, steps);
      Pause pause;
      for (std::int64_t i = 0; i < steps; ++i) {
        if (pause.MustStop(count_ * layout_.row * r_.hidden)) return;
        const std::int64_t at = reversed ? steps - 1 - i : i;
        Step(begin + at, sums_ + at * count_ * layout_.row);
      }
    }
    GiveState(h_, work_.last_h);
    GiveState(c_, work_.last_c);
  }

 private:
  std::int64_t StateOffset(std::int64_t item) const {
    return (r_.batch_first ? item * r_.directions + direction_ : direction_ * r_.batch + item) *
           r_.hidden;
  }
  float* YAt(std::int64_t step, std::int64_t item) const {
    const std::int64_t row = r_.batch_first ? (item * r_.steps + step) * r_.directions + direction_
                                            : (step * r_.directions + direction_) * r_.batch + item;
    return work_.y + row * r_.hidden;
  }
  void TakeState(const float* from, float* state) const {
    std::fill_n(state, count_ * layout_.width, 0.0F);
    for (std::int64_t i = 0; from != nullptr && i < count_; ++i) {
      std::copy_n(from + StateOffset(first_ + i), r_.hidden, state + i * layout_.width);
    }
  }
  void GiveState(const float* state, float* to) const {
    for (std::int64_t i = 0; to != nullptr && i < count_; ++i) {
      std::copy_n(state + i * layout_.width, r_.hidden, to + StateOffset(first_ + i));
    }
  }

  /// Sums of biases and input of the steps from `begin`, [steps, items, gates of width].
  void AddInput(std::int64_t begin, std::int64_t steps) {
    const float* bias = Floats(work_.packed.bias) + direction_ * layout_.row;
    for (std::int64_t i = 0; i < steps * count_; ++i) {
      std::copy_n(bias, layout_.row, sums_ + i * layout_.row);
    }
    if (!r_.batch_first && count_ == r_.batch) {
      return AddInputRows({begin * r_.batch, 1}, 0, 1, steps * count_);
    }
    for (std::int64_t i = 0; i < count_; ++i) {
      const std::int64_t item = first_ + i;
      if (r_.batch_first) {
        AddInputRows({item * r_.steps + begin, 1}, i, count_, steps);
      } else {
        AddInputRows({begin * r_.batch + item, r_.batch}, i, count_, steps);
      }
    }
  }

  /// Rows of the input, and from one to the next.
  struct InputRows {
    std::int64_t first, stride;
  };

  /// Adds the products of `count` rows to rows of sums, from `to` on and `stride` rows apart.
  void AddInputRows(const InputRows& from, std::int64_t to, std::int64_t stride,
                    std::int64_t count) {
    const std::int64_t most =
        std::clamp(kWorkAtOnce / (layout_.row * r_.inputs), kLeastRows, kMostRows);
    Pause pause;
    for (std::int64_t done = 0; done < count; done += most) {
      const std::int64_t rows = std::min(most, count - done);
      if (pause.MustStop(rows * layout_.row * r_.inputs)) return;
      AddRowProduct({.x = work_.x + (from.first + done * from.stride) * r_.inputs,
                     .w = Floats(work_.packed.w) + direction_ * r_.inputs * layout_.row,
                     .y = sums_ + (to + done * stride) * layout_.row,
                     .rows = rows,
                     .depth = r_.inputs,
                     .width = layout_.row,
                     .x_stride = from.stride * r_.inputs,
                     .y_stride = stride * layout_.row});
    }
  }

  bool Ended(std::int64_t step, std::int64_t i) const {
    return !work_.ends.empty() && step >= work_.ends[At(first_ + i)];
  }

  /// Adds the state times the columns of its weights from `column` on, where panels begin.
  void AddState(const float* state, std::int64_t column, std::int64_t width, float* sums,
                std::int64_t stride) const {
    AddRowProduct({.x = state,
                   .w = Floats(work_.packed.r) + (direction_ * layout_.row + column) * r_.hidden,
                   .y = sums,
                   .rows = count_,
                   .depth = r_.hidden,
                   .width = width,
                   .x_stride = layout_.width,
                   .y_stride = stride});
  }

  void Step(std::int64_t step, float* sums) {
    if (r_.gates == 3) {
      AddGruStates(sums);
    } else {
      AddState(h_, 0, layout_.row, sums, layout_.row);
    }
    for (std::int64_t i = 0; i < count_; ++i) {
      if (Ended(step, i)) continue;
      Cell(sums + i * layout_.row, i);
      if (work_.y != nullptr) std::copy_n(h_ + i * layout_.width, r_.hidden, YAt(step, first_ + i));
    }
  }

  void AddGruStates(float* sums) {
    const std::int64_t last = 2 * layout_.width;
    const float* bias = Floats(work_.packed.own_bias) + direction_ * layout_.width;
    AddState(h_, 0, last, sums, layout_.row);
    for (std::int64_t i = 0; i < count_; ++i) {
      float* gates = sums + i * layout_.row;
      GruGates(gates, clip_, layout_.width);
      GruReset(gates + layout_.width, h_ + i * layout_.width, scaled_ + i * layout_.width,
               layout_.width);
      std::copy_n(bias, layout_.width, own_ + i * layout_.width);
    }
    AddState(r_.linear_before_reset ? h_ : scaled_, last, layout_.width, own_, layout_.width);
  }

  void Cell(const float* sums, std::int64_t i) {
    const std::int64_t width = layout_.width;
    float* h = h_ + i * width;
    if (r_.gates == 1) return RnnCell(sums, relu_, clip_, h, width);
    if (r_.gates == 4) {
      const Tensor& peepholes = work_.packed.peepholes;
      const float* seen =
          peepholes.size() == 0 ? nullptr : Floats(peepholes) + direction_ * 3 * width;
      return LstmCell(sums, seen, clip_, c_ + i * width, h, width);
    }
    GruCell({.z = sums,
             .r = r_.linear_before_reset ? sums + width : nullptr,
             .input = sums + 2 * width,
             .recurrent = own_ + i * width,
             .clip = clip_,
             .h = h},
            width);
  }

  const Work& work_;
  const Recurrence& r_;
  Layout layout_;
  std::int64_t direction_, first_, count_;
  bool relu_;
  float clip_;
  float *sums_ = nullptr, *h_ = nullptr, *c_ = nullptr, *own_ = nullptr, *scaled_ = nullptr;
};

/// Every direction and item, on as many threads as there is work for.
void RunLines(const Work& work, KernelContext& context) {
  const Recurrence& r = work.r;
  const double of_step =
      static_cast<double>(LayoutOf(r).row) * static_cast<double>(r.inputs + r.hidden);
  const double steps = static_cast<double>(r.directions * r.batch) * static_cast<double>(r.steps);
  const double threads =
      std::clamp(of_step * steps / kWorkPerThread, 1.0, static_cast<double>(context.threads()));
  const std::int64_t groups = std::clamp<std::int64_t>(
      (static_cast<std::int64_t>(threads) + r.directions - 1) / r.directions, 1, r.batch);
  const std::int64_t count = r.directions * groups;
  context.ParallelFor(count, threads < 2 ? count : 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t group = i % groups;
      const std::int64_t first = r.batch * group / groups;
      const std::int64_t past = r.batch * (group + 1) / groups;
      Lines(work, i / groups, first, past - first).Run();
    }
  });
}

class PackedExecutable final : public Executable {
 public:
  PackedExecutable(const NodeFacts& node, Recurrence recurrence, std::optional<Packed> packed,
                   std::int64_t chunk)
      : node_(node), r_(std::move(recurrence)), packed_(std::move(packed)), chunk_(chunk) {}

  std::int64_t scratch_bytes() const override {
    return r_.directions * r_.batch * RoomOfItem(LayoutOf(r_), chunk_) * kFloatBytes;
  }

  Result<void> Run(KernelContext& context) const override {
    std::optional<Packed> made;
    if (!packed_) {
      std::vector<const Tensor*> inputs(8, nullptr);
      for (std::size_t i = 1; i < inputs.size(); ++i) {
        if (node_.Has(i)) inputs[i] = context.input(i);
      }
      made = TRY(Pack(r_, inputs));
    }
    std::vector<std::int64_t> lengths;
    if (node_.Has(4)) lengths = TRY(SequenceLengths(node_, context, r_));
    const auto given = [&](std::size_t i) {
      return node_.Has(i) ? Floats(*context.input(i)) : nullptr;
    };
    const auto wanted = [&](std::size_t i) {
      return Wanted(node_, i) ? Floats(context.output(i)) : nullptr;
    };
    const Work work{.r = r_,
                    .packed = packed_ ? *packed_ : *made,
                    .x = given(0),
                    .h = given(5),
                    .c = given(6),
                    .y = wanted(0),
                    .last_h = wanted(1),
                    .last_c = wanted(2),
                    .ends = lengths,
                    .chunk = chunk_,
                    .room = reinterpret_cast<float*>(context.scratch().data())};
    if (work.y != nullptr && node_.Has(4)) std::ranges::fill(context.output(0).data<float>(), 0.0F);
    RunLines(work, context);
    return {};
  }

 private:
  const NodeFacts& node_;
  Recurrence r_;
  std::optional<Packed> packed_;  // nothing where the weights are no constants
  std::int64_t chunk_;
};

/// kResourceExhausted where the working memory cannot be counted.
Result<std::int64_t> ChunkOf(const Recurrence& r) {
  const Layout layout = LayoutOf(r);
  const std::int64_t items = r.directions * r.batch;
  const std::int64_t step = TRY(CheckedMul(items, layout.row * kFloatBytes, "a step"));
  const std::int64_t chunk = std::clamp<std::int64_t>(kChunkBytes / step, 1, r.steps);
  TRY(CheckedMul(items, RoomOfItem(layout, chunk) * kFloatBytes, "the steps at once"));
  return chunk;
}

}  // namespace

std::string DeclineRecurrentPacked(const NodeFacts& node) {
  if (node.dtype(0) != DType::kFloat32) return Message("elements of ", node.dtype(0));
  const auto r = RecurrenceOf(node);
  if (!r) return r.error().message;
  if (CountOf(node.shape(0), 0, 3) == 0 || r->hidden == 0) {
    return "nothing to multiply";
  }
  if (r->input_forget) return "input and forget gate are coupled";
  for (std::int64_t d = 0; d < r->directions; ++d) {
    if (!IsUsual(*r, r->activations.data() + d * r->functions)) return "other activations";
  }
  return "";
}

Result<std::unique_ptr<Executable>> PrepareRecurrentPacked(const NodeFacts& node, DeviceContext&) {
  Recurrence recurrence = TRY(RecurrenceOf(node));
  const std::int64_t chunk = TRY(ChunkOf(recurrence));
  std::vector<const Tensor*> weights(8, nullptr);
  bool constant = true;
  for (const std::size_t i : {1U, 2U, 3U, 7U}) {
    if (!node.Has(i)) continue;
    weights[i] = node.inputs[i].constant;
    constant = constant && weights[i] != nullptr;
  }
  std::optional<Packed> packed;
  if (constant) packed = TRY(Pack(recurrence, weights));
  return std::unique_ptr<Executable>(
      std::make_unique<PackedExecutable>(node, std::move(recurrence), std::move(packed), chunk));
}

}  // namespace slipway::runtime
