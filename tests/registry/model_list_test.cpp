// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ListTest : public RegistryTest {
 protected:
  void Add(const std::string& name, std::map<std::string, std::string> tags = {},
           std::map<std::string, std::string> properties = {}) {
    RegisterRequest request = store_.Request(name, "content");
    request.tags = std::move(tags);
    request.properties = std::move(properties);
    Must(registry_.Register(request));
  }
  std::vector<std::string> Ids(const ModelFilter& filter) {
    std::vector<std::string> ids;
    for (const ModelVersion& model : Must(registry_.List("w", filter)).models) {
      ids.push_back(model.id);
    }
    return ids;
  }
  std::vector<std::string> AllPages(ModelFilter filter, int* pages = nullptr) {
    std::vector<std::string> ids;
    do {
      const ModelPage page = Must(registry_.List("w", filter));
      for (const ModelVersion& model : page.models) ids.push_back(model.id);
      filter.next = page.next;
      if (pages != nullptr) ++*pages;
    } while (!filter.next.empty() && ids.size() < 10'000);
    return ids;
  }
};

TEST_F(ListTest, NewestFirstUnlessAsked) {
  Add("a");
  Add("b");
  Add("a");
  EXPECT_THAT(Ids({}), ElementsAre("a:2", "b:1", "a:1"));
  EXPECT_THAT(Ids({.ascending = true}), ElementsAre("a:1", "b:1", "a:2"));
  EXPECT_THAT(Ids({.name = "a"}), ElementsAre("a:2", "a:1"));
  EXPECT_THAT(Ids({.name = "missing"}), IsEmpty());
  EXPECT_TRUE(Must(registry_.List("other", {})).models.empty());
}

TEST_F(ListTest, FiltersAreAllRequired) {
  Add("a", {{"onnx", ""}, {"area", "vision"}}, {{"p", "1"}});
  Add("b", {{"onnx", "yes"}, {"area", "text"}}, {{"p", "1"}, {"q", ""}});
  Add("c", {{"area", "vision"}});
  EXPECT_THAT(Ids({.tags = {{"onnx", {}}}}), ElementsAre("b:1", "a:1"));
  EXPECT_THAT(Ids({.tags = {{"onnx", ""}}}), ElementsAre("a:1"));
  EXPECT_THAT(Ids({.tags = {{"area", "vision"}}}), ElementsAre("c:1", "a:1"));
  EXPECT_THAT(Ids({.tags = {{"area", "vision"}, {"onnx", {}}}}), ElementsAre("a:1"));
  EXPECT_THAT(Ids({.tags = {{"area", "vision"}, {"area", "text"}}}), IsEmpty());
  EXPECT_THAT(Ids({.tags = {{"area", {}}}, .properties = {{"p", "1"}}}), ElementsAre("b:1", "a:1"));
  EXPECT_THAT(Ids({.properties = {{"q", {}}, {"p", "1"}}}), ElementsAre("b:1"));
  EXPECT_THAT(Ids({.tags = {{"x' OR 1=1 --", {}}}}), IsEmpty());
}

TEST_F(ListTest, LatestIsTheNewestOfEachNameBeforeTheFilters) {
  Add("a", {{"good", ""}});
  Add("b");
  Add("a");
  EXPECT_THAT(Ids({.latest = true}), ElementsAre("a:2", "b:1"));
  EXPECT_THAT(Ids({.tags = {{"good", {}}}, .latest = true}), IsEmpty());
  Must(registry_.Delete("w", "a", 2));
  EXPECT_THAT(Ids({.tags = {{"good", {}}}, .latest = true}), ElementsAre("a:1"));
}

TEST_F(ListTest, PagesGiveEachOnceInOrder) {
  for (int i = 0; i < 10; ++i) Add("m");
  for (const bool ascending : {false, true}) {
    const auto all = Ids({.ascending = ascending});
    for (const std::int64_t limit : {1, 3, 5, 9, 10, 11}) {
      int pages = 0;
      EXPECT_EQ(AllPages({.ascending = ascending, .limit = limit}, &pages), all);
      EXPECT_EQ(pages, (10 + limit - 1) / limit);
    }
  }
}

TEST_F(ListTest, PagesAreStableUnderChange) {
  for (int i = 0; i < 6; ++i) Add("m");
  const ModelPage first = Must(registry_.List("w", {.limit = 3}));
  ASSERT_EQ(first.models.back().version, 4);
  Add("m");
  Must(registry_.Delete("w", "m", 4));
  Must(registry_.Delete("w", "m", 2));
  EXPECT_THAT(Ids({.limit = 3, .next = first.next}), ElementsAre("m:3", "m:1"));
}

TEST_F(ListTest, PagesOfBigModelsEndEarly) {
  RegisterRequest request{.workspace = "w", .name = "big"};
  const ModelFile file = store_.Put("", "x");
  for (int i = 0; i < limits::kModelFiles * 2 / 3; ++i) {
    request.files.push_back(file);
    request.files.back().path = std::to_string(i);
  }
  for (int i = 0; i < 5; ++i) Must(registry_.Register(request));
  int pages = 0;
  EXPECT_THAT(AllPages({}, &pages), ElementsAre("big:5", "big:4", "big:3", "big:2", "big:1"));
  EXPECT_EQ(pages, 3);
}

TEST_F(ListTest, RefusesATokenOfAnotherList) {
  for (int i = 0; i < 3; ++i) Add("m");
  const std::string next = Must(registry_.List("w", {.limit = 1})).next;
  const auto refused = FailsWith(Code::kInvalidArgument, "Request.Invalid");
  EXPECT_THAT(registry_.List("w", {.ascending = true, .next = next}), refused);
  EXPECT_THAT(registry_.List("v", {.next = next}), refused);
  EXPECT_THAT(registry_.List("w", {.name = "m", .next = next}), refused);
  EXPECT_THAT(registry_.List("w", {.tags = {{"a", {}}}, .next = next}), refused);
  EXPECT_THAT(registry_.List("w", {.latest = true, .next = next}), refused);
  EXPECT_TRUE(registry_.List("w", {.limit = 2, .next = next}));
}

TEST_F(ListTest, RefusesAMadeUpToken) {
  for (int i = 0; i < 3; ++i) Add("m");
  const std::string next = Must(registry_.List("w", {.limit = 1})).next;
  const std::string text = Must(DecodeBase64(next));
  const std::string prefix = text.substr(0, text.find(':') + 1);
  const auto encode = [](const std::string& s) {
    return EncodeBase64(std::as_bytes(std::span(s)));
  };
  ASSERT_EQ(encode(text), next);
  std::vector<std::string> tokens = {"x", "????", "Mg==", next.substr(1), next + next};
  for (const char* key : {"", "0", "-1", "1x", " 1", "99999999999999999999", "1;--"}) {
    tokens.push_back(encode(prefix + key));
  }
  for (const std::string& token : tokens) {
    EXPECT_THAT(registry_.List("w", {.next = token}),
                FailsWith(Code::kInvalidArgument, "Request.Invalid"))
        << token;
  }
}

TEST_F(ListTest, LimitsAreBounded) {
  Add("m");
  EXPECT_FALSE(registry_.List("w", {.limit = 0}));
  EXPECT_FALSE(registry_.List("w", {.limit = -1}));
  EXPECT_TRUE(registry_.List("w", {.limit = std::numeric_limits<std::int64_t>::max()}));
  ModelFilter many;
  for (int i = 0; i < limits::kTags; ++i) many.tags.push_back({"t", "v"});
  EXPECT_TRUE(registry_.List("w", many));
  many.properties.push_back({"p", {}});
  EXPECT_THAT(registry_.List("w", many), FailsWith(Code::kInvalidArgument, "Request.Invalid"));
}

}  // namespace
}  // namespace slipway::registry::testing
