// SPDX-License-Identifier: Apache-2.0
#include "base/http/io_loop.h"

#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <exception>

#include "base/log.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using Steady = std::chrono::steady_clock;

/// A turn that has lasted for two of these gets a stand-in.
constexpr std::chrono::milliseconds kTick{10};
/// So many ticks without a turn, and nobody looks until the next one begins.
constexpr int kQuietTicks = 50;
/// How long a connection may go on alone before others that come are looked for.
constexpr std::chrono::microseconds kAlone{500};
/// Looks at one socket before others that want the core have it: some microseconds.
constexpr int kLooksPerYield = 4;
/// Turns in a row after which a connection counts as alone.
constexpr int kTurnsAlone = 8;

bool IsAnswering(std::uint64_t turn) { return turn % 2 == 1; }

void LogFailure(const std::exception& error) {
  log::Failure("HTTP server loop failed", {{"error", error.what()}});
}

}  // namespace

struct IoLoop::Context {
  explicit Context(int threads) : io(threads), work(asio::make_work_guard(io)) {}
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work;
};

/// Makes a loop the one that looks, of those that share the right to, for its lifetime.
class IoLoop::Looking {
 public:
  explicit Looking(IoLoop& loop)
      : loop_(loop), takes_(!loop.looks_ && !loop.looking_->exchange(true)) {
    if (takes_) loop_.looks_ = true;
  }
  ~Looking() {
    if (!takes_) return;
    loop_.looks_ = false;
    *loop_.looking_ = false;
  }
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;
  explicit operator bool() const { return loop_.looks_; }

 private:
  IoLoop& loop_;
  const bool takes_;
};

IoLoop::IoLoop(bool answers, std::atomic<bool>* looking)
    : answers_(answers),
      looking_(answers ? looking : nullptr),
      context_(std::make_unique<Context>(answers ? 2 : 1)) {}

IoLoop::~IoLoop() { Finish(); }

asio::io_context& IoLoop::context() { return context_->io; }

void IoLoop::Start() {
  thread_ = std::thread([this] { Run(); });
  if (answers_) watch_ = std::thread([this] { Watch(); });
}

void IoLoop::Finish() {
  context_->work.reset();
  if (thread_.joinable()) thread_.join();
  finished_ = true;
  asleep_ = 0;
  asleep_.notify_one();
  if (watch_.joinable()) watch_.join();
}

void IoLoop::BeginTurn(const void* connection) {
  last_turns_ = connection == last_ ? std::min(last_turns_ + 1, kTurnsAlone) : 0;
  last_ = connection;
  eagerness_.Begin(Steady::now());
  ++turn_;
  if (asleep_ == 0) return;
  asleep_ = 0;
  asleep_.notify_one();
}

void IoLoop::EndTurn() {
  ++turn_;
  eagerness_.End(Steady::now());
}

void IoLoop::Run() {
  thread_id_ = std::this_thread::get_id();
  while (true) {
    try {
      if (looking_ != nullptr) {
        RunEagerly();
      } else {
        context_->io.run();
      }
      return;
    } catch (const std::exception& error) {
      LogFailure(error);
    }
  }
}

void IoLoop::RunEagerly() {
  while (context_->io.run_one() > 0) {
    if (eagerness_.wants()) Look();
  }
}

/// Runs what comes until nothing has come for some time, if no other loop does so now.
void IoLoop::Look() {
  const Looking mine(*this);
  if (!mine) return;
  Steady::time_point before = Steady::now();
  while (true) {
    const bool found = context_->io.poll() > 0;
    const Steady::time_point now = Steady::now();
    if (!found && !eagerness_.LookOn(before, now)) return;
    if (!found) ::sched_yield();
    before = now;
  }
}

std::size_t IoLoop::LookAt(const void* connection, int fd, std::span<char> to) {
  if (looking_ == nullptr || !MayAnswer() || !eagerness_.wants()) return 0;
  if (connection != last_ || last_turns_ < kTurnsAlone) return 0;
  Steady::time_point before = Steady::now();
  if (before - others_turn_ > kAlone) {
    others_turn_ = before;
    return 0;
  }
  const Looking mine(*this);
  if (!mine) return 0;
  for (int looks = 1;; ++looks) {
    const ssize_t got = ::recv(fd, to.data(), to.size(), MSG_DONTWAIT);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) return 0;
    const Steady::time_point now = Steady::now();
    if (!eagerness_.LookOn(before, now)) return 0;
    if (looks % kLooksPerYield == 0) ::sched_yield();
    before = now;
  }
}

void IoLoop::Watch() {
  std::uint64_t seen = 0;
  int quiet = 0;
  while (!finished_) {
    std::this_thread::sleep_for(kTick);
    const std::uint64_t turn = turn_;
    if (turn != seen) {
      seen = turn;
      quiet = 0;
    } else if (IsAnswering(turn)) {
      StandIn(turn);
    } else if (++quiet >= kQuietTicks) {
      SleepUntilTurn(turn);
      quiet = 0;
    }
  }
}

void IoLoop::StandIn(std::uint64_t turn) {
  while (turn_ == turn && !context_->io.stopped()) {
    try {
      context_->io.run_one_for(kTick);
    } catch (const std::exception& error) {
      LogFailure(error);
    }
  }
}

void IoLoop::SleepUntilTurn(std::uint64_t turn) {
  asleep_ = 1;
  if (turn_ == turn && !finished_) asleep_.wait(1);
  asleep_ = 0;
}

}  // namespace slipway::http
