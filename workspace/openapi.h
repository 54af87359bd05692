// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"

namespace slipway::workspace {

/// The API's description, made from the routes. Source: OpenAPI 3.0.3.
OrderedJson DescribeApi();

}  // namespace slipway::workspace
