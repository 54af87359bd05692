// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/registry/child.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

constexpr int kRounds = 50;

struct Pipe {
  UniqueFd read, write;
};
Pipe MakePipe() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// Registers until it is killed; writes each version to `acknowledged` once it has it.
int RegisterForever(const std::filesystem::path& folder, int acknowledged, unsigned seed) {
  Store store(folder);
  if (store.registry == nullptr) return 2;
  for (std::int64_t i = 0;; ++i) {
    const std::string content = std::to_string(seed) + "/" + std::to_string(i);
    RegisterRequest request{.workspace = "w", .name = "m"};
    request.files = {store.Put("a.bin", content + "a"), store.Put("b/b.bin", content + "b")};
    request.description = content;
    request.tags = {{"seed", std::to_string(seed)}, {"i", std::to_string(i)}};
    request.properties = {{"content", content}};
    const auto model = store.registry->Register(request);
    if (!model) return 3;
    if (::write(acknowledged, &model->version, sizeof(model->version)) < 0) return 4;
    if (i % 3 == 2 && !store.registry->Delete("w", "m", model->version)) return 5;
  }
}

/// Versions as they come, until there are `count` or the writer is gone.
void ReadVersions(int fd, std::size_t count, std::vector<std::int64_t>& versions) {
  std::int64_t version = 0;
  while (versions.size() < count && ::read(fd, &version, sizeof(version)) == sizeof(version)) {
    versions.push_back(version);
  }
}

std::vector<ModelVersion> ListAll(Registry& registry) {
  std::vector<ModelVersion> models;
  ModelFilter filter{.ascending = true, .limit = 200};
  do {
    ModelPage page = Must(registry.List("w", filter));
    std::ranges::move(page.models, std::back_inserter(models));
    filter.next = page.next;
  } while (!filter.next.empty());
  return models;
}

void ExpectComplete(const Store& store, const ModelVersion& model) {
  SCOPED_TRACE(model.id);
  ASSERT_EQ(model.files.size(), 2U);
  for (const ModelFile& file : model.files) {
    Must(store.blobs->Verify(*Digest::Parse(file.digest)));
  }
  EXPECT_EQ(model.size, model.files[0].size + model.files[1].size);
  EXPECT_EQ(model.files[0].digest, Digest::OfText(model.description + "a").text());
  EXPECT_EQ(model.properties.at("content"), model.description);
  EXPECT_EQ(model.kv_tags.at("seed") + "/" + model.kv_tags.at("i"), model.description);
}

std::string CheckText(Database& database, const std::string& sql) {
  std::string text;
  Must(database.Query(sql, {}, [&](const Row& row) { text += row.Text(0); }));
  return text;
}

TEST(Crash, KilledAtAnyMomentEverythingFinishedIsWhole) {
  slipway::testing::TempDir folder;
  const unsigned base = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(base));
  std::mt19937 random(base);
  std::uniform_int_distribution<std::size_t> after_versions(1, 6);
  std::uniform_int_distribution<int> after_us(0, 10'000);
  std::int64_t highest = 0;
  std::size_t checked = 0;
  for (int round = 0; round < kRounds; ++round) {
    Pipe pipe = MakePipe();
    const pid_t pid = Fork([&] {
      return RegisterForever(folder.path(), pipe.write.get(), base + static_cast<unsigned>(round));
    });
    pipe.write = UniqueFd();
    std::vector<std::int64_t> acknowledged;
    if (round % 5 != 0) ReadVersions(pipe.read.get(), after_versions(random), acknowledged);
    ::usleep(static_cast<useconds_t>(after_us(random)));
    ::kill(pid, SIGKILL);
    ASSERT_EQ(Wait(pid), 128 + SIGKILL);
    ReadVersions(pipe.read.get(), SIZE_MAX, acknowledged);

    Store store(folder.path());
    ASSERT_NE(store.registry, nullptr);
    EXPECT_EQ(CheckText(*store.database, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(CheckText(*store.database, "PRAGMA foreign_key_check"), "");
    EXPECT_TRUE(std::filesystem::is_empty(folder / "blobs" / "tmp"));
    std::vector<std::int64_t> listed;
    for (const ModelVersion& model : ListAll(*store.registry)) {
      listed.push_back(model.version);
      if (model.version > highest) {
        ExpectComplete(store, model);
        ++checked;
      }
    }
    EXPECT_EQ(std::ranges::adjacent_find(listed, std::ranges::greater_equal{}), listed.end());
    for (std::size_t i = 0; i < acknowledged.size(); ++i) {
      EXPECT_GT(acknowledged[i], highest);
      highest = acknowledged[i];
      const bool listed_now = std::ranges::binary_search(listed, highest);
      const bool last = i + 1 == acknowledged.size();
      if (i % 3 == 2) {
        EXPECT_TRUE(last || !listed_now) << highest;
      } else {
        EXPECT_TRUE(listed_now) << highest;
      }
    }
    if (!listed.empty()) highest = std::max(highest, listed.back());
    const ModelVersion next = Must(store.registry->Register(store.Request("m", "after")));
    EXPECT_GT(next.version, highest);
    highest = next.version;
    Must(store.registry->Delete("w", "m", next.version));
  }
  EXPECT_GT(checked, static_cast<std::size_t>(kRounds));
}

TEST(Crash, TwoProcessesShareOneFile) {
  slipway::testing::TempDir folder;
  constexpr int kEach = 40;
  Store store(folder.path());
  ASSERT_NE(store.registry, nullptr);
  std::vector<pid_t> children;
  for (int child = 0; child < 3; ++child) {
    children.push_back(Fork([&] {
      Store mine(folder.path());
      for (int i = 0; i < kEach; ++i) Must(mine.registry->Register(mine.Request("m", "x")));
      return 0;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(Wait(child), 0);
  EXPECT_EQ(Must(store.registry->Get("w", "m", 0)).version, 3 * kEach);
  EXPECT_EQ(CheckText(*store.database, "SELECT count(*) FROM models"), std::to_string(3 * kEach));
}

}  // namespace
}  // namespace slipway::registry::testing
