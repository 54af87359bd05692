// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/http/http.h"
#include "base/http/input_buffer.h"
#include "base/http/rate_guard.h"
#include "base/http/request_parser.h"
#include "base/http/server.h"

namespace slipway::http {

/// The body of one request, read from the socket by the handler's thread while nobody else uses
/// the connection: the peer can send only as fast as the handler reads. Not thread-safe.
class BodyReader final : public Reader {
 public:
  /// The references must live until Detach. `send_continue`: tell the client to go on when the
  /// handler first asks for the body.
  BodyReader(int fd, RequestParser& parser, InputBuffer& input, const ServerOptions& options,
             bool send_continue);
  Result<std::size_t> Read(std::span<std::byte> buffer) override;
  /// Ends the reading: later reads fail. A rest of the body that has already come is taken off
  /// the connection.
  void Detach();

 private:
  Result<void> Parse();
  Result<void> Receive();
  Result<void> SendContinue();

  int fd_;
  RequestParser* parser_;
  InputBuffer& input_;
  const ServerOptions& options_;
  bool send_continue_;
  RateGuard rate_;
  std::string pending_;
  std::size_t taken_ = 0;
  std::int64_t total_ = 0;
  std::optional<Error> failure_;
};

}  // namespace slipway::http
