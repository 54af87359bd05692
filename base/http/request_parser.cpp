// SPDX-License-Identifier: Apache-2.0
#include "base/http/request_parser.h"

#include <fmt/core.h>

#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <optional>

#include "base/http/field_name.h"
#include "base/text.h"

namespace slipway::http {
namespace {

namespace beast = boost::beast;
using ErrorCode = boost::system::error_code;
using Text = beast::string_view;

/// Of a request's body, what the next one may use again.
constexpr std::size_t kKeptBytesMax = 16 << 10;

std::string_view View(Text text) { return {text.data(), text.size()}; }

Refusal Malformed(std::string why) {
  return {.status = 400,
          .error = {.code = Code::kInvalidArgument,
                    .message = fmt::format("malformed request: {}", why),
                    .id = "Request.Malformed"}};
}

Refusal HeaderTooLarge(std::int64_t max) {
  return {.status = 431,
          .error = {.code = Code::kResourceExhausted,
                    .message = fmt::format("request header has more than {} bytes", max),
                    .id = "Request.HeaderTooLarge"}};
}

Refusal Unsupported(int status, std::string why) {
  return {
      .status = status,
      .error = {
          .code = Code::kUnimplemented, .message = std::move(why), .id = "Request.Unsupported"}};
}

/// Whether the bytes may be the beginning of a last chunk that is not yet whole. Beast does not
/// accept being given `0 CR LF` and then one byte more.
bool MayBeCutLastChunk(std::string_view bytes) {
  constexpr std::size_t kLastChunkBytes = 5;
  return bytes.size() < kLastChunkBytes && bytes.starts_with('0') &&
         bytes.find_first_not_of("0\r\n") == std::string_view::npos;
}

/// The path and query of an absolute-form target; other forms as they are.
std::string OriginForm(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return std::string(target);
  const std::size_t path = target.find_first_of("/?", scheme + 3);
  if (path == std::string_view::npos) return "/";
  return (target[path] == '?' ? "/" : "") + std::string(target.substr(path));
}

}  // namespace

class RequestParser::General final : public beast::http::basic_parser<true> {
 public:
  General(std::int64_t max, Request& to) : header_bytes_max(max), request(to) {
    body_limit(boost::none);
    header_limit(static_cast<std::uint32_t>(
        std::min<std::int64_t>(max, std::numeric_limits<std::uint32_t>::max())));
  }

  void Refuse(Refusal why) {
    if (!refusal) refusal = std::move(why);
  }

  void Parse(std::string_view bytes, std::string& to, std::size_t& taken) {
    body = &to;
    ErrorCode error;
    eager(is_header_done());
    taken = put({bytes.data(), bytes.size()}, error);
    body = nullptr;
    if (refusal) return;
    if (error && error != beast::http::error::need_more) {
      RefuseFor(error);
      return;
    }
    if (!is_header_done()) header_bytes += static_cast<std::int64_t>(taken);
    const auto held = static_cast<std::int64_t>(bytes.size() - taken);
    const bool needs_more = error == beast::http::error::need_more;
    if (needs_more && held + (is_header_done() ? 0 : header_bytes) >= header_bytes_max) {
      Refuse(HeaderTooLarge(header_bytes_max));
    }
  }

  const std::int64_t header_bytes_max;
  std::int64_t header_bytes = 0;
  Request& request;
  std::optional<Refusal> refusal;
  std::string* body = nullptr;
  std::int64_t length = -1;
  int hosts = 0;
  bool header_ended = false;
  bool keeps_alive = false;
  bool is_1_0 = false;
  bool expects = false;
  bool has_coding = false;

 private:
  void RefuseFor(const ErrorCode& error) {
    if (error == beast::http::error::header_limit) {
      Refuse(HeaderTooLarge(header_bytes_max));
    } else if (error == beast::http::error::bad_version) {
      Refuse({.status = 505,
              .error = {.code = Code::kInvalidArgument,
                        .message = "only HTTP/1.0 and HTTP/1.1 are served",
                        .id = "Request.BadVersion"}});
    } else {
      Refuse(Malformed(error.message()));
    }
  }

  void CheckField(std::string_view name, std::string_view value) {
    if (SameName(name, "host")) ++hosts;
    if (SameName(name, "transfer-encoding")) {
      has_coding = true;
      if (ToLower(Trim(value)) != "chunked") {
        Refuse(Unsupported(
            501, fmt::format("transfer coding '{}' is not supported", value.substr(0, 100))));
      }
    }
    if (SameName(name, "expect")) {
      expects = true;
      if (ToLower(Trim(value)) != "100-continue") {
        Refuse(
            Unsupported(417, fmt::format("expectation '{}' cannot be met", value.substr(0, 100))));
      }
    }
  }

  void on_request_impl(beast::http::verb /*verb*/, Text method, Text target, int version,
                       ErrorCode& /*error*/) override {
    request.method = View(method);
    request.target = OriginForm(View(target));
    is_1_0 = version == 10;
  }
  void on_response_impl(int /*status*/, Text /*reason*/, int /*version*/,
                        ErrorCode& /*error*/) override {}
  void on_field_impl(beast::http::field /*field*/, Text name, Text value,
                     ErrorCode& /*error*/) override {
    if (header_ended) return;
    CheckField(View(name), View(value));
    request.headers.Add(View(name), View(value));
  }
  void on_header_impl(ErrorCode& error) override {
    header_ended = true;
    keeps_alive = keep_alive();
    if (const auto declared = content_length()) {
      if (*declared > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        error = beast::http::error::bad_content_length;
        return;
      }
      length = static_cast<std::int64_t>(*declared);
    }
    if (hosts > 1 || (hosts == 0 && !is_1_0)) {
      Refuse(Malformed(fmt::format("{} Host fields, expected one", hosts)));
    }
    if (has_coding && is_1_0) Refuse(Malformed("transfer coding in HTTP/1.0"));
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                         ErrorCode& /*error*/) override {}
  std::size_t on_body_impl(Text bytes, ErrorCode& /*error*/) override {
    body->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t /*size*/, Text /*extensions*/,
                            ErrorCode& /*error*/) override {}
  std::size_t on_chunk_body_impl(std::uint64_t /*left*/, Text bytes,
                                 ErrorCode& /*error*/) override {
    body->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(ErrorCode& /*error*/) override {}
};

RequestParser::RequestParser(std::int64_t header_bytes_max) : header_bytes_max_(header_bytes_max) {}

RequestParser::~RequestParser() = default;

void RequestParser::Reset() {
  std::string body = std::move(request_.body);
  if (body.capacity() > kKeptBytesMax) body = {};
  body.clear();
  request_ = {};
  request_.body = std::move(body);
  plain_.reset();
  general_.reset();
}

std::size_t RequestParser::Feed(std::string_view bytes, std::string& body) {
  std::size_t skipped = 0;
  if (refusal() != nullptr || done()) return 0;
  if (plain_) return FeedPlain(bytes, body);
  if (!general_ || !general_->got_some()) {
    while (bytes.substr(skipped).starts_with("\r\n")) skipped += 2;
    bytes.remove_prefix(skipped);
    if (bytes.empty() || bytes == "\r") return skipped;
  }
  if (!general_) {
    const std::string_view most =
        bytes.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(header_bytes_max_, 0)));
    plain_ = ReadPlainHead(most, request_);
    if (plain_) {
      plain_body_left_ = std::max<std::int64_t>(plain_->content_length, 0);
      return skipped + plain_->bytes;
    }
    general_ = std::make_unique<General>(header_bytes_max_, request_);
  }
  if (header_done() && general_->has_coding && MayBeCutLastChunk(bytes)) return skipped;
  std::size_t taken = 0;
  general_->Parse(bytes, body, taken);
  return skipped + taken;
}

std::size_t RequestParser::FeedPlain(std::string_view bytes, std::string& body) {
  const auto left = static_cast<std::uint64_t>(plain_body_left_);
  bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size())));
  body.append(bytes);
  plain_body_left_ -= static_cast<std::int64_t>(bytes.size());
  return bytes.size();
}

const Refusal* RequestParser::refusal() const {
  return general_ && general_->refusal ? &*general_->refusal : nullptr;
}

bool RequestParser::header_done() const {
  return plain_ || (general_ && general_->is_header_done());
}
bool RequestParser::done() const {
  return plain_ ? plain_body_left_ == 0 : general_ && general_->is_done();
}
std::int64_t RequestParser::content_length() const {
  if (plain_) return plain_->content_length;
  return general_ ? general_->length : -1;
}
bool RequestParser::has_body() const {
  return (general_ && general_->has_coding) || content_length() > 0;
}
bool RequestParser::keep_alive() const { return plain_ || (general_ && general_->keeps_alive); }
bool RequestParser::is_http_1_0() const { return general_ && general_->is_1_0; }
bool RequestParser::expects_continue() const {
  return general_ && general_->expects && !general_->is_1_0;
}

}  // namespace slipway::http
