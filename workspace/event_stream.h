// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/http/http.h"
#include "workspace/operations.h"

namespace slipway::workspace {

/// The events of an operation as a stream of server-sent events: `phase` and `log` with their
/// numbers as ids, from after event `after`; then live; `end` with the operation once it ends.
/// Source: HTML Living Standard, section 9.2.
struct EventStreamOptions {
  std::string operation_id;
  std::int64_t after = 0;
};
/// `open` is one more while the stream lives. kResourceExhausted (id `Operation.QueueFull`) when
/// too many are open already.
Result<std::shared_ptr<http::Reader>> OpenEventStream(Operations& operations,
                                                      std::atomic<std::int64_t>& open,
                                                      const EventStreamOptions& options);

}  // namespace slipway::workspace
