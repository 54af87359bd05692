// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "deployer/deployer.h"
#include "deployer/kubernetes/manifest.h"

namespace slipway::deployer {

/// What `run/kubernetes/<workspace>.<service>.json` holds: where in which cluster the service is.
/// No secret is in it.
struct KubeRecord {
  ServiceKey key;
  std::string kubeconfig, context;  ///< as they were asked for
  std::string name_space;
  KubeApis apis = {};
  bool operator==(const KubeRecord&) const = default;
};

std::string KubeRecordText(const KubeRecord& record);
/// kDataLoss (id `Service.RecordDamaged`).
Result<KubeRecord> ParseKubeRecord(std::string_view text);

/// The mark of this state folder in clusters: read from `folder`/installation, made where there is
/// none yet.
Result<std::string> KubeInstallation(const std::filesystem::path& folder);

}  // namespace slipway::deployer
