// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "runtime/tools/bench.h"
#include "runtime/tools/check.h"
#include "runtime/tools/tensor_file.h"
#include "runtime/tools/test_folder.h"
#include "tests/runtime/model_files.h"
#include "tests/support/tempdir.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;

TEST(CheckModel, Reports) {
  const auto report = CheckModel(ModelFile("residual"), 4);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->info.parameters, 302);
  EXPECT_EQ(report->file_bytes,
            static_cast<std::int64_t>(std::filesystem::file_size(ModelFile("residual"))));
  EXPECT_TRUE(report->unsupported.empty());
  EXPECT_GT(report->peak_bytes, report->info.parameter_bytes);
  EXPECT_GT(report->flops, 0);
  EXPECT_EQ(report->peak_note, "with n=4, h=4, w=4");
}

TEST(CheckModel, ListsWhatNoDeviceCanRun) {
  const auto report = CheckModel(ModelFile("bad_operator"));
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->unsupported.size(), 1U);
  EXPECT_EQ(report->unsupported[0], "ai.onnx.Rellu (opset 17), node 'typo'");
  EXPECT_EQ(report->peak_bytes, -1);
}

TEST(CheckModel, RefusesInvalidModels) {
  const auto report = CheckModel(ModelFile("bad_unsorted"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().id, "Model.Invalid");
}

/// A test folder for the model `add`, whose expected output is what the caller gives.
class AddFolder {
 public:
  explicit AddFolder(const Value& expected) {
    const auto set = folder_.path() / "test_data_set_0";
    std::filesystem::create_directory(set);
    std::filesystem::copy_file(ModelFile("overridable"), folder_.path() / "model.onnx");
    EXPECT_TRUE(WriteTensorFile(set / "input_0.pb", "x", Floats({1, 2}, {1, 2})));
    EXPECT_TRUE(WriteTensorFile(set / "output_0.pb", "y", expected));
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  slipway::testing::TempDir folder_;
};

Value RightAnswer() { return RunModel("overridable", {{"x", Floats({1, 2}, {1, 2})}})[0]; }

TEST(TestFolder, Passes) {
  const AddFolder folder(RightAnswer());
  const auto report = RunTestFolder(folder.path());
  EXPECT_EQ(report.outcome, TestOutcome::kPass) << report.why;
  EXPECT_EQ(report.data_sets, 1);
}

TEST(TestFolder, FailsWhereTheAnswerIsAnother) {
  Value wrong = RightAnswer();
  wrong.tensor()->data<float>()[1] += 0.1F;
  const AddFolder folder(wrong);
  const auto report = RunTestFolder(folder.path());
  EXPECT_EQ(report.outcome, TestOutcome::kFail);
  EXPECT_THAT(report.why, HasSubstr("test_data_set_0: output 'y' at [0,1]:"));
  EXPECT_NEAR(report.max_error, 0.1, 1e-6);
  const auto loose = RunTestFolder(folder.path(), {.atol = 0.2});
  EXPECT_EQ(loose.outcome, TestOutcome::kPass);
}

TEST(TestFolder, FailsOnAnotherShapeOrType) {
  for (const Value& wrong : {Floats({2}, {0, 0}), Int64s({1, 2}, {0, 0})}) {
    const AddFolder folder(wrong);
    EXPECT_EQ(RunTestFolder(folder.path()).outcome, TestOutcome::kFail);
  }
}

TEST(TestFolder, TellsUnsupportedFromBroken) {
  const AddFolder folder(RightAnswer());
  const auto model = folder.path() / "model.onnx";
  std::filesystem::copy_file(ModelFile("bad_operator"), model,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(RunTestFolder(folder.path()).outcome, TestOutcome::kUnsupported);
  std::filesystem::copy_file(ModelFile("bad_unsorted"), model,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(RunTestFolder(folder.path()).outcome, TestOutcome::kError);
  std::filesystem::remove(model);
  EXPECT_EQ(RunTestFolder(folder.path()).outcome, TestOutcome::kError);
}

TEST(TestFolder, AreFound) {
  const AddFolder folder(RightAnswer());
  const auto itself = FindTestFolders(folder.path());
  ASSERT_TRUE(itself);
  EXPECT_EQ(itself->size(), 1U);
  const slipway::testing::TempDir outer;
  EXPECT_FALSE(FindTestFolders(outer.path()));
  EXPECT_FALSE(FindTestFolders(outer.path() / "nothing"));
  std::filesystem::copy(folder.path(), outer.path() / "b",
                        std::filesystem::copy_options::recursive);
  std::filesystem::copy(folder.path(), outer.path() / "a",
                        std::filesystem::copy_options::recursive);
  const auto both = FindTestFolders(outer.path());
  ASSERT_TRUE(both);
  EXPECT_EQ(*both, (std::vector{outer.path() / "a", outer.path() / "b"}));
}

TEST(Compare, RulesOfFloats) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto compare = [](float a, float b) {
    double error = 0;
    return CompareValues(Floats({1}, {a}), Floats({1}, {b}), 1e-3, 1e-7, error).empty();
  };
  EXPECT_TRUE(compare(kNan, kNan));
  EXPECT_TRUE(compare(kInf, kInf));
  EXPECT_TRUE(compare(1000, 1000.9F));
  EXPECT_TRUE(compare(0.0F, -0.0F));
  EXPECT_FALSE(compare(kNan, 1));
  EXPECT_FALSE(compare(1, kNan));
  EXPECT_FALSE(compare(kInf, -kInf));
  EXPECT_FALSE(compare(kInf, 1e30F));
  EXPECT_FALSE(compare(0, 1e-6F));
  EXPECT_FALSE(compare(1000, 1002));
}

TEST(Bench, Measures) {
  const auto report = BenchModel(ModelFile("residual"),
                                 {.session = {.threads = 1, .profile = true}, .seconds = 0.05});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GT(report->runs, 0);
  EXPECT_LE(report->min_ms, report->median_ms);
  EXPECT_LE(report->median_ms, report->p99_ms);
  EXPECT_GT(report->create_ms, 0);
  EXPECT_GT(report->flops, 0);
  EXPECT_GT(report->peak_gflop_per_s, 0);
  EXPECT_FALSE(report->bound.empty());
  EXPECT_FALSE(report->profile.empty());
}

}  // namespace
}  // namespace slipway::runtime
