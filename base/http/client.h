// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/http/http.h"

namespace slipway::http {

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{10'000};
  /// Without a byte moving for this long, the transfer fails with kDeadlineExceeded.
  std::chrono::milliseconds stall_timeout{60'000};
  std::chrono::milliseconds total_timeout{0};  ///< 0: no bound
  /// Tries beyond the first, for idempotent requests (GET, HEAD, PUT, DELETE, OPTIONS, or with an
  /// Idempotency-Key) whose body can be sent again, on connection failures, 429, 502, 503, 504.
  int retries = 3;
  std::chrono::milliseconds backoff{100};  ///< doubles each try, full jitter, Retry-After obeyed
  std::chrono::milliseconds backoff_max{10'000};
  std::int64_t response_bytes_max = std::int64_t{1} << 30;  ///< buffered bodies
  std::filesystem::path unix_socket = {};  ///< connect here whatever the target's host says
  std::filesystem::path ca_file = {};      ///< instead of the system's
  std::string ca_pem = {};                 ///< the same as text
  std::string certificate_pem = {};        ///< the client's own, with `key_pem`
  std::string key_pem = {};
  bool verify_tls = true;  ///< false only where the user has said so for that server
  /// Name that the server's certificate must have, where it is not the host of the target.
  std::string tls_server_name = {};
  std::string proxy = {};  ///< instead of the environment's
  std::string user_agent = "slipway/" SLIPWAY_VERSION;
};

/// What bounds an answer that goes on for long, in place of ClientOptions' times and tries.
struct StreamOptions {
  std::chrono::milliseconds stall_timeout{60'000};
  std::chrono::milliseconds total_timeout{0};  ///< 0: no bound
  std::stop_token stop = {};                   ///< ends it at once
  std::function<void()> opened = {};           ///< called once a 2xx answer has begun
};

/// Called for each piece of a response body; an error stops the transfer and is returned.
using Sink = std::function<Result<void>(std::span<const std::byte>)>;

/// Sends requests. TLS is verified unless the options say otherwise. Connections are kept and used
/// again. Thread-safe. Errors are about transport only (kUnavailable, kDeadlineExceeded,
/// kResourceExhausted; kPermissionDenied for a server that TLS does not trust; kInvalidArgument for
/// a request that cannot be sent) or come from the sink or reader. A response with a failing status
/// is a value, a redirect too. Proxies of the environment are used, never for this machine.
class Client {
 public:
  virtual ~Client() = default;
  virtual Result<Response> Send(const Request& request) = 0;
  /// Streams the body of a 2xx answer into `sink`; any other answer comes with its body as usual.
  virtual Result<Response> Send(const Request& request, const Sink& sink) = 0;
  /// The same for an answer that goes on for long: sent once, on a connection whose death is
  /// noticed while nothing moves. kUnavailable (id `Connection.Stopped`) once it was told to stop.
  virtual Result<Response> Stream(const Request& request, const Sink& sink,
                                  const StreamOptions& options) = 0;
};

/// A client on libcurl.
std::unique_ptr<Client> MakeClient(ClientOptions options, Clock& clock = SystemClock());

}  // namespace slipway::http
