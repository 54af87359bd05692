// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/probe.h"

#include <gtest/gtest.h>

#include "tests/support/http_fixture.h"

namespace slipway::deployer {
namespace {

using State = ProbeResult::State;

ProbeResult ProbeOf(int status, const std::string& body) {
  const auto server = testing::StartServer(
      testing::LocalOptions(), [&](http::Request&) { return http::JsonResponse(status, body); });
  const auto client = MakeProbeClient();
  return Probe(*client, testing::UrlOf(*server));
}

TEST(Probe, ReadsWhatTheServerSaysOfItself) {
  EXPECT_EQ(ProbeOf(200, R"({"state": "ready", "message": ""})").state, State::kReady);
  EXPECT_EQ(ProbeOf(503, R"({"state": "loading", "message": "m"})").state, State::kWaiting);
  const ProbeResult wrong = ProbeOf(503, R"({"state": "wrong", "message": "0 is not 1"})");
  EXPECT_EQ(wrong.state, State::kWrong);
  EXPECT_EQ(wrong.detail, "0 is not 1");
  EXPECT_EQ(ProbeOf(503, "busy").state, State::kWaiting);
}

TEST(Probe, OneThatFailedIsAboutToEndAndItsStatusSaysWhy) {
  EXPECT_EQ(ProbeOf(503, R"({"state": "failed", "message": "init() raised"})").state,
            State::kWaiting);
}

}  // namespace
}  // namespace slipway::deployer
