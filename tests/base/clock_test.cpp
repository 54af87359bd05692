// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(ClockTest, FormatsUtcWithMilliseconds) {
  EXPECT_EQ(FormatTime(TimePoint()), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(TimePoint(std::chrono::milliseconds(1772368496789))),
            "2026-03-01T12:34:56.789Z");
  EXPECT_EQ(FormatTime(TimePoint(std::chrono::milliseconds(-1))), "1969-12-31T23:59:59.999Z");
}

TEST(ClockTest, ParseReadsWhatFormatWrites) {
  for (const std::int64_t millis : {0L, 1772368496789L, 951827696001L, -86400001L}) {
    const TimePoint time{std::chrono::milliseconds(millis)};
    EXPECT_EQ(*ParseTime(FormatTime(time)), time);
  }
}

TEST(ClockTest, TheFractionIsOptionalAndOfAnyLength) {
  const TimePoint whole{std::chrono::seconds(1772368496)};
  EXPECT_EQ(*ParseTime("2026-03-01T12:34:56Z"), whole);
  EXPECT_EQ(*ParseTime("2026-03-01T12:34:56.5Z"), whole + std::chrono::milliseconds(500));
  EXPECT_EQ(
      *ParseTime("2026-03-01T12:34:56.123456789123Z"),
      whole + std::chrono::duration_cast<TimePoint::duration>(std::chrono::nanoseconds(123456789)));
}

TEST(ClockTest, RefusesWhatIsNoTime) {
  for (const std::string_view text :
       {"", "now", "2026-03-01", "2026-03-01T12:34:56", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z",
        "2026-03-01T12:34:60Z", "2026-03-01T12:34:56.Z", "2026-03-01T12:34:56.1",
        "2026-03-01T12:34:56Zx", "2026-03-01 12:34:56Z", "-026-03-01T12:34:56Z",
        "9999-03-01T12:34:56Z", "2026-03-01T12:34:56+01:00"}) {
    const Result<TimePoint> time = ParseTime(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, Code::kInvalidArgument);
  }
}

TEST(ClockTest, TheMachinesClockMoves) {
  const auto before = SystemClock().Steady();
  SystemClock().Sleep(std::chrono::milliseconds(5));
  EXPECT_GE(SystemClock().Steady() - before, std::chrono::milliseconds(5));
  EXPECT_GT(SystemClock().Now(), TimePoint(std::chrono::hours(24 * 365 * 50)));
}

}  // namespace
}  // namespace slipway
