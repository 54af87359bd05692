// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/http/body_reader.h"
#include "base/http/handler_pool.h"
#include "base/http/input_buffer.h"
#include "base/http/request_parser.h"
#include "base/http/response_head.h"
#include "base/http/server.h"

namespace slipway::http {

/// What all connections of a server share. Outlives them.
struct ServerShared {
  ServerShared(ServerOptions options_in, Handler handler_in);
  const ServerOptions options;
  const Handler handler;
  std::atomic<bool> draining = false;
  std::atomic<bool> leaving = false;  ///< each response ends its connection
  HandlerPool handlers;
  /// For requests and responses that stream: they hold a thread for as long as the peer likes.
  HandlerPool streams;
};

/// The requests of one connection and their responses, one after the other: what is read is
/// parsed into a request, what is to be sent lies in a buffer. Waits for nothing except in Answer
/// and in PumpOnPool. Not thread-safe.
class Exchange {
 public:
  Exchange(int fd, std::string peer, ServerShared& shared);

  InputBuffer& input() { return input_; }
  bool closing() const { return closing_; }  ///< the connection ends after this response
  bool broken() const { return broken_; }    ///< nothing more can be read or written
  void Break() { broken_ = true; }
  bool answered() const { return answered_; }  ///< there is a response, the handler is not asked
  bool streams() const { return body_reader_ != nullptr; }

  /// Gets ready for the next request.
  void BeginRequest();
  /// Parses input; true when the header has ended or is refused.
  bool ParseHeader();
  /// Decides whether the request is served and where its body goes.
  void Admit();
  /// Whether the client waits to be told to send its body.
  bool AwaitsContinue() const;
  void PrepareContinue();
  /// Parses input of a buffered body; true when it has ended or is refused.
  bool ParseBody();
  void RefuseTimeout(std::string message);
  void AnswerBusy();

  /// Whether the I/O thread may ask the handler itself.
  bool IsQuick() const;
  /// Asks the handler and sends what the socket takes at once.
  void Answer();
  /// For a pool thread: reads and sends the streamed response until it ends, the socket is full,
  /// or other work should have its turn.
  void PumpOnPool();
  bool HasStream() const { return response_reader_ != nullptr; }

  /// What is to be sent next.
  std::array<std::span<const char>, 2> Unsent() const;
  bool HasOutput() const { return sent_ < head_.size() + body_.size(); }
  void Sent(std::size_t count) { sent_ += count; }
  void ClearOutput();
  void EndRequest();

 private:
  void Refuse(const Refusal& refusal);
  void RefuseBodySize(std::int64_t max);
  bool Is(const std::function<bool(const Request&)>& asked) const;
  Response CallHandler();
  void Prepare(Response response);
  bool NextPiece();
  Result<std::size_t> ReadPiece();
  bool SendNow();

  const int fd_;
  const std::string peer_;
  ServerShared& shared_;
  InputBuffer input_;
  RequestParser parser_;
  std::shared_ptr<BodyReader> body_reader_;
  HeadContext context_;
  std::string head_;  // the next bytes to send: head_, then body_, less sent_
  std::string body_;
  std::size_t sent_ = 0;
  std::shared_ptr<Reader> response_reader_;  // gives what comes after body_
  std::int64_t response_left_ = 0;           // of response_reader_, -1 if not known
  bool response_chunked_ = false;
  bool answered_ = false;
  bool closing_ = false;
  bool broken_ = false;
};

}  // namespace slipway::http
