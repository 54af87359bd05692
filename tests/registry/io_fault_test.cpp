// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include "tests/registry/fault_vfs.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

constexpr int kMostSteps = 400;

class IoFaultTest : public ::testing::TestWithParam<int> {
 protected:
  FaultVfs faults_;
  slipway::testing::TempDir folder_;
};

RegisterRequest Tagged(const Store& store) {
  RegisterRequest request = store.Request("m", "content");
  request.tags = {{"a", "1"}, {"b", "2"}};
  request.description = std::string(12'000, 'd');
  return request;
}

void ExpectWhole(const Store& store, std::int64_t version) {
  const ModelVersion model = Must(store.registry->Get("w", "m", version));
  EXPECT_EQ(model.files.size(), 1U);
  EXPECT_EQ(model.tags.size(), 2U);
  EXPECT_EQ(model.description.size(), 12'000U);
}

void ExpectSound(const Store& store) {
  std::string check;
  Must(store.database->Query("PRAGMA integrity_check", {},
                             [&](const Row& row) { check = row.Text(0); }));
  EXPECT_EQ(check, "ok");
}

TEST_P(IoFaultTest, RegisterIsAllOrNothingWhicheverStepFails) {
  int step = 1;
  for (bool reached = true; reached && step < kMostSteps; ++step) {
    const auto folder = folder_ / std::to_string(step);
    std::filesystem::create_directory(folder);
    std::int64_t kept = 0;
    {
      Store store(folder);
      ASSERT_NE(store.registry, nullptr);
      for (; kept < 3; ++kept) Must(store.registry->Register(Tagged(store)));
      const RegisterRequest request = Tagged(store);
      faults_.Arm(step, GetParam());
      const auto failed = store.registry->Register(request);
      reached = faults_.struck();
      faults_.Disarm();
      EXPECT_NE(failed.has_value(), reached) << "step " << step;
      if (!failed) {
        EXPECT_EQ(failed.error().code, Code::kResourceExhausted) << failed.error().message;
        EXPECT_EQ(Must(store.registry->Get("w", "m", 0)).version, kept) << "step " << step;
      } else {
        kept = failed->version;
      }
      const ModelVersion next = Must(store.registry->Register(Tagged(store)));
      EXPECT_GT(next.version, kept);
      kept = next.version;
      ExpectSound(store);
    }
    Store store(folder);
    for (std::int64_t version = 1; version <= kept; ++version) ExpectWhole(store, version);
    ExpectSound(store);
  }
  EXPECT_GT(step, 5);
  EXPECT_LT(step, kMostSteps);
}

TEST_P(IoFaultTest, OpenCanBeTriedAgainWhicheverStepFails) {
  int step = 1;
  for (bool reached = true; reached && step < kMostSteps; ++step) {
    const auto folder = folder_ / std::to_string(step);
    std::filesystem::create_directory(folder);
    const auto blobs = Must(BlobStore::Open(folder / "blobs"));
    SteppingClock clock;
    {
      faults_.Arm(step, GetParam());
      auto database = Database::Open(folder / "slipway.db");
      const bool opened = database && Registry::Open(**database, *blobs, clock);
      reached = faults_.struck();
      EXPECT_NE(opened, reached) << "step " << step;
      faults_.Disarm();
    }
    Store store(folder);
    ASSERT_NE(store.registry, nullptr) << "step " << step;
    EXPECT_EQ(Must(store.registry->Register(Tagged(store))).version, 1);
    ExpectSound(store);
  }
  EXPECT_GT(step, 5);
  EXPECT_LT(step, kMostSteps);
}

INSTANTIATE_TEST_SUITE_P(Registry, IoFaultTest, ::testing::Values(SQLITE_IOERR_WRITE, SQLITE_FULL),
                         [](const auto& test) {
                           return test.param == SQLITE_FULL ? "Full" : "WriteError";
                         });

}  // namespace
}  // namespace slipway::registry::testing
