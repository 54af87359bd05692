// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace slipway::server {
namespace {

constexpr double kBytesPerSecond = 1 << 20, kBurstBytes = 4 << 20;
constexpr std::size_t kLineBytesMax = 16 << 10, kReadBytes = 64 << 10;
constexpr int kReadsPerPump = 64;

}  // namespace

LineSink StandardSink() {
  return [](bool is_error, std::string_view lines) {
    // A log that cannot be written must not stop the answers.
    static_cast<void>(WriteAll(is_error ? STDERR_FILENO : STDOUT_FILENO,
                               std::as_bytes(std::span(lines.data(), lines.size()))));
  };
}

OutputRelay::OutputRelay(UniqueFd out, UniqueFd err, LineSink sink)
    : sink_(std::move(sink)), budget_(kBurstBytes), budget_at_(std::chrono::steady_clock::now()) {
  streams_[0].fd = std::move(out);
  streams_[1].fd = std::move(err);
}

int OutputRelay::out_fd() const {
  const std::lock_guard lock(mutex_);
  return streams_[0].closed ? -1 : streams_[0].fd.get();
}

int OutputRelay::err_fd() const {
  const std::lock_guard lock(mutex_);
  return streams_[1].closed ? -1 : streams_[1].fd.get();
}

void OutputRelay::Pump() {
  const std::lock_guard lock(mutex_);
  for (const bool is_error : {false, true}) {
    for (int i = 0; i < kReadsPerPump && PumpSome(is_error); ++i) {
    }
  }
}

void OutputRelay::BeginRequest(std::string_view id) {
  const std::lock_guard lock(mutex_);
  id_ = id;
}

void OutputRelay::EndRequest() {
  Pump();
  const std::lock_guard lock(mutex_);
  FlushPartial(false);
  FlushPartial(true);
  id_ = kNoRequestId;
}

/// Reads once. False where there is nothing more now.
bool OutputRelay::PumpSome(bool is_error) {
  Stream& stream = streams_[is_error ? 1 : 0];
  if (stream.closed) return false;
  std::array<char, kReadBytes> room;
  const ssize_t got = ::read(stream.fd.get(), room.data(), room.size());
  if (got > 0) {
    Pass(is_error, {room.data(), static_cast<std::size_t>(got)});
    return got == static_cast<ssize_t>(room.size());
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  stream.closed = true;
  FlushPartial(is_error);
  return false;
}

void OutputRelay::Pass(bool is_error, std::string_view text) {
  std::string& partial = streams_[is_error ? 1 : 0].partial;
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t take =
        std::min(end == std::string_view::npos ? text.size() : end, kLineBytesMax - partial.size());
    partial += text.substr(0, take);
    text.remove_prefix(take);
    const bool whole = !text.empty() && text.front() == '\n';
    if (whole) text.remove_prefix(1);
    if (!whole && partial.size() < kLineBytesMax) break;
    Emit(partial, lines);
    partial.clear();
  }
  if (!lines.empty()) sink_(is_error, lines);
}

void OutputRelay::FlushPartial(bool is_error) {
  std::string& partial = streams_[is_error ? 1 : 0].partial;
  if (partial.empty()) return;
  std::string lines;
  Emit(partial, lines);
  partial.clear();
  if (!lines.empty()) sink_(is_error, lines);
}

/// Whether that many bytes may still be written; if so they count.
bool OutputRelay::Afford(std::size_t bytes) {
  const Time now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - budget_at_).count();
  budget_ = std::min(kBurstBytes, budget_ + seconds * kBytesPerSecond);
  budget_at_ = now;
  // Once lines are left out it goes on for a while, so that what is left out comes in one piece.
  const double wanted = dropped_lines_ > 0 ? kBytesPerSecond : static_cast<double>(bytes);
  if (budget_ < wanted) return false;
  budget_ -= static_cast<double>(bytes);
  return true;
}

void OutputRelay::Emit(std::string_view line, std::string& lines) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!Afford(line.size() + id_.size())) {
    ++dropped_lines_;
    return;
  }
  if (dropped_lines_ > 0) {
    lines += fmt::format("{},({} lines left out: the script writes too fast)\n", id_,
                         std::exchange(dropped_lines_, 0));
  }
  lines += id_;
  lines += ',';
  lines += line;
  lines += '\n';
}

}  // namespace slipway::server
