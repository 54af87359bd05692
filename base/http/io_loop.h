// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "base/http/eagerness.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): its name
}

namespace slipway::http {

/// A thread that waits for sockets and goes on with the connections that are ready. It may answer
/// requests itself, where that takes less time than another thread needs to wake. If such an
/// answer takes long after all, a stand-in goes on with the other connections until it is done.
class IoLoop {
 public:
  /// `answers`: whether requests may be answered on the loop's thread. `looking`: set while one of
  /// the loops that share it looks for requests without sleeping (Eagerness); null: none does.
  IoLoop(bool answers, std::atomic<bool>* looking);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  void Start();
  /// Lets the loop end once nothing is left to wait for, and waits until it has.
  void Finish();

  boost::asio::io_context& context();
  /// Whether a stand-in may run beside the loop's thread.
  bool answers() const { return answers_; }
  /// Whether the calling thread may answer: the stand-in may not, or there would be no other.
  bool MayAnswer() const { return answers_ && std::this_thread::get_id() == thread_id_; }

  /// The time in which the loop's thread answers a request.
  class Turn {
   public:
    explicit Turn(IoLoop& loop) : loop_(loop) { loop_.BeginTurn(); }
    ~Turn() { loop_.EndTurn(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    IoLoop& loop_;
  };

 private:
  void BeginTurn();
  void EndTurn();
  void Run();
  void RunEagerly();
  void Look();
  void Watch();
  void StandIn(std::uint64_t turn);
  void SleepUntilTurn(std::uint64_t turn);

  struct Context;
  const bool answers_;
  std::atomic<bool>* const looking_;
  const std::unique_ptr<Context> context_;
  Eagerness eagerness_;                  // of the loop's thread
  std::atomic<std::uint64_t> turn_ = 0;  // odd: the thread answers a request
  std::atomic<int> asleep_ = 0;          // 1: watch_ waits for a turn to begin
  std::atomic<bool> finished_ = false;
  std::atomic<std::thread::id> thread_id_;
  std::thread thread_;
  std::thread watch_;
};

}  // namespace slipway::http
