// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/limits.h"

namespace slipway {
namespace {

constexpr Code kAll[] = {
    Code::kInvalidArgument,  Code::kNotFound,      Code::kAlreadyExists, Code::kFailedPrecondition,
    Code::kPermissionDenied, Code::kUnimplemented, Code::kUnavailable,   Code::kResourceExhausted,
    Code::kDeadlineExceeded, Code::kDataLoss,      Code::kInternal};

TEST(ResultTest, WithinKeepsTheInnermostMessageAsCause) {
  Error error = Within("loading a.onnx", {.code = Code::kNotFound, .message = "no such file"});
  EXPECT_EQ(error.message, "loading a.onnx: no such file");
  EXPECT_EQ(error.cause, "no such file");
  error = Within("registering", error);
  EXPECT_EQ(error.message, "registering: loading a.onnx: no such file");
  EXPECT_EQ(error.cause, "no such file");
}

TEST(ResultTest, IdComesFromTheCodeWhereThereIsNone) {
  EXPECT_EQ(ErrorId({.code = Code::kNotFound, .message = ""}), "NotFound");
  EXPECT_EQ(ErrorId({.code = Code::kNotFound, .message = "", .id = "Model.NotFound"}),
            "Model.NotFound");
  std::set<std::string> names;
  for (const Code code : kAll) names.insert(ErrorId({.code = code, .message = ""}));
  EXPECT_EQ(names.size(), std::size(kAll));
}

TEST(ResultTest, StatusOfEveryCodeIsAFailureThatMapsBackToTheSameStatus) {
  for (const Code code : kAll) {
    const int status = HttpStatus(code);
    EXPECT_GE(status, 400);
    EXPECT_EQ(HttpStatus(CodeFromHttpStatus(status)), status) << status;
  }
}

TEST(ResultTest, CodesOfStatusesOthersSend) {
  EXPECT_EQ(CodeFromHttpStatus(200), Code::kInternal);
  EXPECT_EQ(CodeFromHttpStatus(401), Code::kPermissionDenied);
  EXPECT_EQ(CodeFromHttpStatus(405), Code::kInvalidArgument);
  EXPECT_EQ(CodeFromHttpStatus(408), Code::kDeadlineExceeded);
  EXPECT_EQ(CodeFromHttpStatus(412), Code::kFailedPrecondition);
  EXPECT_EQ(CodeFromHttpStatus(429), Code::kResourceExhausted);
  EXPECT_EQ(CodeFromHttpStatus(502), Code::kUnavailable);
  EXPECT_EQ(CodeFromHttpStatus(507), Code::kResourceExhausted);
  EXPECT_EQ(CodeFromHttpStatus(599), Code::kInternal);
}

TEST(ResultTest, ExitCodesAreTheDocumentedOnes) {
  EXPECT_EQ(ExitCode(Code::kInternal), 1);
  EXPECT_EQ(ExitCode(Code::kInvalidArgument), 2);
  EXPECT_EQ(ExitCode(Code::kNotFound), 3);
  EXPECT_EQ(ExitCode(Code::kAlreadyExists), 4);
  EXPECT_EQ(ExitCode(Code::kFailedPrecondition), 4);
  EXPECT_EQ(ExitCode(Code::kPermissionDenied), 5);
  EXPECT_EQ(ExitCode(Code::kUnavailable), 6);
  EXPECT_EQ(ExitCode(Code::kDeadlineExceeded), 7);
}

Result<std::unique_ptr<int>> Half(int value) {
  if (value % 2 != 0) return Error{.code = Code::kInvalidArgument, .message = "odd"};
  return std::make_unique<int>(value / 2);
}

Result<int> Quarter(int value) {
  const std::unique_ptr<int> half = TRY(Half(value));
  const std::unique_ptr<int> quarter = TRY(Half(*half));
  return *quarter;
}

Result<void> NeedEven(int value) {
  TRY(Half(value));
  return {};
}

TEST(ResultTest, TryGivesTheValueOrReturnsTheError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message, "odd");
  EXPECT_TRUE(NeedEven(2));
  EXPECT_FALSE(NeedEven(3));
}

/// Counts the ones that live.
struct Counted {
  explicit Counted(int* counter) : living(counter) { ++*living; }
  Counted(const Counted& other) : living(other.living) { ++*living; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --*living; }
  int* living;
};

TEST(ResultTest, HoldsTheValueOrTheErrorAndEndsItOnce) {
  int living = 0;
  const Error odd{.code = Code::kInvalidArgument, .message = "odd"};
  {
    Result<Counted> value = Counted(&living);
    EXPECT_EQ(living, 1);
    Result<Counted> copy = value;
    EXPECT_EQ(living, 2);
    copy = odd;
    EXPECT_EQ(living, 1);
    ASSERT_FALSE(copy);
    EXPECT_EQ(copy.error().message, "odd");
    const Result<Counted> other = copy;
    EXPECT_EQ(other.error().message, "odd");
    EXPECT_EQ(copy.error().message, "odd") << "copies are deep";
    copy = std::move(value);
    EXPECT_TRUE(copy);
    value = std::move(copy);
    value = Result<Counted>(value);
    EXPECT_TRUE(value);
    EXPECT_EQ(value->living, &living);
  }
  EXPECT_EQ(living, 0);
}

static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
static_assert(std::is_nothrow_move_constructible_v<Result<std::unique_ptr<int>>>);

TEST(ResultDeathTest, CheckStopsTheProgram) {
  const int two = 2;
  EXPECT_DEATH(SLIPWAY_CHECK(two == 3), "check failed: two == 3");
}

TEST(LimitsTest, SizesAreCheckedBeforeTheyWrap) {
  EXPECT_EQ(*CheckedMul(1 << 20, 1 << 20, "tensor"), std::int64_t{1} << 40);
  EXPECT_EQ(CheckedMul(std::int64_t{1} << 40, std::int64_t{1} << 40, "tensor").error().code,
            Code::kResourceExhausted);
  EXPECT_FALSE(CheckedMul(-1, 2, "tensor"));
  EXPECT_EQ(*CheckedAdd(1, 2, "blob"), 3);
  EXPECT_EQ(CheckedAdd(INT64_MAX, 1, "blob").error().message, "blob is too large");
  EXPECT_EQ(*Narrow<std::uint8_t>(255), 255);
  EXPECT_FALSE(Narrow<std::uint8_t>(256));
  EXPECT_FALSE(Narrow<std::uint32_t>(-1));
}

}  // namespace
}  // namespace slipway
