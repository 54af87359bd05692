// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http/http.h"
#include "runtime/server/route.h"

namespace slipway::server {

/// What the script of `call.script` says to the request.
http::Response AnswerByScript(Call& call);

/// The script's description: `?version=2` (the default), `3` or `3.1`. 404 where it has none.
http::Response SwaggerOfScript(Call& call);

}  // namespace slipway::server
