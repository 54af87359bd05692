// SPDX-License-Identifier: Apache-2.0
#include "base/http/transfer.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/http/transfer_state.h"
#include "base/text.h"

namespace slipway::http {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

constexpr std::chrono::milliseconds kPollMax{1000};
constexpr long kConnectionAgeSeconds = 60;
constexpr long kKeepAliveSeconds = 20;

Error BadRequest(std::string why) {
  return Error{.code = Code::kInvalidArgument, .message = std::move(why), .id = "Request.Invalid"};
}

bool HasLineBreak(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

Result<void> AddHeader(HeaderList& list, const std::string& line) {
  curl_slist* longer = ::curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) {
    return Error{.code = Code::kResourceExhausted, .message = "out of memory for a header"};
  }
  static_cast<void>(list.release());
  list.reset(longer);
  return {};
}

/// Fields of the request; names without a value take libcurl's own defaults away.
Result<HeaderList> MakeHeaders(const Request& request) {
  HeaderList list;
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || HasLineBreak(name) || name.find(':') != std::string::npos ||
        HasLineBreak(value)) {
      return BadRequest(fmt::format("header field '{}' is not valid", name.substr(0, 100)));
    }
    TRY(AddHeader(list, value.empty() ? name + ";" : fmt::format("{}: {}", name, value)));
  }
  if (!request.headers.Has("Content-Type")) TRY(AddHeader(list, "Content-Type:"));
  if (!request.body_reader && !request.headers.Has("Expect")) TRY(AddHeader(list, "Expect:"));
  if (request.body_reader && request.body_size < 0) {
    TRY(AddHeader(list, "Transfer-Encoding: chunked"));
  }
  return list;
}

Result<void> CheckRequest(const Request& request) {
  const bool is_web =
      request.target.starts_with("http://") || request.target.starts_with("https://");
  if (!is_web || HasLineBreak(request.target)) {
    return BadRequest(fmt::format("'{}' is not an http or https URL",
                                  std::string_view(request.target).substr(0, 200)));
  }
  if (request.method.empty() || HasLineBreak(request.method) ||
      request.method.find(' ') != std::string::npos) {
    return BadRequest("the request method is not valid");
  }
  return {};
}

Error ErrorOf(CURLcode code, const Request& request, std::string_view detail) {
  Error error{.code = Code::kUnavailable,
              .message = fmt::format("{} {}: {}", request.method, request.target,
                                     detail.empty() ? ::curl_easy_strerror(code) : detail),
              .id = "Connection.Failed"};
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      error.code = Code::kInvalidArgument;
      error.id = "Request.Invalid";
      break;
    case CURLE_OPERATION_TIMEDOUT:
      error.id = "Connection.TimedOut";
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      error.code = Code::kPermissionDenied;
      error.id = "Tls.Untrusted";
      error.fix = "trust the server's certificate authority";
      break;
    case CURLE_SSL_CERTPROBLEM:
      error.code = Code::kPermissionDenied;
      error.id = "Tls.Certificate";
      error.fix = "check the client's certificate and key";
      break;
    case CURLE_OUT_OF_MEMORY:
      error.code = Code::kResourceExhausted;
      error.id = {};
      break;
    default:
      break;
  }
  return error;
}

Error TimedOut(const Request& request, std::string_view why) {
  return Error{.code = Code::kDeadlineExceeded,
               .message = fmt::format("{} {}: {}", request.method, request.target, why),
               .id = "Connection.TimedOut"};
}

/// What ends a transfer before libcurl does; nothing if it may go on.
std::optional<Error> Overdue(CURL* easy, const TransferState& state, const Request& request,
                             const TransferLimits& limits, SteadyTime now) {
  if (limits.stop.stop_requested()) {
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("{} {}: stopped", request.method, request.target),
                 .id = "Connection.Stopped"};
  }
  if (limits.deadline && now >= *limits.deadline) {
    return TimedOut(request,
                    fmt::format("not done after {} ms", limits.options.total_timeout.count()));
  }
  curl_off_t connected_after = 0;
  ::curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected_after);
  const auto still = now - state.last_moved;
  if (connected_after > 0 && still >= limits.options.stall_timeout) {
    return TimedOut(request,
                    fmt::format("no byte moved for {} ms", limits.options.stall_timeout.count()));
  }
  return std::nullopt;
}

int PollTime(const TransferState& state, const TransferLimits& limits, SteadyTime now) {
  SteadyTime until = std::min(now + kPollMax, state.last_moved + limits.options.stall_timeout);
  if (limits.deadline) until = std::min(until, *limits.deadline);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 1, kPollMax.count()));
}

void SetBody(CURL* easy, const Request& request, TransferState& state) {
  const bool sends = !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
                     request.method == "PATCH";
  if (request.method == "HEAD") ::curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (request.body_reader) {
    ::curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    ::curl_easy_setopt(easy, CURLOPT_READFUNCTION, &ReadRequestBody);
    ::curl_easy_setopt(easy, CURLOPT_READDATA, &state);
    ::curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    ::curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_size));
    // A stream cannot be sent again, so a kept connection that has died must not be tried.
    ::curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  } else if (sends) {
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

/// The text must live as long as the transfer.
void SetBlob(CURL* easy, CURLoption option, const std::string& text) {
  if (text.empty()) return;
  curl_blob blob{
      .data = const_cast<char*>(text.data()), .len = text.size(), .flags = CURL_BLOB_NOCOPY};
  ::curl_easy_setopt(easy, option, &blob);
}

void SetTls(CURL* easy, const ClientOptions& options) {
  if (!options.ca_file.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  }
  SetBlob(easy, CURLOPT_CAINFO_BLOB, options.ca_pem);
  SetBlob(easy, CURLOPT_SSLCERT_BLOB, options.certificate_pem);
  SetBlob(easy, CURLOPT_SSLKEY_BLOB, options.key_pem);
  if (!options.verify_tls) {
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

/// The URL with `name` for its host, and where that host really is; nothing for a bad URL.
struct Renamed {
  std::string url, connect_to;
};
std::optional<Renamed> Rename(const std::string& url, const std::string& name) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(::curl_url(), &::curl_url_cleanup);
  char *host = nullptr, *port = nullptr, *text = nullptr;
  Renamed renamed;
  if (parsed &&
      ::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_PATH_AS_IS) == CURLUE_OK &&
      ::curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) == CURLUE_OK &&
      ::curl_url_get(parsed.get(), CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
    renamed.connect_to = fmt::format("::{}:{}", host, port);
    ::curl_url_set(parsed.get(), CURLUPART_HOST, name.c_str(), 0);
    ::curl_url_get(parsed.get(), CURLUPART_URL, &text, 0);
    if (text != nullptr) renamed.url = text;
  }
  for (char* part : {host, port, text}) ::curl_free(part);
  if (renamed.url.empty()) return std::nullopt;
  return renamed;
}

void SetConnection(CURL* easy, const Request& request, const ClientOptions& options) {
  ::curl_easy_setopt(easy, CURLOPT_URL, request.target.c_str());
  ::curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  ::curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  ::curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, kConnectionAgeSeconds);
  ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds);
  ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(options.connect_timeout.count()));
  ::curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  SetTls(easy, options);
  if (!options.proxy.empty()) ::curl_easy_setopt(easy, CURLOPT_PROXY, options.proxy.c_str());
  if (!options.unix_socket.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options.unix_socket.c_str());
  }
  if (options.proxy.empty() && (!options.unix_socket.empty() || IsLoopbackUrl(request.target))) {
    ::curl_easy_setopt(easy, CURLOPT_PROXY, "");
  }
}

void SetCallbacks(CURL* easy, TransferState& state) {
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &TakeResponseBody);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &state);
  ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &TakeResponseHeader);
  ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, &state);
  ::curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &NoteProgress);
  ::curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &state);
  ::curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, state.error_text.data());
}

}  // namespace

struct TransferHandle::State {
  CURL* easy = ::curl_easy_init();
  CURLM* multi = ::curl_multi_init();
  ~State() {
    ::curl_easy_cleanup(easy);
    ::curl_multi_cleanup(multi);
  }

  /// Runs the transfer to its end, or to ours.
  Result<void> Run(TransferState& state, const Request& request, const TransferLimits& limits) {
    const std::stop_callback wake(limits.stop, [this] { ::curl_multi_wakeup(multi); });
    while (true) {
      int running = 0;
      if (::curl_multi_perform(multi, &running) != CURLM_OK) {
        return Error{.code = Code::kInternal, .message = "libcurl cannot go on"};
      }
      if (running == 0) break;
      const SteadyTime now = std::chrono::steady_clock::now();
      std::optional<Error> overdue = Overdue(easy, state, request, limits, now);
      if (overdue) return *std::move(overdue);
      ::curl_multi_poll(multi, nullptr, 0, PollTime(state, limits, now), nullptr);
    }
    int left = 0;
    const CURLMsg* message = ::curl_multi_info_read(multi, &left);
    const CURLcode code = message == nullptr ? CURLE_FAILED_INIT : message->data.result;
    if (state.failure) return *std::move(state.failure);
    if (code != CURLE_OK) return ErrorOf(code, request, state.error_text.data());
    return {};
  }
};

TransferHandle::TransferHandle() : state_(std::make_unique<State>()) {}

TransferHandle::~TransferHandle() = default;

Result<Response> TransferHandle::Send(const Request& request, const Sink* sink,
                                      const TransferLimits& limits, bool& sink_used) {
  TRY(CheckRequest(request));
  const HeaderList headers = TRY(MakeHeaders(request));
  HeaderList connect_to;
  std::string named_url;
  if (!limits.options.tls_server_name.empty()) {
    const auto renamed = Rename(request.target, limits.options.tls_server_name);
    if (!renamed) return BadRequest("the server's name for TLS is not valid");
    TRY(AddHeader(connect_to, renamed->connect_to));
    named_url = renamed->url;
  }
  if (state_->easy == nullptr || state_->multi == nullptr) {
    return Error{.code = Code::kResourceExhausted, .message = "libcurl cannot start"};
  }
  TransferState transfer{.request = request,
                         .sink = sink,
                         .body_bytes_max = limits.options.response_bytes_max,
                         .opened = limits.opened};
  CURL* easy = state_->easy;
  ::curl_easy_reset(easy);
  SetConnection(easy, request, limits.options);
  SetBody(easy, request, transfer);
  SetCallbacks(easy, transfer);
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  if (connect_to) {
    ::curl_easy_setopt(easy, CURLOPT_URL, named_url.c_str());
    ::curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to.get());
  }
  if (::curl_multi_add_handle(state_->multi, easy) != CURLM_OK) {
    return Error{.code = Code::kInternal, .message = "libcurl cannot start"};
  }
  Result<void> done = state_->Run(transfer, request, limits);
  ::curl_multi_remove_handle(state_->multi, easy);
  sink_used = transfer.sink_used;
  if (!done) return std::move(done).error();
  return std::move(transfer.response);
}

bool IsLoopbackUrl(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(::curl_url(), &::curl_url_cleanup);
  char* text = nullptr;
  if (!parsed || ::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      ::curl_url_get(parsed.get(), CURLUPART_HOST, &text, 0) != CURLUE_OK) {
    return false;
  }
  const std::string host = ToLower(text);
  ::curl_free(text);
  return host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") ||
         host == "[::1]";
}

}  // namespace slipway::http
