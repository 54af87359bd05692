// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

using ::testing::ElementsAre;

class ProcessCommandTest : public ::testing::Test {
 protected:
  ProcessCommandTest() {
    for (const char* file : {"opt/slipway/bin/serve", "opt/slipway/lib/ld.so", "etc/serve.json"}) {
      const auto path = root_ / file;
      EXPECT_TRUE(MakeFolders(path.parent_path()));
      EXPECT_TRUE(WriteFileAtomic(path, "x"));
    }
    spec_.rootfs = root_.path();
    spec_.image_reference = "digits:1";
  }
  std::string In(const char* path) const { return (root_ / path).string(); }

  testing::TempDir root_;
  DeploySpec spec_;
  CommandOptions options_{.listen_fd = 5, .health_fd = 6, .mark = "/m#1", .log = "/l"};
};

TEST_F(ProcessCommandTest, PutsPathsBelowTheRoot) {
  spec_.entrypoint = {"/opt/slipway/bin/serve", "--config", "/etc/serve.json", "/not/there"};
  spec_.environment = {"A=/etc"};
  auto process = CommandFor(spec_, options_);
  ASSERT_TRUE(process) << process.error().message;
  EXPECT_THAT(
      process->argv,
      ElementsAre(In("opt/slipway/bin/serve"), "--config", In("etc/serve.json"), "/not/there",
                  "--root", root_.path().string(), "--listen", "fd:5", "--health-listen", "fd:6"));
  EXPECT_THAT(process->environment, ElementsAre("A=/etc", "SLIPWAY_INSTANCE=/m#1"));
  EXPECT_THAT(process->keep_fds, ElementsAre(5, 6));
  EXPECT_EQ(process->log, "/l");
}

TEST_F(ProcessCommandTest, PutsListsBelowTheRoot) {
  spec_.entrypoint = {"/opt/slipway/lib/ld.so", "--library-path", "/opt/slipway/lib:/none",
                      "/opt/slipway/bin/serve"};
  auto process = CommandFor(spec_, options_);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->argv[2], In("opt/slipway/lib") + ":/none");
  EXPECT_EQ(process->argv[3], In("opt/slipway/bin/serve"));
}

TEST_F(ProcessCommandTest, RoundsCoresUp) {
  spec_.entrypoint = {"/opt/slipway/bin/serve"};
  spec_.cpu_cores = 1.1;
  auto process = CommandFor(spec_, options_);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->argv.back(), "2");
  EXPECT_EQ(process->argv[process->argv.size() - 2], "--threads");
}

TEST_F(ProcessCommandTest, NamesAMissingProgram) {
  spec_.entrypoint = {"/bin/none"};
  auto process = CommandFor(spec_, options_);
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code, Code::kNotFound);
  EXPECT_EQ(process.error().id, "Service.ProgramMissing");
  EXPECT_EQ(process.error().message, "image digits:1 has no program /bin/none");
  EXPECT_FALSE(process.error().fix.empty());
  spec_.entrypoint = {};
  EXPECT_EQ(CommandFor(spec_, options_).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace slipway::deployer
