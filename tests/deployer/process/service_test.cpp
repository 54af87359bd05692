// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/service.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

/// One service with times short enough for a test.
class ProcessServiceTest : public ::testing::Test {
 protected:
  ProcessServiceTest() : probes_(MakeProbeClient()) {
    EXPECT_TRUE(MakeFolders(state_ / "bin"));
    fs::copy_file(fs::path(SLIPWAY_BINARY_DIR) / "bin/fake_serve", state_ / "bin/fake_serve");
    service_ = ProcessService::New(
        {"w", "s"}, {state_ / "s.json", state_ / "s.log"}, *probes_,
        {.grace = milliseconds(300), .takeover = milliseconds(700), .startup = milliseconds(300)});
  }
  ~ProcessServiceTest() override { EXPECT_TRUE(service_->Remove()); }

  Result<void> Apply(const std::string& mode, std::int64_t revision = 1) {
    return service_->Apply({.workspace = "w",
                            .service = "s",
                            .revision = revision,
                            .rootfs = state_.path(),
                            .entrypoint = {"/bin/fake_serve", "--mode", mode}});
  }
  Observed Until(Phase phase) {
    Observed observed;
    for (int i = 0; i < 3000 && observed.phase != phase; ++i) {
      observed = *service_->Observe();
      if (observed.phase == phase) break;
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_EQ(observed.phase, phase) << observed.cause << ": " << observed.detail;
    return observed;
  }
  ProcessId Current() const {
    return ParseRecord(*ReadFile(state_ / "s.json", 1 << 20))->current->id;
  }

  testing::TempDir state_;
  std::unique_ptr<http::Client> probes_;
  std::unique_ptr<ProcessService> service_;
};

TEST_F(ProcessServiceTest, AProgramThatIgnoresSigtermIsKilled) {
  ASSERT_TRUE(Apply("stubborn"));
  Until(Phase::kHealthy);
  const ProcessId id = Current();
  ASSERT_TRUE(service_->Suspend());
  EXPECT_FALSE(IsRunning(id));
}

TEST_F(ProcessServiceTest, AnOldRevisionThatIgnoresSigtermIsKilled) {
  ASSERT_TRUE(Apply("stubborn", 1));
  Until(Phase::kHealthy);
  const ProcessId old = Current();
  ASSERT_TRUE(Apply("ok", 2));
  EXPECT_EQ(Until(Phase::kHealthy).revision, 2);
  EXPECT_TRUE(WaitForExit(old, milliseconds(30'000)) || !IsRunning(old));
}

TEST_F(ProcessServiceTest, ARevisionThatHangsDoesNotTakeOver) {
  ASSERT_TRUE(Apply("ok", 1));
  Until(Phase::kHealthy);
  const ProcessId old = Current();
  ASSERT_TRUE(Apply("hang", 2));
  EXPECT_EQ(service_->Observe()->phase, Phase::kPending);
  const Observed failed = Until(Phase::kFailed);
  EXPECT_EQ(failed.cause, "NotReady");
  EXPECT_EQ(failed.revision, 1);
  EXPECT_TRUE(IsRunning(old));
}

TEST_F(ProcessServiceTest, AFirstStartThatHangsBecomesUnhealthy) {
  ASSERT_TRUE(Apply("hang"));
  EXPECT_EQ(service_->Observe()->phase, Phase::kPending);
  EXPECT_EQ(Until(Phase::kUnhealthy).cause, "NotReady");
}

TEST_F(ProcessServiceTest, ANewPortIsTakenWithTheNewRevision) {
  ASSERT_TRUE(Apply("ok", 1));
  const Observed before = Until(Phase::kHealthy);
  DeploySpec spec{.workspace = "w",
                  .service = "s",
                  .revision = 2,
                  .rootfs = state_.path(),
                  .entrypoint = {"/bin/fake_serve", "--mode", "ok"},
                  .host = "127.0.0.2"};
  ASSERT_TRUE(service_->Apply(spec));
  const Observed after = Until(Phase::kHealthy);
  EXPECT_EQ(after.revision, 2);
  EXPECT_NE(after.endpoint, before.endpoint);
  EXPECT_TRUE(after.endpoint.starts_with("http://127.0.0.2:")) << after.endpoint;
  http::Request request;
  request.target = after.endpoint + "/";
  auto response = probes_->Send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "hello");
}

}  // namespace
}  // namespace slipway::deployer
