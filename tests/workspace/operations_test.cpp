// SPDX-License-Identifier: Apache-2.0
#include "workspace/operations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tests/support/tempdir.h"

namespace slipway::workspace {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong{20'000};

class OperationsTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open(const OperationsOptions& options = {}) {
    operations_.reset();
    store_.reset();
    database_.reset();
    auto database = Database::Open(folder_ / "slipway.db");
    ASSERT_TRUE(database) << database.error().message;
    database_ = *std::move(database);
    auto store = Store::Open(*database_, SystemClock());
    ASSERT_TRUE(store) << store.error().message;
    store_ = *std::move(store);
    operations_ = Operations::Make(*store_, SystemClock(), options);
  }
  api::Operation Ended(const std::string& id) {
    std::int64_t seen = 0;
    while (true) {
      const auto news = operations_->Wait(id, seen, kLong);
      EXPECT_TRUE(news);
      if (!news || news->ended) break;
      seen += static_cast<std::int64_t>(news->events.size());
    }
    return operations_->Get(id) ? *operations_->Get(id) : api::Operation();
  }
  Result<api::Operation> Start(std::function<Result<void>(Progress&)> run) {
    return operations_->Start({.kind = "test", .workspace = "", .run = std::move(run)});
  }

  testing::TempDir folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Operations> operations_;
};

TEST_F(OperationsTest, SucceedsWithItsEvents) {
  const auto started = Start([](Progress& progress) -> Result<void> {
    progress.Phase("one", 10);
    progress.Log("line");
    progress.Phase("two", 60);
    return {};
  });
  ASSERT_TRUE(started);
  EXPECT_EQ(started->state, "NotStarted");
  const api::Operation ended = Ended(started->id);
  EXPECT_EQ(ended.state, "Succeeded");
  EXPECT_EQ(ended.percent, 100);
  EXPECT_EQ(ended.phase, "two");
  EXPECT_EQ(ended.log, (std::vector<std::string>{"one", "line", "two"}));
  Open();
  const auto kept = operations_->Get(started->id);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->log, ended.log);
  EXPECT_EQ(kept->state, "Succeeded");
}

TEST_F(OperationsTest, FailsWithItsReason) {
  bool failed = false;
  const auto started = operations_->Start({.kind = "test",
                                           .run = [](Progress&) -> Result<void> {
                                             return Error{.code = Code::kNotFound,
                                                          .message = "no such thing",
                                                          .id = "Thing.NotFound",
                                                          .fix = "look elsewhere"};
                                           },
                                           .fail = [&failed](const Error&) -> Result<void> {
                                             failed = true;
                                             return {};
                                           }});
  ASSERT_TRUE(started);
  const api::Operation ended = Ended(started->id);
  EXPECT_EQ(ended.state, "Failed");
  EXPECT_EQ(ended.error_code, "Thing.NotFound");
  EXPECT_EQ(ended.error, "no such thing");
  EXPECT_EQ(ended.fix, "look elsewhere");
  EXPECT_TRUE(failed);
}

TEST_F(OperationsTest, WhatPrepareRefusesLeavesNothing) {
  const auto started =
      operations_->Start({.kind = "test",
                          .prepare = [](const std::string&) -> Result<std::string> {
                            return Error{.code = Code::kAlreadyExists, .message = "taken"};
                          },
                          .run = [](Progress&) -> Result<void> { return {}; }});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::kAlreadyExists);
  const auto page = store_->ListOperations("", {});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->items.empty());
  EXPECT_EQ(operations_->counts().waiting, 0);
}

TEST_F(OperationsTest, AFailureToWriteTheEndIsAFailure) {
  const auto started = operations_->Start({.kind = "test",
                                           .run = [](Progress&) -> Result<void> { return {}; },
                                           .succeed = []() -> Result<void> {
                                             return Error{.code = Code::kResourceExhausted,
                                                          .message = "the disk is full"};
                                           }});
  ASSERT_TRUE(started);
  const api::Operation ended = Ended(started->id);
  EXPECT_EQ(ended.state, "Failed");
  EXPECT_EQ(ended.error, "the disk is full");
}

TEST_F(OperationsTest, CancelEndsIt) {
  std::promise<void> running;
  const auto started = Start([&running](Progress& progress) -> Result<void> {
    running.set_value();
    while (!progress.Cancelled()) SystemClock().Sleep(milliseconds(1));
    return Error{.code = Code::kUnavailable, .message = "stopped half-way"};
  });
  ASSERT_TRUE(started);
  running.get_future().wait();
  ASSERT_TRUE(operations_->Cancel(started->id));
  const api::Operation ended = Ended(started->id);
  EXPECT_EQ(ended.state, "Cancelled");
  EXPECT_EQ(ended.error_code, "Operation.Cancelled");
  const auto again = operations_->Cancel(started->id);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().id, "Operation.Ended");
}

TEST_F(OperationsTest, QueueIsBounded) {
  Open({.threads = 1, .pending_max = 2});
  std::promise<void> running, release;
  auto gate = release.get_future().share();
  ASSERT_TRUE(Start([&running, gate](Progress&) -> Result<void> {
    running.set_value();
    gate.wait();
    return {};
  }));
  running.get_future().wait();
  const auto quick = [](Progress&) -> Result<void> { return {}; };
  const auto second = Start(quick);
  const auto third = Start(quick);
  ASSERT_TRUE(second && third);
  const auto fourth = Start(quick);
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().id, "Operation.QueueFull");
  release.set_value();
  EXPECT_EQ(Ended(third->id).state, "Succeeded");
}

TEST_F(OperationsTest, StopInterruptsWhatDoesNotEnd) {
  std::promise<void> running;
  const auto started = Start([&running](Progress& progress) -> Result<void> {
    running.set_value();
    while (!progress.Cancelled()) SystemClock().Sleep(milliseconds(1));
    return Error{.code = Code::kUnavailable, .message = "stopped half-way"};
  });
  ASSERT_TRUE(started);
  running.get_future().wait();
  operations_->Stop(milliseconds(10));
  const auto ended = store_->GetOperation(started->id);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->state, "Failed");
  EXPECT_EQ(ended->error_code, "Operation.Interrupted");
  const auto late = Start([](Progress&) -> Result<void> { return {}; });
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnavailable);
}

TEST_F(OperationsTest, RecoverMarksWhatWasCutOff) {
  api::Operation cut_off;
  cut_off.id = "a1";
  cut_off.kind = "image.create";
  cut_off.state = "NotStarted";
  cut_off.created_time = FormatTime(SystemClock().Now());
  ASSERT_TRUE(store_->InsertOperation(cut_off));
  const auto recovered = operations_->Recover();
  ASSERT_TRUE(recovered);
  ASSERT_EQ(recovered->size(), 1u);
  const auto operation = operations_->Get("a1");
  ASSERT_TRUE(operation);
  EXPECT_EQ(operation->state, "Failed");
  EXPECT_EQ(operation->error_code, "Operation.Interrupted");
  EXPECT_FALSE(operation->error_cause.empty());
  EXPECT_FALSE(operation->ended_time.empty());
}

}  // namespace
}  // namespace slipway::workspace
