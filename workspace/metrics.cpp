// SPDX-License-Identifier: Apache-2.0
#include "workspace/metrics.h"

#include <fmt/format.h>

#include <iterator>

namespace slipway::workspace {

void Metrics::CountRequest(const RequestKind& kind, double seconds) {
  const std::lock_guard lock(mutex_);
  Sum& sum = requests_[kind];
  ++sum.count;
  sum.seconds += seconds;
}

std::string Metrics::Text(const Operations::Counts& operations) const {
  std::string text;
  auto out = std::back_inserter(text);
  fmt::format_to(out,
                 "# HELP slipway_build_info Version of the program.\n"
                 "# TYPE slipway_build_info gauge\n"
                 "slipway_build_info{{version=\"{}\"}} 1\n"
                 "# HELP slipway_operations Operations waiting and running now.\n"
                 "# TYPE slipway_operations gauge\n"
                 "slipway_operations{{state=\"NotStarted\"}} {}\n"
                 "slipway_operations{{state=\"Running\"}} {}\n"
                 "# HELP slipway_operations_ended_total Operations ended since the start.\n"
                 "# TYPE slipway_operations_ended_total counter\n"
                 "slipway_operations_ended_total{{state=\"Succeeded\"}} {}\n"
                 "slipway_operations_ended_total{{state=\"Failed\"}} {}\n"
                 "slipway_operations_ended_total{{state=\"Cancelled\"}} {}\n",
                 SLIPWAY_VERSION, operations.waiting, operations.running, operations.succeeded,
                 operations.failed, operations.cancelled);
  const std::lock_guard lock(mutex_);
  fmt::format_to(out,
                 "# HELP slipway_http_request_seconds Time to answer requests.\n"
                 "# TYPE slipway_http_request_seconds summary\n");
  for (const auto& [kind, sum] : requests_) {
    const std::string labels = fmt::format("method=\"{}\",route=\"{}\",status=\"{}\"", kind.method,
                                           kind.route, kind.status);
    fmt::format_to(out, "slipway_http_request_seconds_count{{{}}} {}\n", labels, sum.count);
    fmt::format_to(out, "slipway_http_request_seconds_sum{{{}}} {:.6f}\n", labels, sum.seconds);
  }
  return text;
}

}  // namespace slipway::workspace
