// SPDX-License-Identifier: Apache-2.0
// What string operators make of text that `.cases` files cannot write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/tensor.h"
#include "tests/support/op_run.h"

namespace slipway::test {
namespace {

using runtime::DType;
using runtime::Shape;
using runtime::Tensor;
using ::testing::ElementsAre;
using Strings = std::vector<std::string>;

Tensor Texts(Strings texts) {
  const auto count = static_cast<std::int64_t>(texts.size());
  return Tensor::FromVector(DType::kString, {count}, std::move(texts));
}

Strings Run0(std::string_view line, std::vector<Tensor> inputs, Shape* shape = nullptr) {
  const auto outputs = RunOpLine(line, std::move(inputs));
  EXPECT_TRUE(outputs) << outputs.error().message;
  if (!outputs) return {};
  const Tensor& tensor = *(*outputs)[0].tensor();
  if (shape != nullptr) *shape = tensor.shape();
  const auto texts = tensor.data<std::string>();
  return {texts.begin(), texts.end()};
}

TEST(StringOps, CaseIsUnicodes) {
  const Tensor words = Texts({"Straße", "ΟΔΟΣ", "ıI", "plain"});
  EXPECT_THAT(Run0("StringNormalizer opset=10 case_change_action=UPPER x=str[4]", {words}),
              ElementsAre("STRASSE", "ΟΔΟΣ", "II", "PLAIN"));
  EXPECT_THAT(Run0("StringNormalizer opset=10 case_change_action=LOWER x=str[4]", {words}),
              ElementsAre("straße", "οδος", "ıi", "plain"));
  EXPECT_THAT(
      Run0("StringNormalizer opset=10 case_change_action=LOWER locale=tr_TR x=str[4]", {words}),
      ElementsAre("straße", "οδος", "ıı", "plain"));
}

TEST(StringOps, StopWordsAreDroppedByCaseOrNot) {
  const Tensor words = Texts({"Monday", "ÄPFEL", "monday"});
  EXPECT_THAT(Run0("StringNormalizer opset=10 stopwords=monday,äpfel x=str[3]", {words}),
              ElementsAre(""));
  EXPECT_THAT(Run0("StringNormalizer opset=10 is_case_sensitive=1 stopwords=monday,äpfel x=str[3]",
                   {words}),
              ElementsAre("Monday", "ÄPFEL"));
}

TEST(StringOps, TextThatIsNotUtf8IsRefusedWhereCaseCounts) {
  const Tensor words = Texts({"\xff\xfe"});
  EXPECT_FALSE(RunOpLine("StringNormalizer opset=10 case_change_action=UPPER x=str[1]", {words}));
  EXPECT_TRUE(RunOpLine("StringNormalizer opset=10 x=str[1]", {words}));
}

TEST(StringOps, SplitsAtWhitespaceOfUnicode) {
  Shape shape;
  EXPECT_THAT(Run0("StringSplit opset=20 x=str[3]",
                   {Texts({" a\u00a0b\t\nc ", "\u3000", "\u2003x"})}, &shape),
              ElementsAre("a", "b", "c", "", "", "", "x", "", ""));
  EXPECT_EQ(shape, (Shape{3, 3}));
  EXPECT_THAT(Run0("StringSplit opset=20 maxsplit=1 x=str[1]", {Texts({" a  b  c "})}),
              ElementsAre("a", "b  c"));
}

TEST(StringOps, SplitsAtEveryDelimiter) {
  EXPECT_THAT(Run0("StringSplit opset=20 delimiter=-- x=str[2]", {Texts({"a----b", ""})}),
              ElementsAre("a", "", "b", "", "", ""));
  EXPECT_THAT(Run0("StringSplit opset=20 delimiter=, maxsplit=1 x=str[1]", {Texts({"a,b,c"})}),
              ElementsAre("a", "b,c"));
}

// The example of the operator's page, and both ways of words that are no part of the pool.
TEST(StringOps, CountsGramsThatSkip) {
  const auto outputs = RunOpLine(
      "TfIdfVectorizer opset=9 mode=TF min_gram_length=2 max_gram_length=2 max_skip_count=0 "
      "ngram_counts=0,0 ngram_indexes=1,0 pool_int64s=94,17,17,36 x=i64{94,17,36,12,28}");
  ASSERT_TRUE(outputs) << outputs.error().message;
  const auto counts = (*outputs)[0].tensor()->data<float>();
  EXPECT_THAT((std::vector<float>{counts.begin(), counts.end()}), ElementsAre(1, 1));
  const auto words = RunOpLine(
      "TfIdfVectorizer opset=9 mode=TF min_gram_length=1 max_gram_length=1 "
      "max_skip_count=0 ngram_counts=0 ngram_indexes=0,1 pool_strings=a,b x=str[4]",
      {Texts({"b", "c", "b", "a"})});
  ASSERT_TRUE(words) << words.error().message;
  const auto of_words = (*words)[0].tensor()->data<float>();
  EXPECT_THAT((std::vector<float>{of_words.begin(), of_words.end()}), ElementsAre(1, 2));
}

}  // namespace
}  // namespace slipway::test
