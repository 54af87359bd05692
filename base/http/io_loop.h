// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
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

  /// The time in which the loop's thread answers a request of a connection.
  class Turn {
   public:
    Turn(IoLoop& loop, const void* connection) : loop_(loop) { loop_.BeginTurn(connection); }
    ~Turn() { loop_.EndTurn(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    IoLoop& loop_;
  };

  /// Reads from the socket of a connection that has had the last turns alone, looking for bytes to
  /// come without sleeping for as long as Eagerness says. 0: none came, or it is the turn of
  /// others, or nobody is to look now; the socket is to be waited for in the ordinary way.
  std::size_t LookAt(const void* connection, int fd, std::span<char> to);

 private:
  void BeginTurn(const void* connection);
  void EndTurn();
  void Run();
  void RunEagerly();
  void Look();
  void Watch();
  void StandIn(std::uint64_t turn);
  void SleepUntilTurn(std::uint64_t turn);

  struct Context;
  class Looking;
  const bool answers_;
  std::atomic<bool>* const looking_;
  const std::unique_ptr<Context> context_;
  // Of the loop's thread:
  Eagerness eagerness_;
  const void* last_ = nullptr;        // the connection that had the last turn
  int last_turns_ = 0;                // it has had, one after the other
  Eagerness::Time others_turn_ = {};  // when LookAt has last left the thread to others
  bool looks_ = false;                // *looking_ is set for this loop
  // Of all threads:
  std::atomic<std::uint64_t> turn_ = 0;  // odd: the thread answers a request
  std::atomic<int> asleep_ = 0;          // 1: watch_ waits for a turn to begin
  std::atomic<bool> finished_ = false;
  std::atomic<std::thread::id> thread_id_;
  std::thread thread_;
  std::thread watch_;
};

}  // namespace slipway::http
