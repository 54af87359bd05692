// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace slipway::http {

/// Header fields in order; names compare without case. Source: RFC 9110 section 5.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}
  /// First value of the field, empty if there is none.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  /// Replaces every field of that name.
  void Set(std::string_view name, std::string_view value);
  void Add(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Bytes that come in pieces: an upload on the server, a download on the client, a file.
class Reader {
 public:
  virtual ~Reader() = default;
  /// Fills the front of `buffer` and says how many bytes; 0 at the end. Blocks. An error
  /// (connection lost, timed out, too large) ends the stream.
  virtual Result<std::size_t> Read(std::span<std::byte> buffer) = 0;
};

/// What the server got, or the client is to send.
struct Request {
  std::string method = "GET";
  std::string target = "/";  ///< server: origin form; client: `http://…`, `https://…`
  Headers headers = {};
  std::string body = {};
  /// Instead of `body`. Server: set for requests that ServerOptions::streams chose; valid until
  /// the handler returns. Client: read until its end, sent with `body_size` or chunked.
  std::shared_ptr<Reader> body_reader = {};
  std::int64_t body_size = -1;  ///< of `body_reader`; -1 unknown
  std::string peer = {};        ///< server: `127.0.0.1:4711`, `[::1]:4711` or `unix`
};

struct Response {
  int status = 200;
  Headers headers = {};
  std::string body = {};
  /// Instead of `body`: sent with `body_size`, or chunked. Read on a pool thread, which the end of
  /// the server waits for: no Read may block for ever.
  std::shared_ptr<Reader> body_reader = {};
  std::int64_t body_size = -1;
};

/// A request target taken apart. Path segments and query are percent-decoded.
struct Target {
  std::string path;                   ///< still encoded, without query
  std::vector<std::string> segments;  ///< of the path, decoded; empty ones dropped
  std::vector<std::pair<std::string, std::string>> query;
  /// First value of the query parameter, or `fallback`.
  std::string Query(std::string_view name, std::string_view fallback = "") const;
};
/// kInvalidArgument for bad escapes, NUL, text that is not UTF-8, `.` or `..` segments (also behind
/// an encoded slash).
Result<Target> ParseTarget(std::string_view target);

/// `application/problem+json` for an error (RFC 9457): type, title, status, detail, code, cause,
/// fix.
Response Problem(const Error& error);

/// The Error that a Problem (or any failed response) tells of.
Error ErrorFromResponse(const Response& response);

/// Response with a JSON text as its body.
Response JsonResponse(int status, std::string json);

/// Standard reason phrase, `Unknown` if there is none.
std::string_view ReasonPhrase(int status);

}  // namespace slipway::http
