// SPDX-License-Identifier: Apache-2.0
#include <thread>
#include <vector>

#include "base/limits.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using TextMap = std::map<std::string, std::string>;

class UpdateTest : public RegistryTest {
 protected:
  void SetUp() override {
    RegisterRequest request = store_.Request("m", "content");
    request.tags = {{"a", "1"}, {"z", "2"}};
    request.properties = {{"p", "1"}};
    first_ = Must(registry_.Register(request));
  }
  Result<ModelVersion> Update(const ModelUpdate& update) {
    return registry_.Update("w", "m", 1, update);
  }

  ModelVersion first_;
};

TEST_F(UpdateTest, ChangesWhatIsNamedAndNothingElse) {
  const ModelVersion model = Must(Update({.description = "new"}));
  EXPECT_EQ(model.description, "new");
  EXPECT_EQ(model.kv_tags, first_.kv_tags);
  EXPECT_EQ(model.properties, first_.properties);
  EXPECT_EQ(model.created_time, first_.created_time);
  EXPECT_GT(model.updated_time, first_.updated_time);
  EXPECT_NE(model.etag, first_.etag);
  EXPECT_EQ(Must(registry_.Get("w", "m", 1)).etag, model.etag);
}

TEST_F(UpdateTest, ReplacesThenRemovesThenAddsTags) {
  EXPECT_THAT(Must(Update({.add_tags = {{"m", ""}}})).tags, ElementsAre("a", "z", "m"));
  EXPECT_THAT(Must(Update({.add_tags = {{"a", "9"}}})).tags, ElementsAre("a", "z", "m"));
  EXPECT_THAT(Must(Update({.remove_tags = {"z", "unknown"}})).tags, ElementsAre("a", "m"));
  EXPECT_THAT(Must(Update({.add_tags = {{"a", "1"}}, .remove_tags = {"a"}})).tags,
              ElementsAre("m", "a"));
  const ModelVersion model = Must(Update(
      {.tags = TextMap{{"x", ""}, {"y", "2"}}, .add_tags = {{"b", ""}}, .remove_tags = {"x"}}));
  EXPECT_THAT(model.tags, ElementsAre("y", "b"));
  EXPECT_EQ(model.kv_tags, (TextMap{{"y", "2"}, {"b", ""}}));
  EXPECT_TRUE(Must(Update({.tags = TextMap{}})).tags.empty());
}

TEST_F(UpdateTest, PropertiesAreAddedNeverChanged) {
  EXPECT_EQ(Must(Update({.add_properties = {{"q", "2"}}})).properties,
            (TextMap{{"p", "1"}, {"q", "2"}}));
  EXPECT_TRUE(Update({.add_properties = {{"p", "1"}}}));
  const auto changed = Update({.description = "never", .add_properties = {{"p", "2"}}});
  EXPECT_THAT(changed, FailsWith(Code::kFailedPrecondition, "Model.PropertyFixed"));
  EXPECT_THAT(changed.error().message, HasSubstr("\"p\""));
  EXPECT_EQ(Must(registry_.Get("w", "m", 1)).description, "");
}

TEST_F(UpdateTest, WhatChangesNothingLeavesTheEtag) {
  for (const ModelUpdate& update :
       {ModelUpdate{}, ModelUpdate{.description = ""}, ModelUpdate{.tags = first_.kv_tags},
        ModelUpdate{.add_tags = {{"a", "1"}}}, ModelUpdate{.remove_tags = {"unknown"}},
        ModelUpdate{.add_properties = {{"p", "1"}}}}) {
    const ModelVersion model = Must(Update(update));
    EXPECT_EQ(model.etag, first_.etag);
    EXPECT_EQ(model.updated_time, first_.updated_time);
  }
}

TEST_F(UpdateTest, EtagGuards) {
  const ModelVersion second = Must(Update({.description = "2", .if_match = first_.etag}));
  EXPECT_THAT(Update({.description = "3", .if_match = first_.etag}),
              FailsWith(Code::kFailedPrecondition, "Etag.Mismatch"));
  EXPECT_EQ(Must(Update({.description = "3", .if_match = second.etag})).description, "3");
}

TEST_F(UpdateTest, EtagLetsOneOfManyWin) {
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      if (Update({.description = std::to_string(i), .if_match = first_.etag})) ++won;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST_F(UpdateTest, VersionZeroIsTheNewest) {
  Register("m");
  EXPECT_EQ(Must(registry_.Update("w", "m", 0, {.description = "new"})).version, 2);
  EXPECT_EQ(Must(registry_.Get("w", "m", 1)).description, "");
}

TEST_F(UpdateTest, RefusesWhatRegisterRefuses) {
  EXPECT_THAT(registry_.Update("w", "m", 9, {}), FailsWith(Code::kNotFound, "Model.NotFound"));
  EXPECT_THAT(Update({.description = std::string("\0", 1)}),
              FailsWith(Code::kInvalidArgument, "Model.Field"));
  ModelUpdate many;
  for (int i = 0; i < limits::kTags - 2; ++i) many.add_tags[std::to_string(i)] = "";
  EXPECT_TRUE(Update(many));
  EXPECT_THAT(Update({.add_tags = {{"one more", ""}}}),
              FailsWith(Code::kInvalidArgument, "Model.Field"));
  EXPECT_EQ(Must(registry_.Get("w", "m", 1)).tags.size(), static_cast<std::size_t>(limits::kTags));
}

class AliasTest : public RegistryTest {
 protected:
  void SetUp() override {
    for (int i = 0; i < 3; ++i) Register("m");
  }
  Result<void> Move(std::int64_t version, std::int64_t expected) {
    return registry_.SetAlias("w", "m", "production", version, expected);
  }
  Result<std::int64_t> Where() { return registry_.GetAlias("w", "m", "production"); }
};

TEST_F(AliasTest, MovesByCompareAndSwap) {
  EXPECT_THAT(Where(), FailsWith(Code::kNotFound, "Alias.NotFound"));
  EXPECT_THAT(Move(1, 2), FailsWith(Code::kFailedPrecondition, "Alias.Moved"));
  Must(Move(1, 0));
  EXPECT_EQ(Must(Where()), 1);
  const auto late = Move(2, 0);
  EXPECT_THAT(late, FailsWith(Code::kFailedPrecondition, "Alias.Moved"));
  EXPECT_THAT(late.error().message, HasSubstr("at version 1, not 0"));
  Must(Move(2, 1));
  EXPECT_EQ(Must(Where()), 2);
  Must(Move(0, 2));
  EXPECT_FALSE(Where());
}

TEST_F(AliasTest, OneOfManyWins) {
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      if (Move(1 + i % 3, 0)) ++won;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST_F(AliasTest, NeedsAVersionThatExists) {
  EXPECT_THAT(Move(9, 0), FailsWith(Code::kNotFound, "Model.NotFound"));
  EXPECT_THAT(registry_.SetAlias("w", "other", "production", 1, 0),
              FailsWith(Code::kNotFound, "Model.NotFound"));
  EXPECT_THAT(registry_.SetAlias("w", "m", "latest", 1, 0),
              FailsWith(Code::kInvalidArgument, "Name.Invalid"));
}

TEST_F(AliasTest, KeepsItsVersionFromDeletion) {
  Must(Move(2, 0));
  const auto deleted = registry_.Delete("w", "m", 2);
  EXPECT_THAT(deleted, FailsWith(Code::kFailedPrecondition, "Model.InUse"));
  EXPECT_THAT(deleted.error().message, HasSubstr("production"));
  Must(registry_.Delete("w", "m", 1));
  Must(Move(3, 2));
  Must(registry_.Delete("w", "m", 2));
}

}  // namespace
}  // namespace slipway::registry::testing
