// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace slipway::server {

/// What Prometheus' own clients tell of their process: processor time, memory, open files, when it
/// started. Read from /proc; what that does not say is left out.
/// Source: prometheus.io/docs/instrumenting/writing_clientlibs, "Process metrics".
std::string ProcessMetricsText();

}  // namespace slipway::server
