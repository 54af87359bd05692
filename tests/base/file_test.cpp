// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/support/tempdir.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

unsigned ModeOf(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

std::size_t EntriesIn(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// While it lives, no file of this process can grow beyond a limit.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const struct rlimit limit = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  struct rlimit before_ {};
  sighandler_t handler_ = SIG_DFL;
};

TEST(FileTest, SystemErrorsHaveTheCodeTheCallerDecidesBy) {
  EXPECT_EQ(SystemError("open a", ENOENT).code, Code::kNotFound);
  EXPECT_EQ(SystemError("open a", ENOENT).message, "open a: No such file or directory");
  EXPECT_EQ(SystemError("", EEXIST).code, Code::kAlreadyExists);
  EXPECT_EQ(SystemError("", EACCES).code, Code::kPermissionDenied);
  EXPECT_EQ(SystemError("", EPERM).code, Code::kPermissionDenied);
  for (const int number : {ENOSPC, EDQUOT, ENOMEM, EMFILE}) {
    EXPECT_EQ(SystemError("", number).code, Code::kResourceExhausted);
  }
  EXPECT_EQ(SystemError("", EADDRINUSE).code, Code::kFailedPrecondition);
  EXPECT_EQ(SystemError("x", 99999).message, "x: error 99999");
}

TEST(FileTest, WriteAndReadBack) {
  const testing::TempDir folder;
  const std::string content("a\0b\xff", 4);
  ASSERT_TRUE(WriteFileAtomic(folder / "f", content));
  EXPECT_EQ(*ReadFile(folder / "f", 4), content);
  ASSERT_TRUE(WriteFileAtomic(folder / "f", ""));
  EXPECT_EQ(*ReadFile(folder / "f", 0), "");
  const std::string large(3'000'000, 'z');
  ASSERT_TRUE(WriteFileAtomic(folder / "f", large));
  EXPECT_EQ(*ReadFile(folder / "f", 3'000'000), large);
  EXPECT_EQ(EntriesIn(folder.path()), 1);
}

TEST(FileTest, ReadIsBounded) {
  const testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "f", "12345"));
  const Result<std::string> content = ReadFile(folder / "f", 4);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().code, Code::kResourceExhausted);
  EXPECT_EQ(ReadFile("/dev/zero", 1000).error().code, Code::kResourceExhausted);
}

TEST(FileTest, ReadsFilesThatDoNotTellTheirSize) {
  const Result<std::string> status = ReadFile("/proc/self/status", 1 << 20);
  ASSERT_TRUE(status);
  EXPECT_THAT(*status, HasSubstr("Pid:"));
}

TEST(FileTest, ErrorsNameThePath) {
  const testing::TempDir folder;
  const Result<std::string> none = ReadFile(folder / "none", 10);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr((folder / "none").string()));
  EXPECT_EQ(ReadFile(folder.path(), 10).error().code, Code::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomic(folder / "no" / "f", "x").error().code, Code::kNotFound);
}

TEST(FileTest, ModeIsExactWhateverTheUmask) {
  const testing::TempDir folder;
  const mode_t before = ::umask(0077);
  EXPECT_TRUE(WriteFileAtomic(folder / "open", "x", {.mode = 0666}));
  ::umask(0);
  EXPECT_TRUE(WriteFileAtomic(folder / "secret", "x", {.mode = 0600}));
  ::umask(before);
  EXPECT_EQ(ModeOf(folder / "open"), 0666);
  EXPECT_EQ(ModeOf(folder / "secret"), 0600);
}

TEST(FileTest, AReaderSeesTheOldOrTheNewContentWhole) {
  const testing::TempDir folder;
  const fs::path path = folder / "f";
  const std::string a(200'000, 'a');
  const std::string b(300'000, 'b');
  ASSERT_TRUE(WriteFileAtomic(path, a));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(WriteFileAtomic(path, i % 2 == 0 ? b : a));
    done = true;
  });
  while (!done) {
    const Result<std::string> content = ReadFile(path, 1 << 20);
    ASSERT_TRUE(content);
    ASSERT_TRUE(*content == a || *content == b);
  }
  writer.join();
}

TEST(FileTest, AFullDiskLeavesTheOldContentAndNoRest) {
  const testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "f", "old"));
  {
    const FileSizeLimit limit(1000);
    const Result<void> written = WriteFileAtomic(folder / "f", std::string(5000, 'x'));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Code::kResourceExhausted);
    EXPECT_THAT(written.error().message, HasSubstr((folder / "f").string()));
  }
  EXPECT_EQ(*ReadFile(folder / "f", 100), "old");
  EXPECT_EQ(EntriesIn(folder.path()), 1);
}

TEST(FileTest, AFullDeviceIsResourceExhausted) {
  const UniqueFd full(::open("/dev/full", O_WRONLY));
  if (!full) GTEST_SKIP() << "/dev/full is absent";
  const std::byte byte{1};
  EXPECT_EQ(WriteAll(full.get(), {&byte, 1}).error().code, Code::kResourceExhausted);
}

TEST(FileTest, WriteAllGoesOverShortWrites) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const std::string sent(1 << 20, 'p');
  std::thread writer([&] {
    EXPECT_TRUE(WriteAll(to.get(), std::as_bytes(std::span(sent.data(), sent.size()))));
    to = UniqueFd();
  });
  std::string got;
  char block[1000];
  for (ssize_t n = 0; (n = ::read(from.get(), block, sizeof block)) > 0;) {
    got.append(block, static_cast<std::size_t>(n));
  }
  writer.join();
  EXPECT_EQ(got, sent);
}

TEST(FileTest, MakeFolders) {
  const testing::TempDir folder;
  EXPECT_TRUE(MakeFolders(folder / "a/b/c"));
  EXPECT_TRUE(MakeFolders(folder / "a/b/c"));
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
  ASSERT_TRUE(WriteFileAtomic(folder / "file", ""));
  EXPECT_FALSE(MakeFolders(folder / "file"));
  EXPECT_FALSE(MakeFolders(folder / "file/sub"));
}

TEST(FileTest, RemoveTreeNeverFollowsLinks) {
  const testing::TempDir folder;
  ASSERT_TRUE(MakeFolders(folder / "kept"));
  ASSERT_TRUE(WriteFileAtomic(folder / "kept/file", "x"));
  ASSERT_TRUE(MakeFolders(folder / "tree/sub"));
  fs::create_directory_symlink(folder / "kept", folder / "tree/sub/link");
  fs::create_directory_symlink(folder / "kept", folder / "top");
  EXPECT_TRUE(RemoveTree(folder / "tree"));
  EXPECT_TRUE(RemoveTree(folder / "top"));
  EXPECT_TRUE(RemoveTree(folder / "never-there"));
  EXPECT_FALSE(fs::exists(folder / "tree"));
  EXPECT_FALSE(fs::is_symlink(folder / "top"));
  EXPECT_TRUE(fs::exists(folder / "kept/file"));
}

TEST(FileTest, RemoveTreeTakesReadOnlyFoldersToo) {
  const testing::TempDir folder;
  ASSERT_TRUE(MakeFolders(folder / "tree/sub"));
  ASSERT_TRUE(WriteFileAtomic(folder / "tree/sub/file", "x", {.mode = 0444}));
  ASSERT_EQ(::chmod((folder / "tree/sub").c_str(), 0), 0);
  ASSERT_EQ(::chmod((folder / "tree").c_str(), 0555), 0);
  EXPECT_TRUE(RemoveTree(folder / "tree"));
  EXPECT_FALSE(fs::exists(folder / "tree"));
}

TEST(FileTest, TempFoldersAreNewAndPrivate) {
  const testing::TempDir folder;
  const Result<fs::path> a = MakeTempFolder(folder.path(), "job-");
  const Result<fs::path> b = MakeTempFolder(folder.path(), "job-");
  ASSERT_TRUE(a && b);
  EXPECT_NE(*a, *b);
  EXPECT_TRUE(a->filename().string().starts_with("job-"));
  EXPECT_EQ(ModeOf(*a), 0700);
  EXPECT_EQ(MakeTempFolder(folder / "none", "x").error().code, Code::kNotFound);
}

TEST(FileTest, MappedFileOutlivesItsName) {
  const testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "f", "content"));
  const auto file = MappedFile::Open(folder / "f");
  ASSERT_TRUE(file);
  fs::remove(folder / "f");
  const auto bytes = (*file)->bytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "content");
  ASSERT_TRUE(WriteFileAtomic(folder / "empty", ""));
  EXPECT_TRUE((*MappedFile::Open(folder / "empty"))->bytes().empty());
  EXPECT_EQ(MappedFile::Open(folder / "none").error().code, Code::kNotFound);
  EXPECT_FALSE(MappedFile::Open(folder.path()));
  EXPECT_FALSE(MappedFile::Open("/dev/null"));
}

TEST(FileTest, UniqueFdClosesOnce) {
  UniqueFd a(::open("/dev/null", O_RDONLY));
  const int number = a.get();
  UniqueFd b(std::move(a));
  EXPECT_EQ(b.get(), number);
  b = UniqueFd(::open("/dev/null", O_RDONLY));
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  const int released = b.Release();
  EXPECT_FALSE(b);
  EXPECT_EQ(::close(released), 0);
}

}  // namespace
}  // namespace slipway
