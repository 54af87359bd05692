// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "deployer/kubernetes/config.h"

namespace slipway::deployer {

/// What a credential program gave.
struct KubeCredential {
  std::string token = {}, certificate_pem = {}, key_pem = {};
  std::optional<TimePoint> expires = {};
};

/// Runs the program, without a shell, and reads what it prints. kPermissionDenied (id
/// `Service.Unauthorized`) naming the program, with its last line on standard error, if it fails,
/// says nothing sensible or takes longer than `timeout`.
Result<KubeCredential> RunKubeExec(const KubeAccess& access, const KubeExec& plugin,
                                   std::chrono::milliseconds timeout);

/// Reads an ExecCredential.
Result<KubeCredential> ParseExecCredential(std::string_view text);

}  // namespace slipway::deployer
