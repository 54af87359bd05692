// SPDX-License-Identifier: Apache-2.0
#include "base/http/transfer_state.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "base/text.h"

static_assert(CURL_ERROR_SIZE <= 256);

namespace slipway::http {
namespace {

/// Status of a status line such as `HTTP/1.1 200 OK`.
int StatusOf(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  const std::string_view digits = line.substr(space + 1, 3);
  int status = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return status;
}

Result<void> GiveToSink(TransferState& state, std::span<const std::byte> bytes) {
  try {
    return (*state.sink)(bytes);
  } catch (const std::exception& error) {
    return Error{.code = Code::kInternal, .message = error.what()};
  }
}

Result<std::size_t> ReadOnce(TransferState& state, std::span<std::byte> to) {
  try {
    return state.request.body_reader->Read(to);
  } catch (const std::exception& error) {
    return Error{.code = Code::kInternal, .message = error.what()};
  }
}

void NoteMove(TransferState& state) { state.last_moved = std::chrono::steady_clock::now(); }

}  // namespace

std::size_t TakeResponseHeader(char* data, std::size_t size, std::size_t count, void* state) {
  auto& transfer = *static_cast<TransferState*>(state);
  NoteMove(transfer);
  const std::string_view line = Trim(std::string_view(data, size * count));
  if (line.starts_with("HTTP/")) {
    transfer.response = Response{.status = StatusOf(line)};
    transfer.header_done = false;
  } else if (line.empty()) {
    transfer.header_done = true;
    const int status = transfer.response.status;
    if (transfer.opened && status >= 200 && status < 300) transfer.opened();
  } else if (const std::size_t colon = line.find(':');
             colon != std::string_view::npos && !transfer.header_done) {
    transfer.response.headers.Add(line.substr(0, colon), Trim(line.substr(colon + 1)));
  }
  return size * count;
}

std::size_t TakeResponseBody(char* data, std::size_t size, std::size_t count, void* state) {
  auto& transfer = *static_cast<TransferState*>(state);
  const std::span bytes(data, size * count);
  const int status = transfer.response.status;
  if (transfer.sink != nullptr && status >= 200 && status < 300) {
    transfer.sink_used = true;
    Result<void> taken = GiveToSink(transfer, std::as_bytes(bytes));
    NoteMove(transfer);
    if (taken) return bytes.size();
    transfer.failure = std::move(taken).error();
    return 0;
  }
  NoteMove(transfer);
  std::string& body = transfer.response.body;
  if (std::cmp_greater(body.size() + bytes.size(), transfer.body_bytes_max)) {
    transfer.failure = Error{
        .code = Code::kResourceExhausted,
        .message = fmt::format("response body has more than {} bytes", transfer.body_bytes_max),
        .id = "Response.TooLarge"};
    return 0;
  }
  body.append(bytes.data(), bytes.size());
  return bytes.size();
}

std::size_t ReadRequestBody(char* data, std::size_t size, std::size_t count, void* state) {
  auto& transfer = *static_cast<TransferState*>(state);
  Result<std::size_t> got =
      ReadOnce(transfer, std::as_writable_bytes(std::span(data, size * count)));
  NoteMove(transfer);
  if (got) return *got;
  transfer.failure = std::move(got).error();
  return CURL_READFUNC_ABORT;
}

int NoteProgress(void* state, std::int64_t /*down_total*/, std::int64_t down,
                 std::int64_t /*up_total*/, std::int64_t up) {
  auto& transfer = *static_cast<TransferState*>(state);
  if (down + up != transfer.moved) {
    transfer.moved = down + up;
    NoteMove(transfer);
  }
  return 0;
}

}  // namespace slipway::http
