// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/file.h"
#include "base/process_stat.h"
#include "base/text.h"
#include "tests/support/tempdir.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kLong{20'000};

class ProcessTest : public ::testing::Test {
 protected:
  ProcessSpec Script(const std::string& text) const {
    return {.argv = {"/bin/sh", "-c", text},
            .environment = {"PATH=/usr/bin:/bin"},
            .folder = {},
            .log = log()};
  }
  fs::path log() const { return folder_ / "log"; }
  std::string LogText() const {
    const Result<std::string> text = ReadFile(log(), 1 << 20);
    return text ? *text : "";
  }
  void WaitForLog(std::string_view text) const {
    for (int i = 0; i < 1000 && LogText().find(text) == std::string::npos; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    ASSERT_THAT(LogText(), HasSubstr(std::string(text)));
  }
  testing::TempDir folder_;
};

TEST_F(ProcessTest, RunsWithExactlyItsEnvironmentFolderAndLog) {
  ASSERT_TRUE(WriteFileAtomic(log(), "before\n"));
  ProcessSpec spec = Script("pwd; echo \"$COLOR\"; echo err >&2; env | grep -c HOME; exit 7");
  spec.environment.push_back("COLOR=light blue");
  spec.folder = folder_.path();
  const auto id = Spawn(spec);
  ASSERT_TRUE(id);
  EXPECT_EQ(WaitForExit(*id, kLong), 7);
  EXPECT_EQ(LogText(), "before\n" + folder_.path().string() + "\nlight blue\nerr\n0\n");
  EXPECT_FALSE(IsRunning(*id));
}

TEST_F(ProcessTest, ProgramsAreLookedUpInPath) {
  const auto id = Spawn({.argv = {"true"}, .environment = {}});
  ASSERT_TRUE(id);
  EXPECT_EQ(WaitForExit(*id, kLong), 0);
}

TEST_F(ProcessTest, FailuresToStartAreErrors) {
  EXPECT_EQ(Spawn({.argv = {"/no/such/program"}, .environment = {}}).error().code, Code::kNotFound);
  EXPECT_EQ(Spawn({.argv = {"no-such-program-anywhere"}, .environment = {}}).error().code,
            Code::kNotFound);
  ASSERT_TRUE(WriteFileAtomic(folder_ / "data", "text", {.mode = 0644}));
  EXPECT_EQ(Spawn({.argv = {(folder_ / "data").string()}, .environment = {}}).error().code,
            Code::kPermissionDenied);
  EXPECT_EQ(Spawn({.argv = {}, .environment = {}}).error().code, Code::kInvalidArgument);
  ProcessSpec spec = Script("true");
  spec.folder = folder_ / "none";
  EXPECT_THAT(Spawn(spec).error().message, HasSubstr("none"));
  spec = Script("true");
  spec.log = folder_ / "none" / "log";
  EXPECT_EQ(Spawn(spec).error().code, Code::kNotFound);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a failed start has left a zombie";
}

TEST_F(ProcessTest, TheChildLeadsASessionWithNoOtherFiles) {
  const UniqueFd leaked(::open("/dev/null", O_RDONLY));
  const UniqueFd kept(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ProcessSpec spec = Script(
      "ls /proc/$$/fd; cut -d ' ' -f 1,5,6 /proc/$$/stat; "
      "readlink /proc/$$/fd/0");
  spec.keep_fds = {kept.get()};
  const auto id = Spawn(spec);
  ASSERT_TRUE(id);
  EXPECT_EQ(WaitForExit(*id, kLong), 0);
  const std::string pid = std::to_string(id->pid);
  EXPECT_EQ(LogText(), "0\n1\n2\n" + std::to_string(kept.get()) + "\n" + pid + " " + pid + " " +
                           pid + "\n/dev/null\n");
}

TEST_F(ProcessTest, TheChildStartsWithDefaultSignals) {
  sigset_t term;
  sigset_t before;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  const auto old = ::signal(SIGPIPE, SIG_IGN);
  ProcessSpec spec = Script("");
  spec.argv = {"grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"};
  const auto id = Spawn(spec);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, old);
  ASSERT_TRUE(id);
  EXPECT_EQ(WaitForExit(*id, kLong), 0);
  EXPECT_EQ(LogText(), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ProcessTest, WaitSaysNothingWhileItRuns) {
  const auto id = Spawn(Script("sleep 60"));
  ASSERT_TRUE(id);
  EXPECT_TRUE(IsRunning(*id));
  EXPECT_EQ(WaitForExit(*id, milliseconds(30)), std::nullopt);
  ASSERT_TRUE(Terminate(*id, kLong));
  EXPECT_FALSE(IsRunning(*id));
  EXPECT_TRUE(Terminate(*id, kLong));
}

TEST_F(ProcessTest, AKilledProcessHasItsSignalAsStatus) {
  const auto id = Spawn(Script("kill -9 $$"));
  ASSERT_TRUE(id);
  EXPECT_EQ(WaitForExit(*id, kLong), 128 + SIGKILL);
}

TEST_F(ProcessTest, AZombieDoesNotRunAndKeepsItsStatus) {
  const auto id = Spawn(Script("exit 3"));
  ASSERT_TRUE(id);
  for (int i = 0; i < 1000 && IsRunning(*id); ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_FALSE(IsRunning(*id));
  EXPECT_EQ(ReadProcessStat(id->pid)->state, 'Z');
  EXPECT_EQ(WaitForExit(*id, milliseconds(0)), 3);
}

TEST_F(ProcessTest, AStrangerWithTheSamePidIsNotTheProcess) {
  const auto id = Spawn(Script("sleep 60"));
  ASSERT_TRUE(id);
  const ProcessId stranger{.pid = id->pid, .start_ticks = id->start_ticks + 1};
  EXPECT_FALSE(IsRunning(stranger));
  EXPECT_EQ(WaitForExit(stranger, kLong), -1);
  EXPECT_TRUE(Terminate(stranger, kLong));
  EXPECT_TRUE(IsRunning(*id)) << "a stranger was stopped";
  EXPECT_TRUE(Terminate(*id, kLong));
  EXPECT_FALSE(IsRunning({}));
  EXPECT_EQ(WaitForExit({}, kLong), -1);
}

TEST_F(ProcessTest, TermIsAskedFirst) {
  const auto id =
      Spawn(Script("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"));
  ASSERT_TRUE(id);
  WaitForLog("up");
  ASSERT_TRUE(Terminate(*id, kLong));
  EXPECT_THAT(LogText(), HasSubstr("bye"));
}

TEST_F(ProcessTest, AfterTheGraceTheWholeGroupIsKilled) {
  const auto id = Spawn(
      Script("trap '' TERM; sh -c 'trap \"\" TERM; echo child $$; while :; do sleep 0.05; done' & "
             "echo up; while :; do sleep 0.05; done"));
  ASSERT_TRUE(id);
  WaitForLog("up");
  WaitForLog("child");
  const std::string text = LogText();
  const pid_t child = std::stoi(text.substr(text.find("child ") + 6));
  ASSERT_TRUE(Terminate(*id, milliseconds(50)));
  EXPECT_FALSE(IsRunning(*id));
  const auto is_gone = [child] {
    const auto stat = ReadProcessStat(child);
    return !stat || stat->state == 'Z';
  };
  for (int i = 0; i < 1000 && !is_gone(); ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(is_gone());
}

TEST_F(ProcessTest, AProcessThatIsNoChildOfOursCanBeWaitedFor) {
  const auto id = Spawn(Script("sh -c 'echo pid $$; exec sleep 0.3' & exit 0"));
  ASSERT_TRUE(id);
  WaitForLog("pid");
  const std::string text = LogText();
  const pid_t pid = std::stoi(text.substr(text.find("pid ") + 4));
  const auto stat = ReadProcessStat(pid);
  ASSERT_TRUE(stat);
  EXPECT_EQ(WaitForExit({.pid = pid, .start_ticks = stat->start_ticks}, kLong), -1);
  EXPECT_EQ(WaitForExit(*id, kLong), 0);
}

TEST_F(ProcessTest, RunsUntilItsLastThreadHasEnded) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);  // of this thread alone
  }
  ASSERT_GT(pid, 0);
  const auto stat = [pid] { return ReadProcessStat(pid).value_or(ProcessStat{}); };
  for (int i = 0; i < 4000 && stat().state != 'Z'; ++i)
    std::this_thread::sleep_for(milliseconds(5));
  ASSERT_EQ(stat().state, 'Z');
  const ProcessId id{.pid = pid, .start_ticks = stat().start_ticks};
  EXPECT_TRUE(IsRunning(id));
  EXPECT_EQ(WaitForExit(id, milliseconds(20)), std::nullopt);
  EXPECT_TRUE(Terminate(id, milliseconds(0)));
  EXPECT_FALSE(IsRunning(id));
}

TEST_F(ProcessTest, ManyThreadsMayStartProcesses) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const auto id =
            Spawn({.argv = {"/bin/sh", "-c", "exit " + std::to_string(t)}, .environment = {}});
        if (id && WaitForExit(*id, kLong) == t) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
}

TEST(ProcessStatTest, NamesMayHoldAnything) {
  const auto stat =
      ParseProcessStat("42 (a) R 1 (x) S 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 777 20");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->start_ticks, 777);
  EXPECT_EQ(stat->threads, 18);
  EXPECT_FALSE(ParseProcessStat(""));
  EXPECT_FALSE(ParseProcessStat("42 (a) S 1 2"));
  EXPECT_FALSE(ReadProcessStat(0));
}

TEST(ThisProgramTest, IsTheTestItself) {
  EXPECT_TRUE(ThisProgram().is_absolute());
  EXPECT_TRUE(fs::exists(ThisProgram()));
}

}  // namespace
}  // namespace slipway
