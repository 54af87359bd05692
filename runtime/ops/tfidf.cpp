// SPDX-License-Identifier: Apache-2.0
// TfIdfVectorizer (opset 9). Spec: https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
// Words are numbered by the pool; an n-gram is then looked up by the bytes of its numbers.
#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/limits.h"
#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kNoWord = -1;

void AppendWord(std::string& key, std::int64_t word) {
  key.append(reinterpret_cast<const char*>(&word), sizeof(word));
}

/// The pool, ready to look up in.
class Pool {
 public:
  static Result<Pool> Of(const NodeFacts& node);

  std::vector<std::int64_t> WordsOf(const Tensor& x) const;
  /// Calls found(number of the n-gram) for each that the words hold.
  template <class Found>
  void Search(std::span<const std::int64_t> words, Found&& found) const;

 private:
  Result<void> ReadWords(const NodeFacts& node);
  Result<void> ReadGrams(const NodeFacts& node);

  bool of_strings_ = false;
  std::unordered_map<std::string, std::int64_t> string_words_;
  std::vector<std::int64_t> words_;
  std::unordered_map<std::string, std::size_t> grams_;
  std::int64_t least_ = 1, most_ = 1, skips_ = 0;
};

Result<void> Pool::ReadWords(const NodeFacts& node) {
  const auto strings = node.attributes.Strings("pool_strings");
  words_ = node.attributes.Ints("pool_int64s", {});
  if (strings.empty() == words_.empty()) {
    return Invalid("exactly one of `pool_strings` and `pool_int64s` must be there");
  }
  of_strings_ = !strings.empty();
  if (of_strings_ != (node.dtype(0) == DType::kString)) {
    return Invalid("elements of ", node.dtype(0), " are not what the pool holds");
  }
  for (const std::string& text : strings) {
    const auto next = static_cast<std::int64_t>(string_words_.size());
    words_.push_back(string_words_.emplace(text, next).first->second);
  }
  return {};
}

Result<void> Pool::ReadGrams(const NodeFacts& node) {
  const std::vector<std::int64_t> starts = node.attributes.Ints("ngram_counts", {});
  const auto size = static_cast<std::int64_t>(words_.size());
  const auto indexes = node.attributes.Ints("ngram_indexes", {});
  std::size_t number = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto length = static_cast<std::int64_t>(i + 1);
    const std::int64_t end = i + 1 < starts.size() ? starts[i + 1] : size;
    if (starts[i] < 0 || starts[i] > end || end > size || (end - starts[i]) % length != 0) {
      return Invalid("attribute `ngram_counts` is ", starts, " with a pool of ", size);
    }
    for (std::int64_t at = starts[i]; at < end; at += length, ++number) {
      std::string key;
      for (std::int64_t w = 0; w < length; ++w) AppendWord(key, words_[At(at + w)]);
      if (length >= least_ && length <= most_) grams_.emplace(std::move(key), number);
    }
  }
  if (number == indexes.size()) return {};
  return Invalid("attribute `ngram_indexes` has ", indexes.size(), " numbers for ", number,
                 " n-grams");
}

Result<Pool> Pool::Of(const NodeFacts& node) {
  Pool pool;
  pool.least_ = node.attributes.Int("min_gram_length", 1);
  pool.most_ = node.attributes.Int("max_gram_length", 1);
  pool.skips_ = node.attributes.Int("max_skip_count", 0);
  if (pool.least_ < 1 || pool.most_ < pool.least_ || pool.skips_ < 0) {
    return Invalid("lengths ", pool.least_, " to ", pool.most_, " with ", pool.skips_,
                   " skips make no n-grams");
  }
  TRY(pool.ReadWords(node));
  TRY(pool.ReadGrams(node));
  const auto lengths = static_cast<std::int64_t>(node.attributes.Ints("ngram_counts", {}).size());
  pool.most_ = std::min(pool.most_, lengths);
  return pool;
}

std::vector<std::int64_t> Pool::WordsOf(const Tensor& x) const {
  if (!of_strings_) return IntsOf(&x);
  std::vector<std::int64_t> words;
  for (const std::string& text : x.data<std::string>()) {
    const auto word = string_words_.find(text);
    words.push_back(word == string_words_.end() ? kNoWord : word->second);
  }
  return words;
}

template <class Found>
void Pool::Search(std::span<const std::int64_t> words, Found&& found) const {
  const auto count = static_cast<std::int64_t>(words.size());
  std::string key;
  Pause pause;
  for (std::int64_t step = 1; step - 1 <= std::min(skips_, count); ++step) {
    for (std::int64_t start = 0; start < count; ++start) {
      key.clear();
      if (pause.MustStop(32 * most_)) return;
      std::int64_t at = start;
      for (std::int64_t length = 1; length <= most_ && at < count; ++length, at += step) {
        AppendWord(key, words[At(at)]);
        if (length < least_ || (length == 1 && step > 1)) continue;
        if (const auto gram = grams_.find(key); gram != grams_.end()) found(gram->second);
      }
    }
  }
}

Result<Facts> Infer(const NodeFacts& node) {
  Shape shape = node.shape(0);
  if (shape.empty() || shape.size() > 2)
    return Invalid("input of ", shape, " is neither [C] nor [N,C]");
  const std::string_view mode = node.attributes.String("mode", "");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") {
    return Invalid("attribute `mode` is `", mode, "`, not TF, IDF or TFIDF");
  }
  const auto indexes = node.attributes.Ints("ngram_indexes", {});
  if (indexes.empty() || *std::ranges::min_element(indexes) < 0) {
    return Invalid("attribute `ngram_indexes` is ", indexes);
  }
  const auto weights = node.attributes.Floats("weights");
  if (!weights.empty() && weights.size() != indexes.size()) {
    return Invalid(weights.size(), " weights for ", indexes.size(), " n-grams");
  }
  shape.back() = TRY(CheckedAdd(*std::ranges::max_element(indexes), 1, "the output"));
  return Facts{TensorFacts(DType::kFloat32, shape)};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Pool pool = TRY(Pool::Of(node));
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  std::ranges::fill(y.data<float>(), 0.0F);
  const std::string_view mode = node.attributes.String("mode", "");
  const auto weights = node.attributes.Floats("weights");
  const auto indexes = node.attributes.Ints("ngram_indexes", {});
  const std::vector<std::int64_t> words = pool.WordsOf(x);
  const auto columns = At(x.shape().back());
  const std::size_t rows = columns == 0 ? 0 : words.size() / columns;
  std::vector<std::int64_t> counts(indexes.size());
  for (std::size_t row = 0; row < rows; ++row) {
    std::ranges::fill(counts, 0);
    pool.Search(std::span(words).subspan(row * columns, columns),
                [&](std::size_t gram) { ++counts[gram]; });
    float* out = y.data<float>().data() + row * At(y.shape().back());
    for (std::size_t gram = 0; gram < counts.size(); ++gram) {
      if (counts[gram] == 0) continue;
      const float weight = mode == "TF" || weights.empty() ? 1.0F : weights[gram];
      out[indexes[gram]] += mode == "IDF" ? weight : weight * static_cast<float>(counts[gram]);
    }
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "tfidf", .run = Run}};
constexpr DTypeSet kWords = kStringType | kIndexTypes;

}  // namespace

OpList ops_tfidf() {
  static constexpr OpDef kOps[] = {
      {.type = "TfIdfVectorizer",
       .since = 9,
       .signature = "X:T -> Y:float",
       .types = kT<kWords>,
       .attributes = "max_gram_length!:int, max_skip_count!:int, min_gram_length!:int, "
                     "mode!:string, ngram_counts!:ints, ngram_indexes!:ints, pool_int64s:ints, "
                     "pool_strings:strings, weights:floats",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
