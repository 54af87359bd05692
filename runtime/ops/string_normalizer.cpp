// SPDX-License-Identifier: Apache-2.0
// StringNormalizer (opset 10).
// Spec: https://onnx.ai/onnx/operators/onnx__StringNormalizer.html
// Case is Unicode's full mapping; of `locale` the language counts, as in Turkish.
#include <unicase.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/text.h"
#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

using CaseMapping = std::uint8_t* (*)(const std::uint8_t*, std::size_t, const char*, uninorm_t,
                                      std::uint8_t*, std::size_t*);

Result<std::string> Mapped(const std::string& text, CaseMapping mapping,
                           const std::string& language) {
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };
  if (mapping == nullptr || text.empty()) return text;
  if (!IsUtf8(text)) return Invalid("a string is not UTF-8");
  std::size_t size = 0;
  const std::unique_ptr<std::uint8_t, Free> made(
      mapping(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
              language.empty() ? nullptr : language.c_str(), nullptr, nullptr, &size));
  if (made != nullptr) return std::string(reinterpret_cast<const char*>(made.get()), size);
  return Error{.code = Code::kResourceExhausted,
               .message = "no memory to map the case of a string"};
}

struct Normalization {
  CaseMapping action = nullptr;
  bool case_sensitive = false;
  std::string language;
};

Result<Normalization> NormalizationOf(const NodeFacts& node) {
  Normalization made;
  const std::string_view action = node.attributes.String("case_change_action", "NONE");
  if (action == "LOWER") {
    made.action = u8_tolower;
  } else if (action == "UPPER") {
    made.action = u8_toupper;
  } else if (action != "NONE") {
    return Invalid("attribute `case_change_action` is `", action, "`, not LOWER, UPPER or NONE");
  }
  made.case_sensitive = node.attributes.Int("is_case_sensitive", 0) != 0;
  const std::string_view locale = node.attributes.String("locale", "");
  made.language = locale.substr(0, locale.find_first_of("_-.@"));
  return made;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& shape = node.shape(0);
  if (shape.size() != 1 && !(shape.size() == 2 && shape[0] == 1)) {
    return Invalid("input of ", shape, " is neither [C] nor [1,C]");
  }
  TRY(NormalizationOf(node));
  return Facts{TensorFacts(DType::kString)};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Normalization how = TRY(NormalizationOf(node));
  const CaseMapping compared = how.case_sensitive ? nullptr : u8_tolower;
  std::unordered_set<std::string> stop;
  for (const std::string& word : node.attributes.Strings("stopwords")) {
    stop.insert(TRY(Mapped(word, compared, how.language)));
  }
  std::vector<std::string> kept;
  Pause pause;
  for (const std::string& text : context.input(0)->data<std::string>()) {
    if (pause.MustStop(64 + 64 * static_cast<std::int64_t>(text.size()))) return {};
    if (!stop.empty() && stop.contains(TRY(Mapped(text, compared, how.language)))) continue;
    kept.push_back(TRY(Mapped(text, how.action, how.language)));
  }
  if (kept.empty()) kept.emplace_back();
  Shape shape = context.input(0)->shape();
  shape.back() = static_cast<std::int64_t>(kept.size());
  Tensor* out = TRY(context.Allocate(0, DType::kString, shape));
  std::ranges::move(kept, out->data<std::string>().begin());
  return {};
}

constexpr Kernel kKernels[] = {{.name = "string_normalizer", .run = Run}};

}  // namespace

OpList ops_string_normalizer() {
  static constexpr OpDef kOps[] = {
      {.type = "StringNormalizer",
       .since = 10,
       .signature = "X:string -> Y:string",
       .attributes = "case_change_action:string=NONE, is_case_sensitive:int=0, locale:string, "
                     "stopwords:strings",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
