// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/file.h"
#include "runtime/server/script/wire.h"

namespace slipway::server {

/// The server's end of a worker's socket. Not thread-safe.
class ScriptChannel {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Frame {
    FrameKind kind = FrameKind::kReply;
    std::string head = {}, body = {};
  };

  /// `socket` is a stream socket that does not block.
  explicit ScriptChannel(UniqueFd socket) : socket_(std::move(socket)) {}

  /// kUnavailable (id `Script.WorkerGone`) if the other end has gone: it has not read the whole
  /// message. kDeadlineExceeded.
  Result<void> Send(FrameKind kind, std::string_view head, std::string_view body, Time deadline);
  /// kDeadlineExceeded; kUnavailable (id `Script.WorkerGone`) if the other end has gone without
  /// having read all that was sent, kDataLoss (id `Script.WorkerDied`) if it has gone, (id
  /// `Script.ProtocolViolated`) if it sends what is no frame.
  Result<Frame> Receive(Time deadline);
  /// Whether something has come, or the other end has gone.
  bool HasInput() const;
  /// Sends descriptors along with one byte.
  Result<void> SendDescriptors(std::string_view what, const int* fds, std::size_t count);
  /// Tells the other end that no more comes.
  void ShutDown();
  int fd() const { return socket_.get(); }

 private:
  Result<void> Fill(std::string& buffer, std::size_t have, Time deadline);
  UniqueFd socket_;
};

/// Waits until `fd` has one of `events`; false at `deadline`.
bool AwaitFd(int fd, short events, std::chrono::steady_clock::time_point deadline);

}  // namespace slipway::server
