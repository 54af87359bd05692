// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/http/http.h"
#include "base/http/plain_head.h"

namespace slipway::http {

/// Why a request is not served: the problem and the status that tells of it, which can be one
/// that no Code has (431, 505).
struct Refusal {
  int status = 400;
  Error error = {};
};

/// Reads HTTP/1.1 requests from bytes that come in pieces, one after the other. Not thread-safe.
/// Source: RFC 9112.
class RequestParser {
 public:
  explicit RequestParser(std::int64_t header_bytes_max);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Forgets the request, but not all the memory it took, and gets ready for the next.
  void Reset();

  /// Takes bytes off the front and says how many; the others must come again, with more behind
  /// them. Stops after the header. Body bytes are appended to `body`. Nothing is taken after a
  /// refusal.
  std::size_t Feed(std::string_view bytes, std::string& body);

  /// Set once the request has proved to be malformed, too large or not supported.
  const Refusal* refusal() const;
  bool header_done() const;
  bool done() const;

  Request& request() { return request_; }
  const Request& request() const { return request_; }
  std::int64_t content_length() const;  ///< -1 without one
  bool has_body() const;
  bool keep_alive() const;
  bool is_http_1_0() const;
  bool expects_continue() const;

 private:
  class General;
  std::size_t FeedPlain(std::string_view bytes, std::string& body);

  const std::int64_t header_bytes_max_;
  Request request_;
  std::optional<PlainHead> plain_;    // where the head is one
  std::int64_t plain_body_left_ = 0;  // bytes to come
  std::unique_ptr<General> general_;  // reads every other request
};

}  // namespace slipway::http
