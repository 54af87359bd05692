// SPDX-License-Identifier: Apache-2.0
#include "base/http/io_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include "base/file.h"
#include "base/http/eagerness.h"

namespace slipway::http {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr int kTries = 200;

/// Two loops that share the right to look, and a connection to look at.
class IoLoopTest : public ::testing::Test {
 protected:
  IoLoopTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
    loop_.Start();
  }
  ~IoLoopTest() override { loop_.Finish(); }

  /// What `work` gives on the loop's thread.
  template <class Work>
  auto OnLoop(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto made = task.get_future();
    boost::asio::post(loop_.context(), [&task] { task(); });
    return made.get();
  }
  /// Answers as many requests of the connection, each right behind the other, as make it one to
  /// look at, even after a look that was disturbed.
  void TakeTurns(const void* connection) {
    for (int i = 0; i <= Eagerness::kMost; ++i) const IoLoop::Turn turn(loop_, connection);
  }
  /// What a look brings when the connection has had the last turns. Where the machine keeps the
  /// thread from running for too long nobody looks, so it is tried again.
  std::string Look(const void* turns_of, const void* look_at, int tries = kTries) {
    std::array<char, 64> room{};
    std::size_t got = 0;
    for (int i = 0; i < tries && got == 0; ++i) {
      got = OnLoop([&] {
        TakeTurns(turns_of);
        return loop_.LookAt(look_at, ours_.get(), room);
      });
    }
    return {room.data(), got};
  }
  bool NobodyLooksSoon() {
    for (int i = 0; i < 1000 && looking_; ++i) std::this_thread::sleep_for(milliseconds(1));
    return !looking_;
  }
  void Send(std::string_view text) {
    ASSERT_EQ(::send(theirs_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  std::atomic<bool> looking_ = false;
  IoLoop loop_{true, &looking_};
  UniqueFd ours_, theirs_;
  int one_ = 0, other_ = 0;
};

TEST_F(IoLoopTest, ALookBringsWhatHasCome) {
  Send("request");
  EXPECT_EQ(Look(&one_, &one_), "request");
  EXPECT_TRUE(NobodyLooksSoon());
}

TEST_F(IoLoopTest, ALookBringsWhatComesWhileItLasts) {
  std::string got;
  for (int i = 0; i < 50 && got.empty(); ++i) {
    auto sent = std::async(std::launch::async, [this] {
      while (!looking_) std::this_thread::yield();
      Send("late");
    });
    got = Look(&one_, &one_, 1'000'000);
    sent.get();
  }
  EXPECT_EQ(got, "late");
}

TEST_F(IoLoopTest, NobodyLooksWhereOthersHadTheLastTurn) {
  Send("request");
  EXPECT_EQ(Look(&other_, &one_, 20), "");
}

TEST_F(IoLoopTest, NobodyLooksWhileAnotherLoopDoes) {
  Send("request");
  looking_ = true;
  EXPECT_EQ(Look(&one_, &one_, 20), "");
  EXPECT_TRUE(looking_);
  looking_ = false;
  EXPECT_EQ(Look(&one_, &one_), "request");
}

TEST_F(IoLoopTest, OnlyTheLoopsThreadLooks) {
  Send("request");
  OnLoop([&] { return TakeTurns(&one_), 0; });
  std::array<char, 64> room{};
  EXPECT_EQ(loop_.LookAt(&one_, ours_.get(), room), 0U);
}

TEST_F(IoLoopTest, ALookInVainAndOneAtAClosedConnectionEndSoon) {
  EXPECT_EQ(Look(&one_, &one_, 5), "");
  theirs_ = UniqueFd();
  EXPECT_EQ(Look(&one_, &one_, 5), "");
  EXPECT_TRUE(NobodyLooksSoon());
}

TEST_F(IoLoopTest, OthersHaveTheirTurnWhileOneIsAlone) {
  const std::string much(60'000, 'x');
  Send(much);
  bool others = false;
  const auto began = Steady::now();
  const std::size_t taken = OnLoop([&] {
    std::array<char, 1> room{};
    std::size_t count = 0;
    while (!others && count < much.size() && Steady::now() - began < std::chrono::seconds(10)) {
      TakeTurns(&one_);
      const std::size_t got = loop_.LookAt(&one_, ours_.get(), room);
      count += got;
      others = count > 100 && got == 0;
    }
    return count;
  });
  EXPECT_TRUE(others) << taken;
}

}  // namespace
}  // namespace slipway::http
