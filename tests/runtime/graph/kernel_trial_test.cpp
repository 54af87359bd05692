// SPDX-License-Identifier: Apache-2.0
// Kernels that take as long as the test says, by a clock that they move.
#include "runtime/graph/kernel_trial.h"

#include <gtest/gtest.h>

#include <map>

#include "runtime/device/device.h"

namespace slipway::runtime {
namespace {

using std::chrono::microseconds;

class HandClock final : public Clock {
 public:
  TimePoint Now() override { return {}; }
  std::chrono::steady_clock::time_point Steady() override { return now; }
  void Sleep(std::chrono::milliseconds duration) override { now += duration; }
  std::chrono::steady_clock::time_point now = {};
};

/// What the kernels below do; a test sets it up anew.
struct Stage {
  HandClock clock;
  std::map<std::string, microseconds> time;
  std::map<std::string, int> runs;
  std::string late = {};  ///< whose first run takes long
  bool fails = false;
};
Stage* stage = nullptr;

Result<void> Act(const std::string& name) {
  stage->clock.now += stage->time[name];
  if (stage->late == name) {
    stage->clock.now += std::chrono::milliseconds(10);
    stage->late.clear();
  }
  ++stage->runs[name];
  if (stage->fails) return Error{.code = Code::kInternal, .message = "it fails"};
  return {};
}
Result<void> RunFirst(const NodeFacts&, KernelContext&) { return Act("first"); }
Result<void> RunSecond(const NodeFacts&, KernelContext&) { return Act("second"); }
Result<void> RunThird(const NodeFacts&, KernelContext& context) {
  // Operands are there, and the output is not one of them.
  EXPECT_EQ(context.input(0)->shape(), (Shape{4}));
  EXPECT_EQ(context.output(0).shape(), (Shape{4}));
  EXPECT_NE(context.output(0).raw(), context.input(0)->raw());
  return Act("third");
}
Result<void> RunReference(const NodeFacts&, KernelContext&) { return Act("reference"); }
std::string Always(const NodeFacts&) { return "it never serves"; }

constexpr Kernel kKernels[] = {{.name = "declines", .declines = Always, .run = RunFirst},
                               {.name = "first", .run = RunFirst},
                               {.name = "second", .run = RunSecond},
                               {.name = "first", .run = RunThird},
                               {.name = "third", .run = RunThird},
                               {.name = "the_reference", .run = RunReference}};
constexpr OpDef kOp = {.type = "Test", .signature = "X:float -> Y:float", .kernels = kKernels};
constexpr OpDef kOneKernel = {
    .type = "Test", .signature = "X:float -> Y:float", .kernels = {kKernels, 2}};

class KernelTrial : public ::testing::Test {
 protected:
  void SetUp() override {
    stage = &stage_;
    stage_.time = {{"first", microseconds(100)},
                   {"second", microseconds(100)},
                   {"third", microseconds(100)},
                   {"reference", microseconds(1)}};
    auto device = MakeDeviceContext(Device::kCpu, 1);
    ASSERT_TRUE(device);
    device_ = *device;
  }

  std::optional<MeasuredKernel> Try(const OpDef& op = kOp,
                                    microseconds time = microseconds(1'000'000)) {
    KernelTuner tuner({.measured = std::make_shared<MeasuredKernels>("test"),
                       .budget = std::chrono::seconds(1),
                       .clock = &stage_.clock});
    NodeFacts node{.name = "test",
                   .op = &op,
                   .attributes = {},
                   .inputs = {TensorFacts(DType::kFloat32, {4})},
                   .present = {true},
                   .outputs_wanted = {true},
                   .outputs = {TensorFacts(DType::kFloat32, {4})}};
    return TryKernels(
        node, {}, *device_,
        {.tuner = tuner, .end = stage_.clock.now + time, .other_bytes = other_bytes_});
  }

  Stage stage_;
  std::int64_t other_bytes_ = 0;
  std::shared_ptr<DeviceContext> device_;
};

TEST_F(KernelTrial, TakesTheQuickest) {
  stage_.time["third"] = microseconds(60);
  stage_.time["second"] = microseconds(80);
  const auto measured = Try();
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->kernel, "third");
  EXPECT_EQ(measured->microseconds,
            (std::map<std::string, double>{{"first", 100}, {"second", 80}, {"third", 60}}));
  EXPECT_EQ(stage_.runs["reference"], 0);
  other_bytes_ = std::int64_t{1} << 40;
  EXPECT_EQ(Try(), measured);
}

TEST_F(KernelTrial, KeepsTheFirstUnlessAnotherIsClearlyQuicker) {
  stage_.time["second"] = microseconds(97);
  EXPECT_EQ(Try()->kernel, "first");
  stage_.time["second"] = microseconds(94);
  EXPECT_EQ(Try()->kernel, "second");
}

TEST_F(KernelTrial, TriesNoMoreWhatIsMuchSlower) {
  stage_.time["second"] = microseconds(1000);
  const auto measured = Try();
  ASSERT_TRUE(measured);
  EXPECT_EQ(stage_.runs["second"], 2);
  EXPECT_GE(stage_.runs["first"], 4);
  EXPECT_EQ(measured->microseconds.at("second"), 1000);
}

TEST_F(KernelTrial, AnInterruptionDecidesNothing) {
  for (const char* kernel : {"first", "second"}) {
    stage_.late = kernel;
    stage_.time = {
        {"first", microseconds(100)}, {"second", microseconds(80)}, {"third", microseconds(100)}};
    const auto measured = Try();
    ASSERT_TRUE(measured);
    EXPECT_EQ(measured->kernel, "second") << kernel;
    EXPECT_EQ(measured->microseconds.at("first"), 100);
  }
}

TEST_F(KernelTrial, StopsWhenItIsSure) {
  ASSERT_TRUE(Try());
  EXPECT_LE(stage_.runs["first"], 21);
  stage_.runs.clear();
  for (auto& [name, time] : stage_.time) time = std::chrono::milliseconds(60);
  ASSERT_TRUE(Try());
  EXPECT_EQ(stage_.runs["first"], 2);
}

TEST_F(KernelTrial, SaysNothingWithoutTime) {
  EXPECT_FALSE(Try(kOp, microseconds(0)));
  EXPECT_EQ(stage_.runs["first"], 0);
  EXPECT_FALSE(Try(kOp, microseconds(150)));
  EXPECT_LE(stage_.runs["first"] + stage_.runs["second"] + stage_.runs["third"], 2);
}

TEST_F(KernelTrial, SaysNothingOfOneKernelOrOneThatFails) {
  EXPECT_FALSE(Try(kOneKernel));
  EXPECT_EQ(stage_.runs["first"], 0);
  stage_.fails = true;
  EXPECT_FALSE(Try());
}

}  // namespace
}  // namespace slipway::runtime
