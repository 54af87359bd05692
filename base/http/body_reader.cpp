// SPDX-License-Identifier: Apache-2.0
#include "base/http/body_reader.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace slipway::http {
namespace {

constexpr std::size_t kReceiveBytes = 256 << 10;

Error Aborted(std::string_view why) {
  return Error{.code = Code::kUnavailable,
               .message = fmt::format("request body ended early: {}", why),
               .id = "Request.Aborted"};
}

Error TooSlow() {
  return Error{.code = Code::kDeadlineExceeded,
               .message = "request body came too slowly",
               .id = "Request.Timeout"};
}

}  // namespace

BodyReader::BodyReader(int fd, RequestParser& parser, InputBuffer& input,
                       const ServerOptions& options, bool send_continue)
    : fd_(fd),
      parser_(&parser),
      input_(input),
      options_(options),
      send_continue_(send_continue),
      rate_(options.body_bytes_per_second_min, options.body_timeout) {}

Result<std::size_t> BodyReader::Read(std::span<std::byte> buffer) {
  if (failure_) return *failure_;
  if (parser_ == nullptr) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "request body read after its handler has returned"};
  }
  while (taken_ == pending_.size() && !parser_->done()) {
    Result<void> got = Parse();
    const bool starved = got && taken_ == pending_.size() && !parser_->done();
    if (starved) got = Receive();
    if (!got) {
      failure_ = got.error();
      return *failure_;
    }
  }
  const std::size_t count = std::min(buffer.size(), pending_.size() - taken_);
  std::memcpy(buffer.data(), pending_.data() + taken_, count);
  taken_ += count;
  return count;
}

void BodyReader::Detach() {
  if (!failure_ && !input_.empty() && !parser_->done()) {
    input_.Take(parser_->Feed(input_.held(), pending_));
  }
  pending_ = {};
  taken_ = 0;
  parser_ = nullptr;
}

Result<void> BodyReader::Parse() {
  pending_.clear();
  taken_ = 0;
  if (input_.empty()) return {};
  input_.Take(parser_->Feed(input_.held(), pending_));
  if (const Refusal* refusal = parser_->refusal()) return refusal->error;
  total_ += static_cast<std::int64_t>(pending_.size());
  if (total_ > options_.stream_bytes_max) {
    return Error{
        .code = Code::kResourceExhausted,
        .message = fmt::format("request body has more than {} bytes", options_.stream_bytes_max),
        .id = "Request.BodyTooLarge"};
  }
  return {};
}

Result<void> BodyReader::Receive() {
  if (send_continue_) {
    Result<void> sent = SendContinue();
    if (!sent) return sent;
  }
  const std::span<char> room = input_.Room(kReceiveBytes);
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    const ssize_t got = ::recv(fd_, room.data(), room.size(), MSG_DONTWAIT);
    if (got == 0) return Aborted("connection closed");
    if (got > 0) {
      input_.Filled(static_cast<std::size_t>(got));
      rate_.Add(std::chrono::steady_clock::now() - start, got);
      if (rate_.TooSlow()) return TooSlow();
      return {};
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Aborted(SystemError("read", errno).message);
    struct pollfd wait = {.fd = fd_, .events = POLLIN, .revents = 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        options_.body_timeout - (std::chrono::steady_clock::now() - start));
    if (left.count() <= 0) return TooSlow();
    if (::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 1 << 30))) == 0) {
      return TooSlow();
    }
  }
}

Result<void> BodyReader::SendContinue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  send_continue_ = false;
  const ssize_t sent = ::send(fd_, kContinue.data(), kContinue.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(kContinue.size())) return {};
  return Aborted("connection does not take data");
}

}  // namespace slipway::http
