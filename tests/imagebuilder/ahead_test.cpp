// SPDX-License-Identifier: Apache-2.0
/// Work that several builds need at once, and work that is done before any of them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/turns.h"
#include "tests/support/image_fixture.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::BlobFixture;

TEST(Turns, OneAtATimeHoldsAKey) {
  Turns turns;
  int inside = 0, most = 0, done = 0;
  std::mutex mutex;  // guards all three
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 50; ++k) {
          const auto turn = turns.Take("key", {});
          ASSERT_TRUE(turn);
          {
            const std::lock_guard lock(mutex);
            most = std::max(most, ++inside);
          }
          std::this_thread::yield();
          const std::lock_guard lock(mutex);
          --inside;
          ++done;
        }
      });
    }
  }
  EXPECT_EQ(most, 1);
  EXPECT_EQ(done, 400);
}

TEST(Turns, OtherKeysDoNotWait) {
  Turns turns;
  const auto one = turns.Take("one", {});
  const auto two = turns.Take("two", [] { return true; });
  EXPECT_TRUE(one && two);
}

TEST(Turns, WhoDoesNotWaitGetsAKeyOnlyWhereItIsFree) {
  Turns turns;
  {
    const auto held = turns.TryTake("key");
    ASSERT_TRUE(held);
    EXPECT_FALSE(turns.TryTake("key"));
    EXPECT_TRUE(turns.TryTake("other"));
  }
  EXPECT_TRUE(turns.Take("key", [] { return true; }));
}

TEST(Turns, AWaiterCanGiveUp) {
  Turns turns;
  const auto held = turns.Take("key", {});
  ASSERT_TRUE(held);
  std::atomic<bool> cancelled = false;
  std::jthread later([&] {
    std::this_thread::sleep_for(milliseconds(30));
    cancelled = true;
  });
  const auto refused = turns.Take("key", [&] { return cancelled.load(); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Image.Cancelled");
}

BuildSpec MakeSpec(const BlobFixture& place) {
  const std::string text(300'000, 'w');
  return {.models = {{.name = "m",
                      .version = 1,
                      .main_file = "m.onnx",
                      .files = {{.path = "m.onnx", .source = place.Write("m.onnx", text)}}}},
          .server_program = "/bin/cat"};
}

/// How often each layer was packed, over several builds.
class Packings {
 public:
  void Note(std::string_view phase) {
    const std::size_t at = phase.find(": packing");
    if (at == std::string_view::npos) return;
    const std::lock_guard lock(mutex_);
    ++counts_[std::string(phase.substr(0, at))];
  }
  std::map<std::string, int> counts() {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  std::mutex mutex_;  // guards counts_
  std::map<std::string, int> counts_;
};

TEST(Builds, AtTheSameTimePackEachLayerOnce) {
  BlobFixture place;
  const BuildSpec spec = MakeSpec(place);
  const auto cache = MakeMemoryLayerCache();
  Packings packings;
  std::vector<std::string> digests(6);
  {
    std::vector<std::jthread> threads;
    for (std::string& digest : digests) {
      threads.emplace_back([&] {
        BuildContext context{.blobs = place.blobs(),
                             .cache = *cache,
                             .progress = [&](std::string_view line) { packings.Note(line); }};
        const auto image = Build(spec, context);
        digest = image ? image->manifest.digest : image.error().message;
      });
    }
  }
  for (const std::string& digest : digests) EXPECT_EQ(digest, digests.front());
  EXPECT_GE(packings.counts().size(), 3U);
  for (const auto& [layer, count] : packings.counts()) EXPECT_EQ(count, 1) << layer;
}

TEST(Builds, OneThatWaitsForAnotherCanBeCancelled) {
  BlobFixture place;
  const BuildSpec spec = MakeSpec(place);
  const auto cache = MakeMemoryLayerCache();
  BuildContext plan_context{.blobs = place.blobs(), .cache = *cache};
  const auto plan = Plan(spec, plan_context);
  ASSERT_TRUE(plan);
  const auto held = cache->turns().Take(plan->layers.front().key, {});
  ASSERT_TRUE(held);
  std::atomic<bool> cancelled = false;
  std::jthread later([&] {
    std::this_thread::sleep_for(milliseconds(50));
    cancelled = true;
  });
  BuildContext context{
      .blobs = place.blobs(), .cache = *cache, .cancelled = [&] { return cancelled.load(); }};
  const auto image = Build(spec, context);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().id, "Image.Cancelled");
}

class Ahead : public ::testing::Test {
 protected:
  Result<std::vector<Layer>> Pack(std::function<bool()> cancelled = {},
                                  std::function<void(std::string_view)> progress = {}) {
    BuildContext context{.blobs = place_.blobs(),
                         .cache = *cache_,
                         .progress = std::move(progress),
                         .cancelled = std::move(cancelled)};
    return PackAhead({.models = {}, .server_program = "/bin/cat"}, context,
                     {.shared = place_ / "shared", .scratch = place_ / "scratch"});
  }
  static std::int64_t Entries(const fs::path& folder) {
    std::error_code failed;
    std::int64_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
      if (entry.path().filename() != ".lock") ++count;
    }
    return count;
  }
  BlobFixture place_;
  std::unique_ptr<LayerCache> cache_ = MakeMemoryLayerCache();
};

ino_t InodeOf(const fs::path& path) {
  struct stat facts {};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
  return facts.st_ino;
}

TEST_F(Ahead, TheFirstImageFindsTheLayerPackedAndUnpacked) {
  const auto layers = Pack();
  ASSERT_TRUE(layers) << layers.error().message;
  ASSERT_EQ(layers->size(), 1U);
  EXPECT_EQ(layers->front().name, "server");
  EXPECT_EQ(Entries(place_ / "scratch"), 0);
  ASSERT_EQ(Entries(place_ / "shared"), 1);
  const fs::path tree =
      place_ / "shared" / std::string(Digest::Parse(layers->front().diff_id)->hex()) / "tree";
  const ino_t made_ahead = InodeOf(tree / "opt/slipway/bin/slipway-serve");

  Packings packings;
  BuildContext context{.blobs = place_.blobs(),
                       .cache = *cache_,
                       .progress = [&](std::string_view line) { packings.Note(line); }};
  const auto image = Build(MakeSpec(place_), context);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_FALSE(packings.counts().contains("layer server"));
  EXPECT_EQ(image->layers.front(), layers->front());
  const auto rootfs = Unpack(place_.blobs(), *image, place_ / "bundle", place_ / "shared");
  ASSERT_TRUE(rootfs) << rootfs.error().message;
  EXPECT_EQ(InodeOf(*rootfs / "opt/slipway/bin/slipway-serve"), made_ahead);
}

/// The tree that grows beside the archive is the one that the archive gives.
TEST_F(Ahead, TheTreeIsTheOneThatUnpackingGives) {
  const auto layers = Pack();
  ASSERT_TRUE(layers) << layers.error().message;
  const std::string name(Digest::Parse(layers->front().diff_id)->hex());
  const fs::path ahead = place_ / "shared" / name / "tree";
  BuildContext context{.blobs = place_.blobs(), .cache = *cache_};
  const auto image = Build(MakeSpec(place_), context);
  ASSERT_TRUE(image) << image.error().message;
  ASSERT_TRUE(Unpack(place_.blobs(), *image, place_ / "bundle", place_ / "other"));
  const fs::path unpacked = place_ / "other" / name / "tree";
  std::int64_t compared = 0;
  for (const auto& entry : fs::recursive_directory_iterator(unpacked)) {
    const fs::path twin = ahead / entry.path().lexically_relative(unpacked);
    ASSERT_TRUE(fs::exists(fs::symlink_status(twin))) << twin;
    EXPECT_EQ(fs::symlink_status(twin).permissions(), entry.symlink_status().permissions()) << twin;
    if (entry.is_symlink()) {
      EXPECT_EQ(fs::read_symlink(twin), fs::read_symlink(entry.path())) << twin;
    } else if (entry.is_regular_file()) {
      EXPECT_EQ(testing::Slurp(twin), testing::Slurp(entry.path())) << twin;
    }
    ++compared;
  }
  EXPECT_GT(compared, 5);
}

TEST_F(Ahead, AgainIsNoWork) {
  ASSERT_TRUE(Pack());
  const std::int64_t stored = place_.FilesStored();
  ASSERT_TRUE(Pack());
  EXPECT_EQ(place_.FilesStored(), stored);
  EXPECT_EQ(Entries(place_ / "shared"), 1);
}

TEST_F(Ahead, ATreeThatIsGoneIsMadeAgain) {
  ASSERT_TRUE(Pack());
  fs::remove_all(place_ / "shared");
  ASSERT_TRUE(Pack());
  EXPECT_EQ(Entries(place_ / "shared"), 1);
}

/// The build packs what else it needs, and waits for the packing that is under way.
TEST_F(Ahead, ABuildThatComesMeanwhileDoesNotRepeatThePacking) {
  Packings packings;
  std::promise<void> begun, others_stored;
  std::future<void> others_are_stored = others_stored.get_future();
  std::atomic<bool> waited = false;
  auto ahead = std::async(std::launch::async, [&] {
    return Pack({}, [&](std::string_view line) {
      packings.Note(line);
      if (!line.starts_with("layer server: packing")) return;
      begun.set_value();
      waited = others_are_stored.wait_for(std::chrono::minutes(1)) == std::future_status::ready;
    });
  });
  begun.get_future().wait();
  BuildContext context{
      .blobs = place_.blobs(), .cache = *cache_, .progress = [&](std::string_view line) {
        packings.Note(line);
        if (line.starts_with("layer config: stored")) others_stored.set_value();
      }};
  const auto image = Build(MakeSpec(place_), context);
  const auto layers = ahead.get();
  ASSERT_TRUE(layers) << layers.error().message;
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_TRUE(waited) << "the other layers were packed while the server's was";
  EXPECT_EQ(image->layers.front(), layers->front());
  EXPECT_GE(packings.counts().size(), 3U);
  for (const auto& [layer, count] : packings.counts()) EXPECT_EQ(count, 1) << layer;
}

TEST_F(Ahead, KilledInTheMiddleLeavesNothingHalf) {
  const pid_t child = ::fork();
  if (child == 0) {
    int polls = 0;
    const auto refused = Pack([&] {
      if (place_.FilesStored() > 0 && ++polls == 4) ::kill(::getpid(), SIGKILL);
      return false;
    });
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(Entries(place_ / "shared"), 0);
  ASSERT_TRUE(BlobStore::Open(place_ / "blobs"));
  EXPECT_EQ(place_.FilesStored(), 0);

  const auto layers = Pack();
  ASSERT_TRUE(layers) << layers.error().message;
  EXPECT_TRUE(place_.blobs().Verify(*Digest::Parse(layers->front().blob.digest)));
  EXPECT_EQ(Entries(place_ / "shared"), 1);
}

TEST_F(Ahead, CancelledLeavesNothing) {
  const auto refused = Pack([&] { return place_.FilesStored() > 0; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Image.Cancelled");
  EXPECT_EQ(place_.FilesStored(), 0);
  EXPECT_EQ(Entries(place_ / "scratch"), 0);
  EXPECT_EQ(Entries(place_ / "shared"), 0);
}

/// The layer does not depend on the tree: where none can be made, there is none.
TEST_F(Ahead, ATreeThatCannotBeMadeIsLeftOut) {
  place_.Write("scratch", "a file where the folder should be");
  const auto layers = Pack();
  ASSERT_TRUE(layers) << layers.error().message;
  EXPECT_EQ(Entries(place_ / "shared"), 1) << "made from the stored layer instead";
}

}  // namespace
}  // namespace slipway::imagebuilder
