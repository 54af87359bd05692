// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/file.h"

namespace slipway::testing {

/// A socket that says exactly what a test tells it to: for protocol cases no client would send.
class RawConnection {
 public:
  /// Connects to an address as Server::addresses() gives it; aborts the test program if it cannot.
  explicit RawConnection(const std::string& address, int receive_buffer_bytes = 0);

  /// False once the peer takes no more.
  bool Send(std::string_view bytes);
  void FinishSending();
  /// Reads until `text` has come, the peer closes or the time is over; gives all it read.
  std::string ReadUntil(std::string_view text,
                        std::chrono::milliseconds timeout = std::chrono::seconds(20));
  /// Reads until the peer closes; "(still open)" at the end if it does not in time.
  std::string ReadAll(std::chrono::milliseconds timeout = std::chrono::seconds(20));
  /// Reads one response whose body has a Content-Length; what follows is kept for the next.
  std::string ReadResponse();

 private:
  bool Receive(std::chrono::steady_clock::time_point deadline);
  UniqueFd fd_;
  std::string held_;
  bool closed_ = false;
};

}  // namespace slipway::testing
