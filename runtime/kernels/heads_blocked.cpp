// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/heads_blocked.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "runtime/bounds.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/heads_simd.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

/// Queries that share keys at hand: what they sum up fits a core's own cache.
constexpr std::int64_t kQueries = 240;
/// Queries whose scores are at hand at one time: a multiple of what tiles hold.
constexpr std::int64_t kQueryBlock = 24;
/// To pack keys for fewer queries takes longer than to read them as they lie.
constexpr std::int64_t kFewQueries = 4;

constexpr float kNothing = -std::numeric_limits<float>::infinity();

std::int64_t PaddedWidth(std::int64_t width) {
  return (width + kHeadsPad - 1) / kHeadsPad * kHeadsPad;
}

/// One thread's working memory.
struct Room {
  float *queries, *keys, *values, *scores, *sums;
};

/// Numbers of each part of a room.
std::array<std::int64_t, 5> RoomParts(const HeadsShape& s) {
  const std::int64_t width = PaddedWidth(s.v_head);
  return {kQueries * s.head, kKeyBlock * s.head, kKeyBlock * width, kQueryBlock * kKeyBlock,
          kQueries * width};
}

/// Part of the queries that read the keys of one head: rows [first, first + count) of its query
/// heads' rows, one head after the other.
struct Part {
  std::int64_t item = 0, kv_head = 0, first = 0, count = 0;
};

class Worker {
 public:
  Worker(const BlockedHeads& problem, float* room) : p_(problem), s_(problem.shape) {
    const auto parts = RoomParts(s_);
    float** const places[] = {&room_.queries, &room_.keys, &room_.values, &room_.scores,
                              &room_.sums};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      *places[i] = room;
      room += PaddedWidth(parts[i]);
    }
    width_ = PaddedWidth(s_.v_head);
    few_ = s_.q_heads / s_.kv_heads * s_.q_length <= kFewQueries;
  }

  void Run(const Part& part) {
    part_ = part;
    Begin();
    std::int64_t at = 0;
    for (const KeyRun& run : p_.keys) {
      for (std::int64_t j = 0; j < run.count; j += kKeyBlock) {
        if (MustStop()) return;
        Attend(run, j, at + j, std::min(kKeyBlock, run.count - j));
      }
      at += run.count;
    }
    for (std::int64_t row = 0; row < part_.count && !MustStop(); ++row) Finish(row);
  }

 private:
  struct Query {
    std::int64_t head = 0, i = 0;
    std::int64_t begin = 0, end = 0;  ///< of the keys
    const float* bias[2] = {nullptr, nullptr};
    QueryState state = {};
  };

  static std::int64_t OfItem(const std::vector<std::int64_t>& numbers, std::int64_t item,
                             std::int64_t otherwise) {
    return numbers.empty() ? otherwise : numbers[At(item)];
  }

  void Begin() {
    const auto scale = static_cast<float>(p_.scale);
    least_ = s_.kv_length;
    most_ = 0;
    for (std::int64_t row = 0; row < part_.count; ++row) {
      Query& query = queries_[At(row)];
      const std::int64_t group = s_.q_heads / s_.kv_heads;
      query.head = part_.kv_head * group + (part_.first + row) / s_.q_length;
      query.i = (part_.first + row) % s_.q_length;
      SetSeen(query);
      least_ = std::min(least_, query.begin);
      most_ = std::max(most_, query.end);
      const double sink = p_.sinks.empty() ? -HUGE_VAL : p_.sinks[At(query.head)];
      query.state = {.largest = static_cast<float>(sink), .sum = sink == -HUGE_VAL ? 0.0F : 1.0F};
      query.state.odd = !std::isfinite(query.state.largest) && sink != -HUGE_VAL;
      const float* from = QueryRow(query);
      float* to = room_.queries + row * s_.head;
      for (std::int64_t d = 0; d < s_.head; ++d) to[d] = from[d] * scale;
    }
    std::fill_n(room_.sums, part_.count * width_, 0.0F);
  }

  void SetSeen(Query& query) const {
    const std::int64_t n = part_.item;
    const KeysSeen& seen = p_.seen;
    const std::int64_t at = query.i + OfItem(seen.offset, n, 0);
    query.begin = std::max<std::int64_t>(0, OfItem(seen.begin, n, 0));
    query.end = std::min(s_.kv_length, OfItem(seen.end, n, s_.kv_length));
    if (seen.left >= 0 && seen.left < at) query.begin = std::max(query.begin, at - seen.left);
    if (seen.right >= 0 && seen.right < query.end - at) query.end = at + seen.right + 1;
    query.end = std::max(query.begin, query.end);
    for (std::size_t b = 0; b < p_.bias.size(); ++b) {
      const BiasRows& rows = p_.bias[b];
      if (rows.data == nullptr) continue;
      query.bias[b] = rows.data + n * rows.item + query.head * rows.head + query.i * rows.row;
    }
  }

  const float* QueryRow(const Query& query) const {
    const HeadsPlace& place = p_.q.place;
    return p_.q.data + part_.item * place.item + query.head * place.head + query.i * place.row;
  }

  const float* RowOf(const HeadsView& view, std::int64_t row) const {
    return view.data + part_.item * view.place.item + part_.kv_head * view.place.head +
           row * view.place.row;
  }

  /// `count` keys from `from` of the run on, the first of which is key `at` of all.
  void Attend(const KeyRun& run, std::int64_t from, std::int64_t at, std::int64_t count) {
    if (at >= most_ || at + count <= least_) return;
    HeadsBlock block{.head = s_.head,
                     .keys = RowOf(run.keys, from),
                     .key_stride = run.keys.place.row,
                     .count = count,
                     .values = RowOf(run.values, from),
                     .value_stride = run.values.place.row,
                     .width = width_,
                     .softcap = static_cast<float>(p_.softcap),
                     .literal = p_.literal,
                     .fills = p_.fills,
                     .scores = room_.scores};
    if (!few_) {
      PackKeys(block.keys, block.key_stride, count, s_.head, room_.keys);
      block.keys = room_.keys;
      block.key_stride = 0;
    }
    if (width_ != s_.v_head) PadValues(block);
    for (std::int64_t row = 0; row < part_.count; row += kQueryBlock) {
      AttendRows(block, row, std::min(kQueryBlock, part_.count - row), at);
    }
  }

  void PadValues(HeadsBlock& block) const {
    for (std::int64_t j = 0; j < block.count; ++j) {
      float* to = room_.values + j * width_;
      std::copy_n(block.values + j * block.value_stride, s_.v_head, to);
      std::fill(to + s_.v_head, to + width_, 0.0F);
    }
    block.values = room_.values;
    block.value_stride = width_;
  }

  void AttendRows(HeadsBlock& block, std::int64_t first, std::int64_t rows, std::int64_t at) {
    std::array<QueryState, kQueryBlock> states;
    bool any = false;
    for (std::int64_t row = 0; row < rows; ++row) {
      const Query& query = queries_[At(first + row)];
      QueryState& state = states[At(row)];
      state = query.state;
      state.begin = std::clamp<std::int64_t>(query.begin - at, 0, block.count);
      state.end = std::clamp<std::int64_t>(query.end - at, state.begin, block.count);
      any = any || state.begin < state.end;
      for (std::size_t b = 0; b < 2; ++b) {
        if (query.bias[b] != nullptr) state.bias[b] = query.bias[b] + at;
      }
    }
    if (!any) return;
    block.queries = room_.queries + first * s_.head;
    block.sums = room_.sums + first * width_;
    AttendToBlock(block, std::span(states).first(At(rows)));
    for (std::int64_t row = 0; row < rows; ++row) {
      QueryState& state = queries_[At(first + row)].state;
      state.largest = states[At(row)].largest;
      state.sum = states[At(row)].sum;
      state.odd = states[At(row)].odd;
    }
  }

  void Finish(std::int64_t row) {
    const Query& query = queries_[At(row)];
    const HeadsPlace& place = p_.y_place;
    float* y = p_.y + part_.item * place.item + query.head * place.head + query.i * place.row;
    const QueryState& state = query.state;
    if (state.odd || !FinishQuery(room_.sums + row * width_, state.sum, s_.v_head, y)) {
      Exactly(query, y);
    }
  }

  /// The score of a key in double; minus infinity where it is hidden.
  double ScoreOf(const Query& query, const float* key, std::int64_t j) const {
    double added = 0;
    for (std::size_t b = 0; b < p_.bias.size(); ++b) {
      const float number = query.bias[b] == nullptr ? 0 : query.bias[b][j];
      if (b == 1 && p_.fills && number != 0) return static_cast<double>(number);
      if (number == kNothing && !p_.literal) return -HUGE_VAL;
      added += static_cast<double>(number);
    }
    const float* q = QueryRow(query);
    double score = 0;
    for (std::int64_t d = 0; d < s_.head; ++d) {
      score += static_cast<double>(q[d]) * static_cast<double>(key[d]);
    }
    score *= p_.scale;
    if (p_.softcap > 0) score = p_.softcap * std::tanh(score / p_.softcap);
    return score + added;
  }

  /// Calls body(j, key, values) for the keys that the query sees.
  template <class Body>
  void ForKeys(const Query& query, const Body& body) const {
    std::int64_t at = 0;
    for (const KeyRun& run : p_.keys) {
      const std::int64_t end = std::min(run.count, query.end - at);
      for (std::int64_t j = std::max<std::int64_t>(0, query.begin - at); j < end; ++j) {
        body(at + j, RowOf(run.keys, j), RowOf(run.values, j));
      }
      at += run.count;
    }
  }

  /// The query as the reference computes it.
  void Exactly(const Query& query, float* y) const {
    Doubles scores(At(query.end - query.begin)), sums(At(s_.v_head));
    double largest = p_.sinks.empty() ? -HUGE_VAL : p_.sinks[At(query.head)];
    double sum = 0;
    ForKeys(query, [&](std::int64_t j, const float* key, const float*) {
      double& score = scores[At(j - query.begin)];
      score = ScoreOf(query, key, j);
      largest = std::max(largest, score);
    });
    if (!p_.sinks.empty() && p_.sinks[At(query.head)] != -HUGE_VAL) {
      sum = std::exp(p_.sinks[At(query.head)] - largest);
    }
    for (double& score : scores) {
      score = score == -HUGE_VAL && !p_.literal ? 0 : std::exp(score - largest);
      sum += score;
    }
    ForKeys(query, [&](std::int64_t j, const float*, const float* values) {
      const double weight = sum == 0 ? 0 : scores[At(j - query.begin)] / sum;
      if (weight == 0 && !p_.literal) return;
      for (std::int64_t d = 0; d < s_.v_head; ++d) {
        sums[At(d)] += weight * static_cast<double>(values[d]);
      }
    });
    std::ranges::transform(sums, y, [](double x) { return static_cast<float>(x); });
  }

  const BlockedHeads& p_;
  const HeadsShape& s_;
  Room room_ = {};
  std::int64_t width_ = 0;
  bool few_ = false;
  Part part_ = {};
  std::int64_t least_ = 0, most_ = 0;  // keys that any query of the part sees
  std::array<Query, kQueries> queries_;
};

/// So many queries at once that there is work for all threads.
std::int64_t PartRows(const HeadsShape& s, std::int64_t threads) {
  const std::int64_t rows = s.q_heads / s.kv_heads * s.q_length;
  const std::int64_t share = s.batch * s.kv_heads * rows / std::max<std::int64_t>(1, 2 * threads);
  const std::int64_t blocks = std::max<std::int64_t>(1, share / kQueryBlock);
  return threads == 1 ? kQueries : std::min(kQueries, blocks * kQueryBlock);
}

}  // namespace

HeadsPlace HeadsFirst(std::int64_t heads, std::int64_t length, std::int64_t width) {
  return {.item = heads * length * width, .head = length * width, .row = width};
}

HeadsPlace TokensFirst(std::int64_t heads, std::int64_t length, std::int64_t width) {
  return {.item = length * heads * width, .head = width, .row = heads * width};
}

std::int64_t BlockedHeadsScratch(const HeadsShape& shape) {
  std::int64_t numbers = 0;
  for (const std::int64_t part : RoomParts(shape)) numbers += PaddedWidth(part);
  return numbers * static_cast<std::int64_t>(sizeof(float));
}

void AttendBlocked(KernelContext& context, const BlockedHeads& problem) {
  const HeadsShape& s = problem.shape;
  const std::int64_t rows = s.q_heads / s.kv_heads * s.q_length;
  if (s.batch * s.kv_heads * rows * s.v_head == 0) return;
  const std::int64_t bytes = BlockedHeadsScratch(s);
  const std::span<std::byte> scratch = context.scratch();
  const auto workers = static_cast<std::int64_t>(scratch.size()) / bytes;
  const std::int64_t most = PartRows(s, workers);
  const std::int64_t parts = (rows + most - 1) / most;
  context.ParallelFor(workers, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t w = begin; w < end; ++w) {
      Worker worker(problem, reinterpret_cast<float*>(scratch.data() + w * bytes));
      for (std::int64_t at = w; at < s.batch * s.kv_heads * parts; at += workers) {
        const std::int64_t first = at % parts * most;
        worker.Run({.item = at / parts / s.kv_heads,
                    .kv_head = at / parts % s.kv_heads,
                    .first = first,
                    .count = std::min(most, rows - first)});
      }
    }
  });
}

void WritePresent(KernelContext& context, const PresentRows& rows, Tensor& present,
                  std::int64_t offset) {
  const Strides to = ContiguousStrides(rows.shape);
  Shape old = rows.shape;
  old[2] -= rows.fresh_length;
  if (rows.past != nullptr) {
    CopyBox(context,
            {.dims = old,
             .from = ContiguousStrides(old),
             .to = to,
             .from_offset = rows.past_offset,
             .to_offset = offset},
            *rows.past, present);
  }
  Shape now = rows.shape;
  now[2] = rows.fresh_length;
  CopyBox(context,
          {.dims = now,
           .from = {rows.place.item, rows.place.head, rows.place.row, 1},
           .to = to,
           .from_offset = rows.fresh_offset,
           .to_offset = offset + old[2] * rows.shape[3]},
          *rows.fresh, present);
}

Result<Tensor> BiasOfMask(KernelContext& context, const Tensor& mask) {
  if (mask.dtype() == DType::kFloat32) return mask;
  Tensor bias = TRY(Tensor::Make(DType::kFloat32, mask.shape()));
  if (mask.dtype() != DType::kBool) {
    TRY(ConvertElements(context, mask, bias));
    return bias;
  }
  std::ranges::transform(mask.data<bool>(), bias.data<float>().begin(),
                         [](bool seen) { return seen ? 0 : kNothing; });
  return bias;
}

}  // namespace slipway::runtime
