// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/sandbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "imagebuilder/closure.h"
#include "imagebuilder/python/control_group.h"
#include "imagebuilder/python/trim_folder.h"
#include "tests/imagebuilder/run_program.h"
#include "tests/support/tempdir.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::int64_t kMebibyte = 1 << 20;

/// A root with a shell and a few programs of this machine.
class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* program : {"/bin/sh", "/bin/sleep", "/usr/bin/tail", "/usr/bin/head"}) {
      ASSERT_NO_FATAL_FAILURE(Add(program));
    }
    const auto ran = Run("true");
    if (!ran && ran.error().id == "Image.NoSandbox") GTEST_SKIP() << ran.error().message;
    ASSERT_TRUE(ran) << ran.error().message;
  }

  void Copy(const fs::path& from, const fs::path& to) {
    fs::create_directories(root_ / to.parent_path().relative_path());
    fs::copy_file(fs::canonical(from), root_ / to.relative_path(),
                  fs::copy_options::overwrite_existing);
  }
  void Add(const fs::path& program) {
    Copy(program, program);
    const auto closure = FindClosure(fs::canonical(program));
    ASSERT_TRUE(closure) << closure.error().message;
    for (const auto& [name, source] : closure->libraries) {
      Copy(source, "/lib/x86_64-linux-gnu/" + name);
    }
    Copy("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2");
  }
  Result<void> Run(const std::string& command, const ResourceLimits& limits = DefaultLimits()) {
    said_.clear();
    const WorkHooks hooks{.say = [this](std::string_view line) { said_ += line; }};
    return RunInSandbox({.root = root_,
                         .command = command,
                         .scratch = folder_.path(),
                         .timeout = std::chrono::seconds(60),
                         .limits = limits},
                        hooks);
  }

  testing::TempDir folder_;
  fs::path root_ = folder_ / "root";
  std::string said_;
};

TEST_F(Sandbox, RunsInItsOwnRootAndSaysItsLimits) {
  const auto ran = Run("echo here > /made && exec sleep 0");
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_TRUE(fs::exists(root_ / "made"));
  EXPECT_FALSE(fs::exists("/made"));
  EXPECT_THAT(said_, HasSubstr("limits: memory "));
}

TEST_F(Sandbox, AStepThatTakesMoreMemoryThanItMayFails) {
  const auto ran = Run("head -c 400000000 /dev/zero | tail -c 300000000 > /dev/null",
                       {.memory_bytes = 96 * kMebibyte, .processes = 100});
  ASSERT_FALSE(ran);
  const bool grouped = said_.find("MiB (control group)") != std::string::npos;
  EXPECT_EQ(ran.error().id, grouped ? "Image.StepLimit" : "Image.StepFailed")
      << ran.error().message;
  if (grouped) {
    EXPECT_EQ(ran.error().code, Code::kResourceExhausted);
    EXPECT_THAT(ran.error().message, HasSubstr("96 MiB of memory"));
  }
  // Within the limit the same works.
  const auto small = Run("head -c 4000000 /dev/zero | tail -c 3000000 > /dev/null",
                         {.memory_bytes = 96 * kMebibyte, .processes = 100});
  EXPECT_TRUE(small) << small.error().message;
}

TEST_F(Sandbox, AStepThatForksWithoutEndFails) {
  const auto ran = Run("i=0; while [ $i -lt 200 ]; do sleep 5 & i=$((i+1)); done; wait",
                       {.memory_bytes = 512 * kMebibyte, .processes = 40});
  if (said_.find("processes without limit") != std::string::npos) {
    GTEST_SKIP() << "this machine cannot bound the processes of root";
  }
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().id, ::testing::StartsWith("Image.Step"));
}

TEST_F(Sandbox, LeavesNoControlGroup) {
  ASSERT_TRUE(Run("true"));
  const std::string mine = "slipway-build-" + std::to_string(::getpid()) + "-";
  std::error_code failed;
  for (fs::recursive_directory_iterator
           at("/sys/fs/cgroup", fs::directory_options::skip_permission_denied, failed),
       end;
       !failed && at != end; at.increment(failed)) {
    EXPECT_FALSE(at->path().filename().string().starts_with(mine)) << at->path();
  }
}

TEST(ControlGroup, IsNothingWhereThereIsNone) {
  const testing::TempDir folder;
  EXPECT_EQ(ControlGroup::Make({.memory_bytes = 1, .processes = 1}, folder.path()), nullptr);
  EXPECT_EQ(ControlGroup::Make({.memory_bytes = 1, .processes = 1}, folder / "absent"), nullptr);
}

/// A tree as the kernel shows control groups of version 2; each folder that is made in it has the
/// files of its controllers. Source: Linux, Documentation/admin-guide/cgroup-v2.rst.
class SecondVersion : public ::testing::Test {
 protected:
  void SetUp() override { Write("cgroup.controllers", "cpuset cpu io memory pids\n"); }
  void Write(const fs::path& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::string Read(const fs::path& name) const {
    const auto text = ReadFile(name, 1 << 10);
    return text ? *text : "none";
  }
  std::unique_ptr<ControlGroup> Make() {
    return ControlGroup::Make({.memory_bytes = 123 << 20, .processes = 77}, folder_.path(),
                              [this](const fs::path& folder) { return MakeGroup(folder); });
  }
  bool MakeGroup(const fs::path& folder) {
    if (!fs::create_directory(folder)) return false;
    group_ = folder;
    for (const auto& [file, text] : files_) std::ofstream(folder / file) << text;
    return true;
  }

  testing::TempDir folder_;
  fs::path group_;
  std::map<std::string, std::string> files_ = {
      {"cgroup.procs", ""},
      {"memory.max", "max\n"},
      {"memory.swap.max", "max\n"},
      {"memory.events", "low 0\nhigh 0\nmax 9\noom 0\noom_kill 0\noom_group_kill 0\n"},
      {"pids.max", "max\n"},
      {"pids.events", "max 0\n"}};
};

TEST_F(SecondVersion, BoundsMemoryAndProcesses) {
  const auto group = Make();
  ASSERT_NE(group, nullptr);
  EXPECT_TRUE(group->bounds_memory());
  EXPECT_TRUE(group->bounds_processes());
  EXPECT_EQ(Read(group_ / "memory.max"), std::to_string(123 << 20));
  EXPECT_EQ(Read(group_ / "memory.swap.max"), "0");
  EXPECT_EQ(Read(group_ / "pids.max"), "77");
  EXPECT_EQ(group->JoinFiles(), std::vector<fs::path>{group_ / "cgroup.procs"});
  EXPECT_THAT(group_.filename().string(), ::testing::StartsWith("slipway-build-"));
}

TEST_F(SecondVersion, TellsWhichLimitWasMet) {
  const auto group = Make();
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(group->LimitMet(), "") << "memory that was taken back is no limit that killed";
  std::ofstream(group_ / "pids.events") << "max 3\n";
  EXPECT_EQ(group->LimitMet(), "processes");
  std::ofstream(group_ / "memory.events") << "low 0\nmax 9\noom 1\noom_kill 1\n";
  EXPECT_EQ(group->LimitMet(), "memory");
}

TEST_F(SecondVersion, IsNothingWhereControllersAreNotHandedDown) {
  files_ = {{"cgroup.procs", ""}, {"cgroup.events", ""}};
  EXPECT_EQ(Make(), nullptr);
}

TEST_F(SecondVersion, IsNothingWhereNoFolderCanBeMade) {
  const auto group = ControlGroup::Make({.memory_bytes = 1, .processes = 1}, folder_.path(),
                                        [](const fs::path&) { return false; });
  EXPECT_EQ(group, nullptr);
}

TEST(TrimFolder, RemovesWhatWasUsedLongestAgo) {
  const testing::TempDir folder;
  const fs::path cache = folder / "cache";
  for (int i = 0; i < 10; ++i) {
    const fs::path file = cache / std::to_string(i % 3) / std::to_string(i);
    fs::create_directories(file.parent_path());
    std::ofstream(file) << std::string(100 << 10, 'x');
    const timespec then = {.tv_sec = 1'600'000'000 + i, .tv_nsec = 0};
    const timespec times[2] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  }
  // The oldest was read today.
  const timespec times[2] = {{.tv_sec = 1'700'000'000, .tv_nsec = 0},
                             {.tv_sec = 1'600'000'000, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (cache / "0/0").c_str(), times, 0), 0);
  fs::create_symlink("/etc/passwd", cache / "link");
  const auto freed = TrimFolder(cache, 350 << 10);
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_GE(*freed, 7 * (100 << 10));
  EXPECT_TRUE(fs::exists(cache / "0/0"));
  EXPECT_TRUE(fs::exists(cache / "0/9"));
  EXPECT_FALSE(fs::exists(cache / "1/1"));
  EXPECT_FALSE(fs::exists(cache / "1/7"));
  EXPECT_TRUE(fs::exists("/etc/passwd"));
  EXPECT_EQ(*TrimFolder(cache, 350 << 10), 0);
  EXPECT_EQ(*TrimFolder(folder / "absent", 0), 0);
}

}  // namespace
}  // namespace slipway::imagebuilder
