// SPDX-License-Identifier: Apache-2.0
// com.microsoft: Tokenizer (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Expressions are those of RE2; of the matches at a place the longest is taken.
#include <re2/re2.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

using Tokens = std::vector<std::string_view>;

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U; }

/// Bytes of the first character of text in UTF-8 that is not empty.
std::size_t CharacterBytes(std::string_view text) {
  std::size_t bytes = 1;
  while (bytes < text.size() && IsContinuation(text[bytes])) ++bytes;
  return bytes;
}

std::int64_t Characters(std::string_view text) {
  return std::ranges::count_if(text, [](char byte) { return !IsContinuation(byte); });
}

Tokens SplitCharacters(std::string_view text) {
  Tokens tokens;
  while (!text.empty()) {
    const std::size_t bytes = CharacterBytes(text);
    tokens.push_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return tokens;
}

/// The next match from `from` on that is not empty; nothing if there is none.
bool NextMatch(const RE2& expression, std::string_view text, std::size_t from,
               std::string_view& match) {
  while (from < text.size()) {
    re2::StringPiece found;
    const re2::StringPiece whole(text.data(), text.size());
    if (!expression.Match(whole, from, text.size(), RE2::UNANCHORED, &found, 1)) return false;
    const auto at = static_cast<std::size_t>(found.data() - text.data());
    if (!found.empty()) {
      match = text.substr(at, found.size());
      return true;
    }
    from = std::max(from, at);
    if (from < text.size()) from += CharacterBytes(text.substr(from));
  }
  return false;
}

/// The pieces between the matches.
void SplitBy(const RE2& separator, std::string_view text, Tokens& pieces) {
  std::size_t from = 0;
  std::string_view match;
  while (NextMatch(separator, text, from, match)) {
    const auto at = static_cast<std::size_t>(match.data() - text.data());
    if (at > from) pieces.push_back(text.substr(from, at - from));
    from = at + match.size();
  }
  if (from < text.size()) pieces.push_back(text.substr(from));
}

void FindAll(const RE2& token, std::string_view text, Tokens& tokens) {
  std::size_t from = 0;
  std::string_view match;
  while (NextMatch(token, text, from, match)) {
    tokens.push_back(match);
    from = static_cast<std::size_t>(match.data() - text.data()) + match.size();
  }
}

class Tokenizer final : public Executable {
 public:
  static Result<std::unique_ptr<Executable>> Make(const NodeFacts& node) {
    auto made = std::make_unique<Tokenizer>();
    const auto separators = node.attributes.Strings("separators");
    const std::string_view token = node.attributes.String("tokenexp", "");
    if (separators.empty() == token.empty()) {
      return Invalid("one of the attributes `separators` and `tokenexp` must be given");
    }
    made->mark_ = node.attributes.Int("mark", 0) != 0;
    made->least_ = node.attributes.Int("mincharnum", 1);
    if (made->least_ < 1) return Invalid("attribute `mincharnum` is ", made->least_);
    made->pad_ = node.attributes.String("pad_value", "");
    made->characters_ = token == "." || (separators.size() == 1 && separators.front().empty());
    if (made->characters_) return std::unique_ptr<Executable>(std::move(made));
    for (const std::string& separator : separators) {
      if (separator.empty()) return Invalid("attribute `separators` has an empty one among others");
      made->separators_.push_back(TRY(Compiled(separator)));
    }
    if (!token.empty()) made->token_ = TRY(Compiled(token));
    return std::unique_ptr<Executable>(std::move(made));
  }

  Result<void> Run(KernelContext& context) const override {
    const Tensor& x = *context.input(0);
    if (x.size() == 0) {
      TRY(context.Allocate(0, DType::kString, x.shape()));
      return {};
    }
    std::vector<Tokens> rows;
    std::int64_t width = 0;
    Pause pause;
    for (const std::string& text : x.data<std::string>()) {
      if (!IsUtf8(text)) return Invalid("a string is not UTF-8");
      if (pause.MustStop(64 * static_cast<std::int64_t>(text.size()))) return {};
      rows.push_back(TokensOf(text));
      width = std::max(width, static_cast<std::int64_t>(rows.back().size()));
    }
    if (mark_) width += 2;
    Shape shape = x.shape();
    shape.push_back(width);
    Tensor* y = TRY(context.Allocate(0, DType::kString, shape));
    std::string* out = y->data<std::string>().data();
    TextMeter meter;
    for (const Tokens& tokens : rows) {
      std::string* const end = out + width;
      if (mark_) *out++ = "\x02";
      for (const std::string_view token : tokens) *out++ = token;
      if (mark_) *out++ = "\x03";
      for (; out < end; ++out) {
        meter.Add(pad_);
        *out = pad_;
      }
    }
    return {};
  }

 private:
  static Result<std::unique_ptr<const RE2>> Compiled(std::string_view pattern) {
    RE2::Options options(RE2::Quiet);
    options.set_longest_match(true);
    auto made =
        std::make_unique<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (made->ok()) return made;
    return Invalid("`", pattern, "` is no expression of RE2: ", made->error());
  }

  Tokens TokensOf(std::string_view text) const {
    Tokens tokens;
    if (characters_) {
      tokens = SplitCharacters(text);
    } else if (token_) {
      FindAll(*token_, text, tokens);
    } else {
      tokens.assign(1, text);
      for (const auto& separator : separators_) {
        Tokens pieces;
        for (const std::string_view token : tokens) SplitBy(*separator, token, pieces);
        tokens = std::move(pieces);
      }
    }
    std::erase_if(tokens, [this](std::string_view token) {
      return token.empty() || Characters(token) < least_;
    });
    return tokens;
  }

  std::vector<std::unique_ptr<const RE2>> separators_;
  std::unique_ptr<const RE2> token_;
  std::string pad_;
  std::int64_t least_ = 1;
  bool mark_ = false, characters_ = false;
};

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  if (x.size() != 1 && x.size() != 2) return Invalid("input of ", x, " is neither [C] nor [N, C]");
  return Facts{TensorFacts(DType::kString)};
}

Result<std::unique_ptr<Executable>> Prepare(const NodeFacts& node, DeviceContext&) {
  return Tokenizer::Make(node);
}

constexpr Kernel kKernels[] = {{.name = "re2", .prepare = Prepare}};

}  // namespace

OpList ops_ms_tokenizer() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "Tokenizer",
            .domain = "com.microsoft",
            .signature = "X:T -> Y:T",
            .types = kT<kStringType>,
            .attributes = "mark!:int, mincharnum!:int, pad_value!:string, separators:strings, "
                          "tokenexp:string",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
