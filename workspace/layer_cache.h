// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/blob_store.h"
#include "imagebuilder/imagebuilder.h"
#include "registry/db.h"

namespace slipway::workspace {

/// A layer cache in the tables of the workspace service. A layer whose blob is gone counts as
/// not there. The references must outlive it.
std::unique_ptr<imagebuilder::LayerCache> MakeLayerCache(Database& database, BlobStore& blobs);

}  // namespace slipway::workspace
