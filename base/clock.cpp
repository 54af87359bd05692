// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <fmt/core.h>

#include <cstdint>
#include <optional>
#include <thread>

namespace slipway {
namespace {

class MachineClock final : public Clock {
 public:
  TimePoint Now() override { return std::chrono::system_clock::now(); }
  std::chrono::steady_clock::time_point Steady() override {
    return std::chrono::steady_clock::now();
  }
  void Sleep(std::chrono::milliseconds duration) override { std::this_thread::sleep_for(duration); }
};

/// Takes `digits` decimal digits and then `after` off the front of `text`.
std::optional<int> TakeNumber(std::string_view& text, std::size_t digits, char after) {
  if (text.size() < digits + 1 || text[digits] != after) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits + 1);
  return value;
}

/// Reads `56Z` or `56.789Z`; digits beyond nanoseconds are cut off.
std::optional<std::chrono::nanoseconds> TakeSeconds(std::string_view text) {
  const bool has_fraction = text.size() > 2 && text[2] == '.';
  const std::optional<int> seconds = TakeNumber(text, 2, has_fraction ? '.' : 'Z');
  if (!seconds || *seconds > 59) return std::nullopt;
  std::int64_t nanos = 0;
  if (has_fraction) {
    if (text.size() < 2 || text.back() != 'Z') return std::nullopt;
    text.remove_suffix(1);
    std::int64_t scale = 100'000'000;
    for (const char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      nanos += (c - '0') * scale;
      scale /= 10;
    }
    text = {};
  }
  if (!text.empty()) return std::nullopt;
  return std::chrono::seconds(*seconds) + std::chrono::nanoseconds(nanos);
}

std::optional<TimePoint> ParseParts(std::string_view text) {
  using std::chrono::year_month_day;
  const auto year = TakeNumber(text, 4, '-');
  if (!year) return std::nullopt;
  const auto month = TakeNumber(text, 2, '-');
  if (!month) return std::nullopt;
  const auto day = TakeNumber(text, 2, 'T');
  if (!day) return std::nullopt;
  const auto hour = TakeNumber(text, 2, ':');
  if (!hour || *hour > 23) return std::nullopt;
  const auto minute = TakeNumber(text, 2, ':');
  if (!minute || *minute > 59) return std::nullopt;
  const auto seconds = TakeSeconds(text);
  if (!seconds) return std::nullopt;
  const year_month_day date{std::chrono::year(*year),
                            std::chrono::month(static_cast<unsigned>(*month)),
                            std::chrono::day(static_cast<unsigned>(*day))};
  // Nanoseconds since 1970 in 64 bits reach from 1677 to 2262.
  if (!date.ok() || *year < 1678 || *year > 2261) return std::nullopt;
  return TimePoint(std::chrono::duration_cast<TimePoint::duration>(
      std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) +
      std::chrono::minutes(*minute) + *seconds));
}

}  // namespace

Clock& SystemClock() {
  static MachineClock clock;
  return clock;
}

std::string FormatTime(TimePoint time) {
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto days = std::chrono::floor<std::chrono::days>(millis);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(millis - days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

Result<TimePoint> ParseTime(std::string_view text) {
  if (const std::optional<TimePoint> time = ParseParts(text)) return *time;
  return Error{
      .code = Code::kInvalidArgument,
      .message = fmt::format("time '{}' is not like 2026-03-01T12:34:56Z", text.substr(0, 100))};
}

}  // namespace slipway
