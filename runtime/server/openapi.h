// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "runtime/server/route.h"
#include "runtime/server/scorer.h"

namespace slipway::server {

/// OpenAPI 3.0 text of all routes; scoring takes and gives what the models' signatures say.
std::string OpenApiText(std::span<const Route> routes, std::span<const ServedModel> models,
                        const Environment& environment);

/// Swagger 2.0 text of `/` and `/score`, as v1 services have it.
std::string SwaggerText(std::span<const ServedModel> models, const Environment& environment);

}  // namespace slipway::server
