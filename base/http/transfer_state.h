// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/http/client.h"

namespace slipway::http {

/// What libcurl's callbacks know of the transfer they serve.
struct TransferState {
  const Request& request;
  const Sink* sink = nullptr;
  std::int64_t body_bytes_max = 0;
  std::function<void()> opened = {};  ///< called once a 2xx answer has begun
  Response response = {};
  std::optional<Error> failure = {};  ///< why a callback has stopped the transfer
  bool sink_used = false;
  bool header_done = false;
  std::int64_t moved = 0;  ///< bytes seen by NoteProgress
  std::chrono::steady_clock::time_point last_moved = std::chrono::steady_clock::now();
  std::array<char, 256> error_text = {};
};

/// Callbacks for libcurl, all with a TransferState as their last argument.
std::size_t TakeResponseHeader(char* data, std::size_t size, std::size_t count, void* state);
std::size_t TakeResponseBody(char* data, std::size_t size, std::size_t count, void* state);
std::size_t ReadRequestBody(char* data, std::size_t size, std::size_t count, void* state);
int NoteProgress(void* state, std::int64_t down_total, std::int64_t down, std::int64_t up_total,
                 std::int64_t up);

}  // namespace slipway::http
