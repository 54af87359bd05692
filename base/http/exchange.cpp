// SPDX-License-Identifier: Apache-2.0
#include "base/http/exchange.h"

#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/log.h"

namespace slipway::http {
namespace {

constexpr std::size_t kKeptBytesMax = 64 << 10;
constexpr std::int64_t kReserveBytesMax = 1 << 20;
constexpr int kStreamThreadsMax = 256;

}  // namespace

ServerShared::ServerShared(ServerOptions options_in, Handler handler_in)
    : options(std::move(options_in)),
      handler(std::move(handler_in)),
      handlers(options.handler_threads, options.queue_max),
      streams(kStreamThreadsMax, options.queue_max) {}

Exchange::Exchange(int fd, std::string peer, ServerShared& shared)
    : fd_(fd), peer_(std::move(peer)), shared_(shared), parser_(shared.options.header_bytes_max) {}

void Exchange::BeginRequest() {
  parser_.Reset();
  context_ = {};
  answered_ = false;
  input_.Shrink(kKeptBytesMax);
}

bool Exchange::ParseHeader() {
  std::string no_body;
  if (!input_.empty()) input_.Take(parser_.Feed(input_.held(), no_body));
  if (parser_.refusal() == nullptr) return parser_.header_done();
  Refuse(*parser_.refusal());
  return true;
}

/// Whether what the server's options ask about the request holds; not if it cannot be told.
bool Exchange::Is(const std::function<bool(const Request&)>& asked) const {
  try {
    return asked && asked(parser_.request());
  } catch (const std::exception& error) {
    log::Failure("request could not be classified", {{"error", error.what()}});
    return false;
  }
}

bool Exchange::IsQuick() const { return !streams() && Is(shared_.options.quick); }

void Exchange::Admit() {
  const ServerOptions& options = shared_.options;
  Request& request = parser_.request();
  request.peer = peer_;
  context_ = {.is_head = request.method == "HEAD",
              .is_http_1_0 = parser_.is_http_1_0(),
              .close = !parser_.keep_alive()};
  const bool streams = Is(options.streams);
  const std::int64_t max = streams ? options.stream_bytes_max : options.body_bytes_max;
  if (parser_.content_length() > max) {
    RefuseBodySize(max);
  } else if (streams) {
    body_reader_ = std::make_shared<BodyReader>(fd_, parser_, input_, options, AwaitsContinue());
    request.body_reader = body_reader_;
    request.body_size = parser_.has_body() ? parser_.content_length() : 0;
  } else if (parser_.content_length() > 0) {
    request.body.reserve(
        static_cast<std::size_t>(std::min(parser_.content_length(), kReserveBytesMax)));
  }
}

bool Exchange::AwaitsContinue() const {
  return !parser_.done() && parser_.expects_continue() && input_.empty();
}

void Exchange::PrepareContinue() { head_ = "HTTP/1.1 100 Continue\r\n\r\n"; }

bool Exchange::ParseBody() {
  std::string& body = parser_.request().body;
  if (!input_.empty() && !parser_.done()) input_.Take(parser_.Feed(input_.held(), body));
  if (parser_.refusal() != nullptr) {
    Refuse(*parser_.refusal());
    return true;
  }
  if (std::cmp_greater(body.size(), shared_.options.body_bytes_max)) {
    RefuseBodySize(shared_.options.body_bytes_max);
    return true;
  }
  return parser_.done();
}

void Exchange::Refuse(const Refusal& refusal) {
  Response response = Problem(refusal.error);
  response.status = refusal.status;
  answered_ = true;
  context_.close = true;
  Prepare(std::move(response));
}

void Exchange::RefuseTimeout(std::string message) {
  Refuse({.status = 408,
          .error = {.code = Code::kDeadlineExceeded,
                    .message = std::move(message),
                    .id = "Request.Timeout"}});
}

void Exchange::RefuseBodySize(std::int64_t max) {
  Refuse({.status = 413,
          .error = {.code = Code::kResourceExhausted,
                    .message = fmt::format("request body has more than {} bytes", max),
                    .id = "Request.BodyTooLarge"}});
}

void Exchange::AnswerBusy() {
  Response busy = Problem({.code = Code::kUnavailable,
                           .message = "too many requests are waiting",
                           .id = "Server.Busy",
                           .fix = "try again"});
  busy.headers.Set("Retry-After", "1");
  if (!parser_.done()) context_.close = true;
  Prepare(std::move(busy));
}

std::array<std::span<const char>, 2> Exchange::Unsent() const {
  const std::size_t head_sent = std::min(sent_, head_.size());
  return {std::span(head_).subspan(head_sent), std::span(body_).subspan(sent_ - head_sent)};
}

void Exchange::ClearOutput() {
  head_.clear();
  body_.clear();
  for (std::string* output : {&head_, &body_}) {
    if (output->capacity() > kKeptBytesMax) output->shrink_to_fit();
  }
  sent_ = 0;
}

void Exchange::EndRequest() {
  response_reader_.reset();
  body_reader_.reset();
}

}  // namespace slipway::http
