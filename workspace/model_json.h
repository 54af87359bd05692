// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "registry/registry.h"
#include "workspace/api.h"

namespace slipway::workspace {

/// A version of a model as it goes over the wire.
api::Model ModelOf(const registry::ModelVersion& version);

}  // namespace slipway::workspace
