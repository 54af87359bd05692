// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "base/file.h"
#include "base/process.h"
#include "base/process_stat.h"

namespace slipway {
namespace {

using std::chrono::milliseconds;

struct Pipe {
  UniqueFd read_end, write_end;
};

Pipe MakePipe() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {.read_end = UniqueFd(ends[0]), .write_end = UniqueFd(ends[1])};
}

std::string ReadAll(int fd) {
  std::string all;
  char room[256];
  for (ssize_t got; (got = ::read(fd, room, sizeof room)) > 0;) {
    all.append(room, static_cast<std::size_t>(got));
  }
  return all;
}

TEST(ProcessFds, ADescriptorIsGivenUnderAnotherNumber) {
  Pipe out = MakePipe();
  Pipe extra = MakePipe();
  const auto id = Spawn({.argv = {"/bin/sh", "-c", "echo out; echo extra >&7"},
                         .environment = {"PATH=/usr/bin:/bin"},
                         .give_fds = {{out.write_end.get(), 1}, {extra.write_end.get(), 7}}});
  ASSERT_TRUE(id) << id.error().message;
  out.write_end = UniqueFd();
  extra.write_end = UniqueFd();
  EXPECT_EQ(ReadAll(out.read_end.get()), "out\n");
  EXPECT_EQ(ReadAll(extra.read_end.get()).substr(0, 6), "extra\n");
  EXPECT_EQ(WaitForExit(*id, milliseconds(10'000)), 0);
}

TEST(ProcessFds, GivenDescriptorsMaySwapNumbers) {
  Pipe a = MakePipe();
  Pipe b = MakePipe();
  const int low = a.write_end.get(), other = b.write_end.get();
  if (low > 15 || other > 15) GTEST_SKIP() << "the lowest numbers are taken";
  const std::string command =
      "echo a >&" + std::to_string(other) + "; echo b >&" + std::to_string(low);
  const auto id = Spawn({.argv = {"/bin/bash", "-c", command},
                         .environment = {"PATH=/usr/bin:/bin"},
                         .give_fds = {{low, other}, {other, low}}});
  ASSERT_TRUE(id) << id.error().message;
  a.write_end = UniqueFd();
  b.write_end = UniqueFd();
  EXPECT_EQ(ReadAll(a.read_end.get()), "a\n");
  EXPECT_EQ(ReadAll(b.read_end.get()), "b\n");
  EXPECT_EQ(WaitForExit(*id, milliseconds(10'000)), 0);
}

TEST(ProcessFds, WrongDescriptorsAreRefused) {
  EXPECT_FALSE(Spawn({.argv = {"/bin/true"}, .environment = {}, .give_fds = {{999'999, 1}}}));
  EXPECT_FALSE(Spawn({.argv = {"/bin/true"}, .environment = {}, .give_fds = {{0, 16}}}));
}

TEST(ProcessFds, AProcessMayDieWithTheThreadThatStartedIt) {
  ProcessId bound, free;
  std::thread starter([&] {
    const auto a =
        Spawn({.argv = {"/bin/sleep", "1000"}, .environment = {}, .dies_with_thread = true});
    const auto b = Spawn({.argv = {"/bin/sleep", "1000"}, .environment = {}});
    ASSERT_TRUE(a && b);
    bound = *a;
    free = *b;
    EXPECT_TRUE(IsRunning(bound));
  });
  starter.join();
  EXPECT_EQ(WaitForExit(bound, milliseconds(10'000)), 128 + SIGKILL);
  EXPECT_TRUE(IsRunning(free));
  EXPECT_TRUE(Terminate(free, milliseconds(10'000)));
}

}  // namespace
}  // namespace slipway
