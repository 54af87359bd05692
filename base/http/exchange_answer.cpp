// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "base/http/exchange.h"
#include "base/log.h"

namespace slipway::http {
namespace {

constexpr std::int64_t kPieceBytes = 256 << 10;
constexpr int kPiecesPerTurn = 64;
/// A body that is rather copied than sent as a piece of its own.
constexpr std::size_t kBodyWithHeadMax = 4 << 10;

Response InternalError(std::string_view why) {
  Response response = Problem({.code = Code::kInternal,
                               .message = fmt::format("the request handler failed: {}", why),
                               .id = "Server.HandlerFailed"});
  return response;
}

ssize_t SendSome(int fd, const std::array<std::span<const char>, 2>& parts) {
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (parts[1].empty()) return ::send(fd, parts[0].data(), parts[0].size(), kFlags);
  std::array<iovec, 2> rest{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    rest[i] = {.iov_base = const_cast<char*>(parts[i].data()), .iov_len = parts[i].size()};
  }
  msghdr message{};
  message.msg_iov = rest.data();
  message.msg_iovlen = rest.size();
  return ::sendmsg(fd, &message, kFlags);
}

}  // namespace

void Exchange::Answer() {
  Response response = CallHandler();
  if (body_reader_) {
    parser_.request().body_reader.reset();
    body_reader_->Detach();
    if (!parser_.done()) context_.close = true;
  }
  Prepare(std::move(response));
  SendNow();
}

Response Exchange::CallHandler() {
  try {
    return shared_.handler(parser_.request());
  } catch (const std::exception& error) {
    log::Failure("request handler threw", {{"error", error.what()}});
    return InternalError(error.what());
  } catch (...) {
    log::Failure("request handler threw");
    return InternalError("unknown exception");
  }
}

void Exchange::Prepare(Response response) {
  if (response.status < 200 || response.status > 599) {
    response = InternalError(fmt::format("it gave status {}", response.status));
  }
  if (shared_.draining || shared_.leaving) context_.close = true;
  const Framing framing = FramingOf(response, context_);
  if (framing == Framing::kUntilClose) context_.close = true;
  closing_ = context_.close;
  head_.clear();
  AppendHead(response, context_, std::chrono::system_clock::now(), head_);
  body_.clear();
  sent_ = 0;
  if (context_.is_head || framing == Framing::kNone) return;
  if (!response.body_reader) {
    if (response.body.size() <= kBodyWithHeadMax) {
      head_ += response.body;
    } else {
      body_ = std::move(response.body);
    }
    return;
  }
  response_chunked_ = framing == Framing::kChunked;
  response_left_ = response.body_size >= 0 ? response.body_size : -1;
  if (response_left_ != 0) response_reader_ = std::move(response.body_reader);
}

void Exchange::PumpOnPool() {
  for (int i = 0; i < kPiecesPerTurn && NextPiece() && SendNow(); ++i) {
  }
}

/// Puts the next piece of the streamed response into the output. False where there is none more;
/// if the stream has failed, the client sees a response that ends early.
bool Exchange::NextPiece() {
  if (!response_reader_ || broken_) return false;
  ClearOutput();
  const Result<std::size_t> got = ReadPiece();
  if (!got) {
    log::Warn("response stream failed", {{"error", got.error().message}});
    ClearOutput();
    broken_ = true;
    return false;
  }
  body_.resize(*got);
  if (response_left_ >= 0) response_left_ -= static_cast<std::int64_t>(*got);
  if (response_chunked_) {
    head_ = fmt::format("{:x}\r\n", *got);
    body_ += "\r\n";
  }
  if (*got == 0 || response_left_ == 0) response_reader_.reset();
  return HasOutput();
}

Result<std::size_t> Exchange::ReadPiece() {
  const bool sized = response_left_ >= 0;
  body_.resize(
      static_cast<std::size_t>(sized ? std::min(kPieceBytes, response_left_) : kPieceBytes));
  try {
    const std::size_t got =
        TRY(response_reader_->Read(std::as_writable_bytes(std::span(body_.data(), body_.size()))));
    if (got == 0 && sized) {
      return Error{.code = Code::kDataLoss,
                   .message = fmt::format("the last {} bytes are missing", response_left_)};
    }
    return std::min(got, body_.size());
  } catch (const std::exception& error) {
    return Error{.code = Code::kInternal, .message = error.what()};
  }
}

/// Sends what the socket takes at once. True if that was all.
bool Exchange::SendNow() {
  while (HasOutput()) {
    const ssize_t sent = SendSome(fd_, Unsent());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      broken_ = broken_ || (errno != EAGAIN && errno != EWOULDBLOCK);
      return false;
    }
    Sent(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace slipway::http
