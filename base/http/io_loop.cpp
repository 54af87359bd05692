// SPDX-License-Identifier: Apache-2.0
#include "base/http/io_loop.h"

#include <sched.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
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

void IoLoop::BeginTurn() {
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
  if (looking_->exchange(true)) return;
  const auto release = [](std::atomic<bool>* looking) { *looking = false; };
  const std::unique_ptr<std::atomic<bool>, decltype(release)> mine(looking_, release);
  Steady::time_point before = Steady::now();
  while (true) {
    const bool found = context_->io.poll() > 0;
    const Steady::time_point now = Steady::now();
    if (!found && !eagerness_.LookOn(before, now)) return;
    if (!found) ::sched_yield();
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
