// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/blob_store.h"
#include "base/clock.h"
#include "registry/db.h"
#include "registry/registry.h"
#include "tests/support/tempdir.h"

namespace slipway {

inline void PrintTo(const Error& error, std::ostream* out) {
  *out << ErrorId(error) << ": " << error.message;
}

}  // namespace slipway

namespace slipway::registry::testing {

/// The value, or a test failure that says why and an empty one where its type has that.
template <class T>
T Must(Result<T> result) {
  if (result) return *std::move(result);
  ADD_FAILURE() << ErrorId(result.error()) << ": " << result.error().message;
  if constexpr (std::is_default_constructible_v<T>) return T{};
  std::abort();
}
inline void Must(Result<void> result) {
  if (!result) ADD_FAILURE() << ErrorId(result.error()) << ": " << result.error().message;
}

/// Why it failed; a test failure if it did not.
template <class T>
Error MustFail(const Result<T>& result) {
  if (!result) return result.error();
  ADD_FAILURE() << "expected a failure";
  return {};
}

MATCHER_P2(FailsWith, code, id, "") {
  if (arg.has_value()) {
    *result_listener << "which has a value";
    return false;
  }
  *result_listener << "which is " << ErrorId(arg.error()) << ": " << arg.error().message;
  return arg.error().code == code && arg.error().id == id;
}

/// Goes on by a second each time it is asked.
class SteppingClock final : public Clock {
 public:
  TimePoint Now() override { return TimePoint(std::chrono::seconds(++seconds_)); }
  std::chrono::steady_clock::time_point Steady() override {
    return std::chrono::steady_clock::now();
  }
  void Sleep(std::chrono::milliseconds) override {}

 private:
  std::atomic<std::int64_t> seconds_ = 1'700'000'000;
};

/// A state folder with all that a registry needs.
struct Store {
  explicit Store(const std::filesystem::path& folder)
      : blobs(Must(BlobStore::Open(folder / "blobs"))),
        database(Must(Database::Open(folder / "slipway.db"))) {
    if (blobs != nullptr && database != nullptr) {
      registry = Must(Registry::Open(*database, *blobs, clock));
    }
  }

  ModelFile Put(std::string path, std::string_view content) const {
    const auto stored = blobs->PutText(content);
    if (!stored) {
      ADD_FAILURE() << stored.error().message;
      return {};
    }
    return {.path = std::move(path), .digest = stored->digest.text(), .size = stored->size};
  }
  RegisterRequest Request(std::string name, std::string_view content) const {
    return {.workspace = "w", .name = std::move(name), .files = {Put("weights.bin", content)}};
  }

  SteppingClock clock;
  std::unique_ptr<BlobStore> blobs;
  std::unique_ptr<Database> database;
  std::unique_ptr<Registry> registry;
};

class RegistryTest : public ::testing::Test {
 protected:
  ModelVersion Register(const std::string& name, std::string_view content = "content") {
    return Must(store_.registry->Register(store_.Request(name, content)));
  }
  std::int64_t Count(const std::string& table) {
    std::int64_t count = -1;
    Must(store_.database->Query("SELECT count(*) FROM " + table, {},
                                [&](const Row& row) { count = row.Int(0); }));
    return count;
  }

  slipway::testing::TempDir folder_;
  Store store_{folder_.path()};
  Registry& registry_ = *store_.registry;
};

}  // namespace slipway::registry::testing
