// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/http/server.h"

namespace slipway::testing {

/// Options for a server of a test: a free port of 127.0.0.1.
http::ServerOptions LocalOptions();

/// Starts a server or aborts the test program.
std::unique_ptr<http::Server> StartServer(http::ServerOptions options, http::Handler handler);

/// `http://` and the server's first address.
std::string UrlOf(const http::Server& server);

/// A reader that calls a function; ends when it gives an empty text.
std::shared_ptr<http::Reader> ReaderOf(std::function<Result<std::string>()> next);

/// Everything a reader gives.
Result<std::string> ReadToEnd(http::Reader& reader);

}  // namespace slipway::testing
