// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/http/http.h"
#include "base/limits.h"

namespace slipway::http {

/// Where to listen: `127.0.0.1:5001`, `[::]:5001`, port 0 for any free one, `unix:/path`, or
/// `fd:N`, an inherited TCP socket that listens already; the server closes it.
struct ServerOptions {
  std::vector<std::string> listen;
  /// Each waits for a share of the connections. No more than there are cores: where there are
  /// several and they answer (`quick`), one of them goes on looking for some microseconds before it
  /// sleeps, as long as requests follow each other that closely.
  int io_threads = 1;
  int handler_threads = 8;
  /// Requests waiting for a handler thread beyond this get 503 with Retry-After.
  int queue_max = 1024;
  int connections_max = 10'000;
  std::int64_t header_bytes_max = limits::kHeaderBytes;
  std::int64_t body_bytes_max = limits::kHttpBodyBytes;  ///< buffered bodies
  std::int64_t stream_bytes_max = limits::kBlobBytes;    ///< streamed bodies
  std::chrono::milliseconds header_timeout{10'000};      ///< from first byte to end of the header
  std::chrono::milliseconds idle_timeout{75'000};        ///< between requests
  std::chrono::milliseconds body_timeout{30'000};        ///< for each piece of a body, either way
  /// A body must come at least this fast on average once `body_timeout` has passed.
  std::int64_t body_bytes_per_second_min = 1024;
  std::chrono::milliseconds drain_timeout{10'000};
  /// Whether the body of this request (its `body` is still empty) is to be streamed.
  std::function<bool(const Request&)> streams = {};
  /// Whether this request, whose body has come, is likely to be answered in less time than it
  /// takes to wake another thread: the I/O thread that has it asks the handler then. Others of
  /// its connections go on without it if that proves wrong.
  std::function<bool(const Request&)> quick = {};
};

/// Answers one request. Called on a pool thread or an I/O thread, concurrently. What it throws
/// becomes 500.
using Handler = std::function<Response(Request&)>;

/// An HTTP/1.1 server: keep-alive, pipelining, chunked and streamed bodies, `Expect:
/// 100-continue`, HEAD, limits and timeouts of ServerOptions. Thread-safe.
/// Source: RFC 9110, RFC 9112.
class Server {
 public:
  /// Listens and serves at once. kFailedPrecondition with id `Port.InUse` naming the address if
  /// it is taken; kPermissionDenied where it may not be bound.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);
  virtual ~Server() = default;
  /// Addresses bound, port 0 replaced, in the order asked for.
  virtual std::vector<std::string> addresses() const = 0;
  /// From now on each response ends its connection, so that who keeps connections goes elsewhere
  /// for the next request; new ones are still accepted.
  virtual void Leave() = 0;
  /// Stops accepting, lets requests under way finish up to `drain_timeout`, closes the rest.
  virtual void Drain() = 0;
  /// Connections open now.
  virtual std::int64_t connections() const = 0;
};

/// Keeps SIGTERM and SIGINT for WaitForStopSignal, and ignores SIGPIPE. Call it first in main():
/// threads inherit it.
void BlockStopSignals();
/// Blocks until SIGTERM or SIGINT arrives; says which.
int WaitForStopSignal();

}  // namespace slipway::http
