// SPDX-License-Identifier: Apache-2.0
#include "deployer/deployer.h"

#include <gtest/gtest.h>

#include <set>

#include "deployer/causes.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

class SteppingClock final : public Clock {
 public:
  TimePoint Now() override { return TimePoint(slept); }
  std::chrono::steady_clock::time_point Steady() override {
    return std::chrono::steady_clock::time_point(slept);
  }
  void Sleep(std::chrono::milliseconds duration) override { slept += duration; }
  std::chrono::milliseconds slept{0};
};

/// Shows what the script says, the last for ever.
class ScriptedDriver final : public Driver {
 public:
  explicit ScriptedDriver(std::vector<Observed> script) : script_(std::move(script)) {}
  Result<void> Apply(const DeploySpec&) override { return {}; }
  Result<Observed> Observe(const ServiceKey&) override {
    const std::size_t at = std::min(observed_++, script_.size() - 1);
    return script_[at];
  }
  Result<std::string> Logs(const ServiceKey&, std::int64_t) override { return std::string(); }
  Result<void> Remove(const ServiceKey&) override { return {}; }
  Result<void> Suspend() override { return {}; }
  Result<void> Resume() override { return {}; }

 private:
  std::vector<Observed> script_;
  std::size_t observed_ = 0;
};

Observed Now(Phase phase, std::string cause = "", std::string detail = "") {
  Observed observed;
  observed.phase = phase;
  observed.cause = std::move(cause);
  observed.detail = std::move(detail);
  return observed;
}

TEST(WaitReadyTest, WaitsUntilHealthy) {
  SteppingClock clock;
  ScriptedDriver driver(
      {Now(Phase::kPending), Now(Phase::kUnhealthy, "Exited"), Now(Phase::kHealthy)});
  auto ready = WaitReady(driver, {"w", "s"}, clock);
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->phase, Phase::kHealthy);
  EXPECT_GT(clock.slept.count(), 0);
}

TEST(WaitReadyTest, TellsWhyItFailed) {
  SteppingClock clock;
  Observed failed = Now(Phase::kFailed, "ModelInvalid", "exit status 3");
  failed.log_line = "no such operator";
  ScriptedDriver driver({Now(Phase::kPending), failed});
  auto ready = WaitReady(driver, {"w", "s"}, clock);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().id, "Service.ModelInvalid");
  EXPECT_EQ(ready.error().code, Code::kInvalidArgument);
  EXPECT_EQ(ready.error().message, "service s: exit status 3 (log: no such operator)");
  EXPECT_FALSE(ready.error().fix.empty());
}

TEST(WaitReadyTest, TimeIsUp) {
  SteppingClock clock;
  ScriptedDriver driver({Now(Phase::kPending, "", "loading")});
  auto ready = WaitReady(driver, {"w", "s"}, clock, {.timeout = std::chrono::milliseconds(2000)});
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(ready.error().id, "Service.NotReady");
  EXPECT_NE(ready.error().message.find("loading"), std::string::npos);
  EXPECT_GE(clock.slept.count(), 2000);
  EXPECT_LT(clock.slept.count(), 2500);
}

TEST(WaitReadyTest, CanBeCancelled) {
  SteppingClock clock;
  ScriptedDriver driver({Now(Phase::kPending)});
  int asked = 0;
  auto ready = WaitReady(driver, {"w", "s"}, clock, {.cancelled = [&] { return ++asked == 3; }});
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().id, "Service.Cancelled");
}

TEST(CausesTest, CodesAreDistinctAndExplained) {
  std::set<std::string_view> codes;
  for (const Cause& cause : Causes()) {
    EXPECT_TRUE(codes.insert(cause.code).second) << cause.code;
    EXPECT_FALSE(cause.meaning.empty() || cause.fix.empty()) << cause.code;
    EXPECT_EQ(CauseOf(cause.code).code, cause.code);
  }
  EXPECT_EQ(CauseOf("none such").code, "Exited");
}

TEST(TargetsTest, UnknownTargetListsTheKnown) {
  testing::TempDir state;
  auto client = http::MakeClient({});
  auto targets = Targets::Make({.run_folder = state / "run",
                                .log_folder = state / "logs",
                                .http = *client,
                                .clock = SystemClock()});
  auto driver = targets->Find("proces");
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().id, "Target.Unknown");
  EXPECT_NE(driver.error().message.find("process"), std::string::npos);
  EXPECT_EQ(*targets->Find("process"), *targets->Find("process"));
}

}  // namespace
}  // namespace slipway::deployer
