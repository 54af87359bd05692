// SPDX-License-Identifier: Apache-2.0
#include "base/blob_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/tempdir.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::size_t FilesIn(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    count += entry.is_regular_file() ? 1 : 0;
  }
  return count;
}

void MakeOlder(const fs::path& path, int seconds) {
  struct timespec times[2];
  ::clock_gettime(CLOCK_REALTIME, &times[0]);
  times[0].tv_sec -= seconds;
  times[1] = times[0];
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

class BlobStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = BlobStore::Open(folder_ / "blobs");
    ASSERT_TRUE(opened);
    store_ = *std::move(opened);
  }
  fs::path root() const { return folder_ / "blobs"; }
  void Damage(const Digest& digest, std::string_view content) {
    const fs::path path = *store_->Path(digest);
    fs::remove(path);
    ASSERT_TRUE(WriteFileAtomic(path, content));
  }
  testing::TempDir folder_;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, PutAndRead) {
  const auto stored = store_->PutText("hello");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->digest, Digest::OfText("hello"));
  EXPECT_EQ(stored->size, 5);
  EXPECT_TRUE(store_->Has(stored->digest));
  EXPECT_EQ(*store_->Size(stored->digest), 5);
  EXPECT_EQ(*store_->ReadVerified(stored->digest, 5), "hello");
  EXPECT_TRUE(store_->Verify(stored->digest));
  const std::string hex(stored->digest.hex());
  EXPECT_EQ(*store_->Path(stored->digest), root() / "sha256" / hex.substr(0, 2) / hex.substr(2));
  EXPECT_EQ(store_->ReadVerified(stored->digest, 4).error().code, Code::kResourceExhausted);
}

TEST_F(BlobStoreTest, TheEmptyBlobIsABlob) {
  const auto stored = store_->PutBytes({});
  ASSERT_TRUE(stored);
  EXPECT_EQ(*store_->ReadVerified(stored->digest, 0), "");
}

TEST_F(BlobStoreTest, AbsentBlobsAreNotFound) {
  const Digest digest = Digest::OfText("absent");
  EXPECT_FALSE(store_->Has(digest));
  EXPECT_EQ(store_->Size(digest).error().id, "Blob.NotFound");
  EXPECT_EQ(store_->Path(digest).error().code, Code::kNotFound);
  EXPECT_EQ(store_->ReadVerified(digest, 10).error().code, Code::kNotFound);
  EXPECT_EQ(store_->Verify(digest).error().id, "Blob.NotFound");
}

TEST_F(BlobStoreTest, TheSameContentIsStoredOnce) {
  ASSERT_TRUE(store_->PutText("same"));
  ASSERT_TRUE(store_->PutText("same"));
  EXPECT_EQ(FilesIn(root()), 1);
}

TEST_F(BlobStoreTest, PutFileTakesLargeFiles) {
  const std::string content(3'000'001, 'm');
  ASSERT_TRUE(WriteFileAtomic(folder_ / "model", content));
  const auto stored = store_->PutFile(folder_ / "model");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->digest, Digest::OfText(content));
  EXPECT_EQ(store_->PutFile(folder_ / "none").error().code, Code::kNotFound);
  EXPECT_FALSE(store_->PutFile(folder_.path()));
  EXPECT_EQ(FilesIn(root()), 1);
}

TEST_F(BlobStoreTest, AWriterDroppedLeavesNothing) {
  {
    auto writer = store_->NewWriter();
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->Write(Bytes("part")));
    EXPECT_EQ(FilesIn(root()), 1);
  }
  EXPECT_EQ(FilesIn(root()), 0);
  EXPECT_FALSE(store_->Has(Digest::OfText("part")));
}

TEST_F(BlobStoreTest, AWrongDigestIsRefused) {
  auto writer = store_->NewWriter(Digest::OfText("right"));
  ASSERT_TRUE((*writer)->Write(Bytes("wrong")));
  const auto stored = (*writer)->Commit();
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Code::kDataLoss);
  EXPECT_EQ(stored.error().id, "Blob.DigestMismatch");
  EXPECT_FALSE((*writer)->Commit());
  EXPECT_FALSE((*writer)->Write(Bytes("x")));
  writer->reset();
  EXPECT_EQ(FilesIn(root()), 0);
  auto good = store_->NewWriter(Digest::OfText("right"));
  ASSERT_TRUE((*good)->Write(Bytes("ri")) && (*good)->Write(Bytes("ght")));
  EXPECT_TRUE((*good)->Commit());
}

TEST_F(BlobStoreTest, MaxBytesIsExact) {
  auto writer = store_->NewWriter(std::nullopt, 4);
  ASSERT_TRUE((*writer)->Write(Bytes("1234")));
  const auto written = (*writer)->Write(Bytes("5"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kResourceExhausted);
  EXPECT_FALSE((*writer)->Commit());
  auto fits = store_->NewWriter(std::nullopt, 4);
  ASSERT_TRUE((*fits)->Write(Bytes("1234")));
  EXPECT_TRUE((*fits)->Commit());
}

TEST_F(BlobStoreTest, AFullDiskLeavesNothing) {
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const struct rlimit small = {4096, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto stored = store_->PutText(std::string(10'000, 'f'));
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, before);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Code::kResourceExhausted);
  EXPECT_EQ(FilesIn(root()), 0);
  EXPECT_TRUE(store_->PutText(std::string(10'000, 'f')));
}

TEST_F(BlobStoreTest, DamageIsFoundAndHealedByStoringAgain) {
  const Digest digest = store_->PutText("precious")->digest;
  Damage(digest, "precioux");
  EXPECT_EQ(store_->ReadVerified(digest, 100).error().id, "Blob.Damaged");
  EXPECT_EQ(store_->Verify(digest).error().code, Code::kDataLoss);
  ASSERT_TRUE(store_->PutText("precious"));
  EXPECT_TRUE(store_->Verify(digest));
}

TEST_F(BlobStoreTest, GarbageGoesAfterItsGrace) {
  const Digest kept = store_->PutText("kept")->digest;
  const Digest old = store_->PutText("old garbage")->digest;
  const Digest fresh = store_->PutText("fresh garbage")->digest;
  for (const Digest& digest : {kept, old}) MakeOlder(*store_->Path(digest), 100);
  ASSERT_TRUE(WriteFileAtomic(root() / "sha256" / "stray", "x"));
  const auto freed = store_->CollectGarbage({kept}, 50);
  ASSERT_TRUE(freed);
  EXPECT_EQ(*freed, 11);
  EXPECT_TRUE(store_->Has(kept));
  EXPECT_FALSE(store_->Has(old));
  EXPECT_TRUE(store_->Has(fresh));
  EXPECT_TRUE(fs::exists(root() / "sha256" / "stray"));
}

TEST_F(BlobStoreTest, PuttingAgainRenewsTheGrace) {
  const Digest digest = store_->PutText("again")->digest;
  MakeOlder(*store_->Path(digest), 100);
  ASSERT_TRUE(store_->PutText("again"));
  EXPECT_EQ(*store_->CollectGarbage({}, 50), 0);
  EXPECT_TRUE(store_->Has(digest));
}

TEST_F(BlobStoreTest, OpenRemovesWhatACrashLeftAndNothingElse) {
  auto writer = store_->NewWriter();
  ASSERT_TRUE((*writer)->Write(Bytes("still being written")));
  ASSERT_TRUE(WriteFileAtomic(root() / "tmp" / "leftover", "x"));
  const pid_t child = ::fork();
  if (child == 0) {
    auto lost = store_->NewWriter();
    (void)(*lost)->Write(Bytes("lost"));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(FilesIn(root() / "tmp"), 3);
  ASSERT_TRUE(BlobStore::Open(root()));
  EXPECT_EQ(FilesIn(root() / "tmp"), 1);
  EXPECT_TRUE((*writer)->Commit());
  EXPECT_EQ(*store_->ReadVerified(Digest::OfText("still being written"), 100),
            "still being written");
}

TEST_F(BlobStoreTest, WritersOfTheSameContentAgree) {
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      auto own = BlobStore::Open(root());
      for (int i = 0; i < 20; ++i) {
        const std::string text = "blob " + std::to_string((i + t) % 5);
        const auto stored = (t % 2 == 0 ? *own : store_)->PutText(text);
        if (!stored || *store_->ReadVerified(stored->digest, 100) != text) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(FilesIn(root()), 5);
}

TEST_F(BlobStoreTest, ABlobJustPutSurvivesACollectionBesideIt) {
  std::atomic<bool> done = false;
  std::thread collector([&] {
    while (!done) EXPECT_TRUE(store_->CollectGarbage({}, 3600));
  });
  for (int i = 0; i < 50; ++i) {
    const auto stored = store_->PutText("round");
    ASSERT_TRUE(stored);
    ASSERT_TRUE(store_->Has(stored->digest));
    MakeOlder(*store_->Path(stored->digest), 1000);
  }
  done = true;
  collector.join();
}

}  // namespace
}  // namespace slipway
