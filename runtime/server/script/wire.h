// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http/http.h"

/// The frames that the server and a worker exchange; `python/slipway_worker/wire.py` is the other
/// end. A frame is 16 bytes (kind u8, flags u8, zero u16, head size u32, body size u64, little
/// endian), a head and a body. In heads a text is its size in bytes (u32) and its bytes.
namespace slipway::server {

enum class FrameKind : std::uint8_t {
  kRequest = 1,  ///< to the worker: method, target, request id, peer, header names and values
  kReply = 2,    ///< status u16, failed u8, zero u8, run time f64 in ms, header names and values
  kReady = 3,    ///< init() is done; the body is JSON
  kFailed = 4,   ///< the script cannot serve; the body is JSON
  kFork = 5,     ///< to the worker that was preloaded: make a copy
  kForked = 6,   ///< the copy's process id; the body is JSON
};

constexpr std::size_t kFrameBytes = 16;

struct FrameSizes {
  FrameKind kind = FrameKind::kRequest;
  std::int64_t head = 0, body = 0;
};

/// What of a request a worker gets to see. Views of what the caller keeps.
struct ScriptRequest {
  std::string_view method, target, request_id, peer;
  const http::Headers& headers;
  std::string_view body;
};

/// A worker's answer.
struct ScriptReply {
  int status = 200;
  bool run_failed = false;       ///< run() raised an exception
  std::optional<double> run_ms;  ///< nothing where run() did not come to its end
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// Frame and head of a message.
std::string EncodeFrame(FrameKind kind, std::string_view head, std::int64_t body_bytes);
std::string EncodeRequestHead(const ScriptRequest& request);

/// The first bytes of a frame. kDataLoss where they are none, or sizes beyond what is taken.
Result<FrameSizes> DecodeFrame(std::string_view bytes);
/// Head of a kReply frame, without the body. kDataLoss where it is none.
Result<ScriptReply> DecodeReplyHead(std::string_view head);

}  // namespace slipway::server
