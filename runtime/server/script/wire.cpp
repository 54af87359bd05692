// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/wire.h"

#include <bit>
#include <cstring>

#include "base/limits.h"

namespace slipway::server {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kReplyBytes = 12;
constexpr std::int64_t kHeadBytesMax = 4 << 20;

template <class T>
void Put(T value, std::string& out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void PutText(std::string_view text, std::string& out) {
  Put(static_cast<std::uint32_t>(text.size()), out);
  out += text;
}

template <class T>
T Get(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Error Damaged(std::string message) {
  return {.code = Code::kDataLoss, .message = std::move(message), .id = "Script.ProtocolViolated"};
}

/// The texts of a head, one after the other.
Result<std::vector<std::string>> Texts(std::string_view bytes) {
  std::vector<std::string> texts;
  while (!bytes.empty()) {
    if (bytes.size() < sizeof(std::uint32_t)) return Damaged("a text's size is cut off");
    const auto size = Get<std::uint32_t>(bytes, 0);
    bytes.remove_prefix(sizeof size);
    if (bytes.size() < size) return Damaged("a text is cut off");
    texts.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return texts;
}

}  // namespace

std::string EncodeFrame(FrameKind kind, std::string_view head, std::int64_t body_bytes) {
  std::string out;
  out.reserve(kFrameBytes + head.size());
  Put(static_cast<std::uint32_t>(kind), out);
  Put(static_cast<std::uint32_t>(head.size()), out);
  Put(static_cast<std::uint64_t>(body_bytes), out);
  out += head;
  return out;
}

std::string EncodeRequestHead(const ScriptRequest& request) {
  std::string head;
  head.reserve(512);
  for (std::string_view text : {request.method, request.target, request.request_id, request.peer}) {
    PutText(text, head);
  }
  for (const auto& [name, value] : request.headers) {
    PutText(name, head);
    PutText(value, head);
  }
  return head;
}

Result<FrameSizes> DecodeFrame(std::string_view bytes) {
  if (bytes.size() < kFrameBytes) return Damaged("a frame is cut off");
  const auto kind = Get<std::uint32_t>(bytes, 0);
  const auto head = Get<std::uint32_t>(bytes, 4);
  const auto body = Get<std::uint64_t>(bytes, 8);
  if (kind < 1 || kind > 6) return Damaged("a frame of no known kind");
  if (head > kHeadBytesMax) return Damaged("header fields of more than 4 MiB");
  if (body > static_cast<std::uint64_t>(limits::kScriptReplyBytes)) {
    return Damaged("an answer of " + std::to_string(body) + " bytes, at most " +
                   std::to_string(limits::kScriptReplyBytes) + " are taken");
  }
  return FrameSizes{
      .kind = static_cast<FrameKind>(kind), .head = head, .body = static_cast<std::int64_t>(body)};
}

Result<ScriptReply> DecodeReplyHead(std::string_view head) {
  if (head.size() < kReplyBytes) return Damaged("an answer's head is cut off");
  ScriptReply reply;
  reply.status = Get<std::uint16_t>(head, 0);
  if (reply.status < 200 || reply.status > 599) return Damaged("an answer with no valid status");
  reply.run_failed = head[2] == 1;
  const auto run_ms = Get<double>(head, 4);
  if (run_ms >= 0) reply.run_ms = run_ms;
  std::vector<std::string> texts = TRY(Texts(head.substr(kReplyBytes)));
  if (texts.size() % 2 != 0) return Damaged("a header field without a value");
  for (std::size_t i = 0; i < texts.size(); i += 2) {
    reply.headers.emplace_back(std::move(texts[i]), std::move(texts[i + 1]));
  }
  return reply;
}

}  // namespace slipway::server
