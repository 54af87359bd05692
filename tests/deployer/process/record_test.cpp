// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/record.h"

#include <gtest/gtest.h>

namespace slipway::deployer {
namespace {

ServiceRecord Sample() {
  ServiceRecord record;
  record.key = {"work", "digits"};
  record.host = "127.0.0.1";
  record.port = 4711;
  record.restarts = 3;
  record.suspended = true;
  InstanceRecord instance;
  instance.spec = {.workspace = "work",
                   .service = "digits",
                   .revision = 7,
                   .image_reference = "digits:7",
                   .image_digest = "sha256:ab",
                   .rootfs = "/r",
                   .entrypoint = {"/bin/x", "--config", "/c"},
                   .environment = {"A=1"},
                   .cpu_cores = 1.5,
                   .memory_gb = 0.25,
                   .labels = {{"k", "v"}}};
  instance.id = {.pid = 12, .start_ticks = 99};
  instance.token = "abcd";
  instance.listen_fd = 6;
  instance.health_port = 5555;
  record.current = instance;
  return record;
}

TEST(ProcessRecordTest, ReadsWhatItWrites) {
  const ServiceRecord record = Sample();
  auto read = ParseRecord(RecordText(record));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(RecordText(*read), RecordText(record));
  EXPECT_EQ(read->key, record.key);
  EXPECT_EQ(read->current->id, record.current->id);
  EXPECT_TRUE(SameSpec(read->current->spec, record.current->spec));
  EXPECT_FALSE(read->candidate);
}

TEST(ProcessRecordTest, SpecsDifferByAnyMember) {
  const DeploySpec spec = Sample().current->spec;
  DeploySpec other = spec;
  other.environment.push_back("B=2");
  EXPECT_FALSE(SameSpec(spec, other));
}

TEST(ProcessRecordTest, RefusesDamage) {
  const std::string text = RecordText(Sample());
  for (std::size_t cut = 0; cut + 2 < text.size(); cut += 7) {
    auto read = ParseRecord(text.substr(0, cut));
    ASSERT_FALSE(read) << cut;
    EXPECT_EQ(read.error().id, "Service.RecordDamaged");
  }
  EXPECT_FALSE(ParseRecord(R"({"workspace": 5})"));
  EXPECT_FALSE(ParseRecord("[]"));
}

TEST(ProcessRecordTest, StemsAreDistinct) {
  EXPECT_NE(RecordStem({"a.b", "c"}), RecordStem({"a", "b.c"}));
  EXPECT_EQ(RecordStem({"a", "../c"}).find('/'), std::string::npos);
}

}  // namespace
}  // namespace slipway::deployer
