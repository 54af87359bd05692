// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/file.h"
#include "base/process.h"
#include "base/result.h"

namespace slipway::deployer {

/// A TCP socket that listens. Programs inherit it, so that connections wait in its queue while
/// one program takes over from another.
struct Listener {
  UniqueFd fd;
  int port = 0;
};

/// Listens on a numeric address; port 0: any free one. kFailedPrecondition with id `Port.InUse`
/// naming the address if it is taken.
Result<Listener> ListenOn(const std::string& host, int port);

/// A copy of the listening socket that another process holds under `fd`. kPermissionDenied where
/// this process may not look into that one; kNotFound unless it listens on `port`.
Result<UniqueFd> TakeListener(const ProcessId& id, int fd, int port);

/// `http://HOST:PORT` under which this machine reaches a socket bound to `host`.
std::string EndpointOf(const std::string& host, int port);

}  // namespace slipway::deployer
