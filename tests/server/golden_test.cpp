// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/golden.h"

#include <cmath>
#include <limits>

#include "tests/server/server_fixture.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::Tensor;
using runtime::Value;

Value Floats(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::FromVector(DType::kFloat32, {count}, std::move(values));
}

class GoldenTest : public ServerFixture {
 protected:
  void WriteSample(const std::string& name, std::vector<float> values) {
    auto tensor = Tensor::FromVector(DType::kFloat32, {1, 2}, std::move(values));
    WriteModel("tiny/test_data_set_0/" + name, *runtime::WriteTensorProto(tensor, ""));
  }
};

TEST_F(GoldenTest, ReproducedSamplesMakeReady) {
  WriteSample("input_0.pb", {1, 2});
  WriteSample("output_0.pb", {2, 4});
  Start();
  ASSERT_TRUE(loaded_) << loaded_.error().message;
  const auto ready = Send("GET", "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(Parse(ready)["message"], "1 golden samples reproduced");
}

TEST_F(GoldenTest, AnotherAnswerIsNeverReady) {
  WriteSample("input_0.pb", {1, 2});
  WriteSample("output_0.pb", {2, 4.1F});
  Start();
  ASSERT_FALSE(loaded_);
  EXPECT_EQ(loaded_.error().id, "Model.WrongAnswer");
  const auto ready = Send("GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(Parse(ready)["state"], "wrong");
  const std::string message = Parse(ready)["message"];
  for (const char* part : {"tiny:3", "test_data_set_0", "element 1", "4.1"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST_F(GoldenTest, ADamagedSampleIsNeverReady) {
  WriteModel("tiny/test_data_set_0/input_0.pb", "damaged");
  Start();
  ASSERT_FALSE(loaded_);
  EXPECT_EQ(Send("GET", "/readyz").status, 503);
}

TEST(AgreeTest, FloatsWithinTolerance) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(Agree(Floats({1000.9F}), Floats({1000})));
  EXPECT_FALSE(Agree(Floats({1001.1F}), Floats({1000})));
  EXPECT_TRUE(Agree(Floats({0.9e-5F}), Floats({0})));
  for (const auto precision : {runtime::Precision::kBfloat16, runtime::Precision::kInt8}) {
    const Tolerance tolerance = ToleranceOf(precision);
    EXPECT_GT(tolerance.of_largest, 0);
    const auto off = static_cast<float>(100 * tolerance.of_largest);
    EXPECT_TRUE(Agree(Floats({-100, 0.99F * off}), Floats({-100, 0}), tolerance));
    EXPECT_FALSE(Agree(Floats({-100, 1.01F * off}), Floats({-100, 0}), tolerance));
    EXPECT_FALSE(Agree(Floats({-100, 0.99F * off}), Floats({-100, 0})));
  }
  EXPECT_FALSE(Agree(Floats({1.1e-5F}), Floats({0})));
  EXPECT_TRUE(Agree(Floats({nan, infinity, -infinity}), Floats({nan, infinity, -infinity})));
  EXPECT_FALSE(Agree(Floats({nan}), Floats({1})));
  EXPECT_FALSE(Agree(Floats({1}), Floats({nan})));
  EXPECT_FALSE(Agree(Floats({infinity}), Floats({-infinity})));
  EXPECT_FALSE(Agree(Floats({3e38F}), Floats({infinity})));
  EXPECT_FALSE(Agree(Floats({1, 2}), Floats({1})));
}

TEST(AgreeTest, OthersExactly) {
  const Value one = Tensor::FromVector<std::int64_t>(DType::kInt64, {1}, {1'000'000});
  const Value two = Tensor::FromVector<std::int64_t>(DType::kInt64, {1}, {1'000'001});
  EXPECT_TRUE(Agree(one, one));
  EXPECT_FALSE(Agree(two, one));
  const Value a = Tensor::FromVector<std::string>(DType::kString, {1}, {"a"});
  const Value b = Tensor::FromVector<std::string>(DType::kString, {1}, {"b"});
  EXPECT_TRUE(Agree(a, a));
  EXPECT_FALSE(Agree(a, b));
  EXPECT_FALSE(Agree(a, one));
  EXPECT_FALSE(Agree(Value(), one));
  auto list = std::make_shared<const runtime::Sequence>(runtime::Sequence{{one, a}});
  auto other = std::make_shared<const runtime::Sequence>(runtime::Sequence{{one, b}});
  EXPECT_TRUE(Agree(Value(list), Value(list)));
  EXPECT_FALSE(Agree(Value(other), Value(list)));
}

}  // namespace
}  // namespace slipway::server
