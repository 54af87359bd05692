// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace slipway::http {

/// A socket that listens.
struct Listener {
  UniqueFd fd;
  int family = 0;
  std::string address;  ///< as ServerOptions::listen has them, port 0 replaced

  Listener() = default;
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) noexcept = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  /// Removes the file of a unix socket.
  ~Listener();
};

/// Binds and listens. kInvalidArgument for an address that is none, kFailedPrecondition with id
/// `Port.InUse` where it is taken. A unix socket file that nobody answers on is replaced.
/// `[::]` also takes IPv4 unless `ipv6_only`. `fd:N` takes over an inherited TCP socket.
Result<Listener> Listen(const std::string& address, bool ipv6_only);

/// `127.0.0.1:4711`, `[::1]:4711` or `unix`.
std::string FormatPeer(const sockaddr_storage& address);

}  // namespace slipway::http
