// SPDX-License-Identifier: Apache-2.0
#include "base/http/response_head.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "base/http/field_name.h"

namespace slipway::http {
namespace {

/// What most heads take.
constexpr std::size_t kHeadBytes = 512;

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}

bool IsDigits(std::string_view text) {
  return !text.empty() && text.size() < 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsOurs(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOurs = {"content-length", "transfer-encoding",
                                                     "connection", "keep-alive", "date"};
  return std::any_of(kOurs.begin(), kOurs.end(),
                     [name](std::string_view ours) { return SameName(name, ours); });
}

bool IsControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f';
}

/// Whether a byte may be one; looks at eight at a time. Never not where there is one.
bool MayHoldControls(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x80 * kOnes;
  for (; text.size() >= sizeof kOnes; text.remove_prefix(sizeof kOnes)) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    const std::uint64_t deleted = bytes ^ (0x7f * kOnes);
    const std::uint64_t found = ((bytes - 0x20 * kOnes) & ~bytes) | ((deleted - kOnes) & ~deleted);
    if ((found & kHigh) != 0) return true;
  }
  return std::any_of(text.begin(), text.end(), IsControl);
}

void AppendField(std::string& head, std::string_view name, std::string_view value) {
  if (!IsToken(name)) return;
  head.append(name).append(": ");
  const std::size_t begin = head.size();
  head.append(value).append("\r\n");
  if (!MayHoldControls(value)) return;
  std::replace_if(head.begin() + static_cast<std::ptrdiff_t>(begin), head.end() - 2, IsControl,
                  ' ');
}

/// The date of this second, as the thread has written it for the response before.
const std::string& DateOf(TimePoint now) {
  thread_local std::chrono::sys_seconds second = {};
  thread_local std::string date;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  if (date.empty() || second != seconds) {
    second = seconds;
    date = FormatHttpDate(now);
  }
  return date;
}

/// Length to declare: the body's, or what the handler of a HEAD says the body would have.
std::string LengthOf(const Response& response, const HeadContext& context) {
  if (response.body_reader) return std::to_string(response.body_size);
  const std::string_view declared = response.headers.Get("Content-Length");
  if (context.is_head && response.body.empty() && IsDigits(declared)) return std::string(declared);
  return std::to_string(response.body.size());
}

}  // namespace

Framing FramingOf(const Response& response, const HeadContext& context) {
  if (response.status == 204 || response.status == 304) return Framing::kNone;
  if (!response.body_reader || response.body_size >= 0) return Framing::kLength;
  return context.is_http_1_0 ? Framing::kUntilClose : Framing::kChunked;
}

void AppendHead(const Response& response, const HeadContext& context, TimePoint now,
                std::string& head) {
  head.reserve(head.size() + kHeadBytes);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head.append(ReasonPhrase(response.status)).append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (!IsOurs(name)) AppendField(head, name, value);
  }
  const Framing framing = FramingOf(response, context);
  if (framing == Framing::kLength) {
    head.append("Content-Length: ").append(LengthOf(response, context)).append("\r\n");
  }
  if (framing == Framing::kChunked) AppendField(head, "Transfer-Encoding", "chunked");
  if (context.close) {
    AppendField(head, "Connection", "close");
  } else if (context.is_http_1_0) {
    AppendField(head, "Connection", "keep-alive");
  }
  head.append("Date: ").append(DateOf(now)).append("\r\n\r\n");
}

std::string FormatHttpDate(TimePoint time) {
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                            "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto days = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(seconds - days);
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(days).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

}  // namespace slipway::http
