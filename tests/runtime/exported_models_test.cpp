// SPDX-License-Identifier: Apache-2.0
/// Networks that exporters wrote, against their reference outputs, in every way of running them.
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/tools/tensor_file.h"
#include "runtime/tools/test_folder.h"
#include "tests/runtime/model_files.h"

namespace slipway::runtime {
namespace {

namespace fs = std::filesystem;

const fs::path kShared = fs::path(SLIPWAY_SOURCE_DIR) / ".." / "shared";

class Exported : public ::testing::TestWithParam<std::string> {};

TEST_P(Exported, AgreesWithItsReference) {
  const fs::path folder = kShared / "models" / "exported" / GetParam();
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  for (const bool passes : {true, false}) {
    for (const bool reference : {true, false}) {
      const auto report =
          RunTestFolder(folder, {.session = {.passes = passes, .reference = reference}});
      EXPECT_EQ(report.outcome, TestOutcome::kPass)
          << report.why << " passes " << passes << " reference " << reference;
      EXPECT_GT(report.data_sets, 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Exported,
                         ::testing::Values("resnet18_dynamo_op18", "resnet18_fixed_ts_op9",
                                           "resnet18_ts_op13", "mobilenetv2_dynamo_op20",
                                           "mobilenetv2_ts_op11", "unet_anysize_ts_op13",
                                           "unet_dynamo_op21"),
                         [](const auto& test) { return test.param; });

class Learned : public ::testing::TestWithParam<std::string> {};

/// Classifiers and regressors of scikit-learn, LightGBM and XGBoost, at the tolerance that their
/// references were made for.
TEST_P(Learned, AgreesWithItsReference) {
  const fs::path folder = kShared / "models" / "exported" / GetParam();
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  for (const bool reference : {true, false}) {
    const auto report =
        RunTestFolder(folder, {.rtol = 1e-3, .atol = 1e-5, .session = {.reference = reference}});
    EXPECT_EQ(report.outcome, TestOutcome::kPass) << report.why << " reference " << reference;
    EXPECT_GT(report.data_sets, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, Learned,
    ::testing::Values("lgbm_binary_op9", "lgbm_multiclass_op9", "lgbm_regressor_op8",
                      "skl_column_transformer_op15", "skl_gradient_boosting_op17",
                      "skl_isolation_forest_op17", "skl_kmeans_op13", "skl_knn_op18",
                      "skl_logistic_array_op18", "skl_logistic_strings_op13",
                      "skl_logistic_zipmap_op9", "skl_mlp_op20", "skl_random_forest_array_op17",
                      "skl_random_forest_op11", "skl_svc_rbf_op13", "skl_tfidf_logistic_op17",
                      "xgb_binary_ml1", "xgb_multiclass_ml1", "xgb_regressor_ml1"),
    [](const auto& test) { return test.param; });

class Light : public ::testing::TestWithParam<std::string> {};

TEST_P(Light, AgreesWithItsReference) {
  const fs::path folder = kShared / "onnx-conformance" / "light";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const auto model = Model::Load(folder / ("light_" + GetParam() + ".onnx"));
  ASSERT_TRUE(model) << model.error().message;
  const auto expected =
      ReadTensorFile(folder / ("light_" + GetParam() + "_output_0.pb"), model->outputs()[0].type);
  ASSERT_TRUE(expected) << expected.error().message;
  auto feeds = ZeroFeeds(*model);
  ASSERT_TRUE(feeds);
  const auto elements = (*feeds)[0].second.tensor()->data<float>();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i] = static_cast<float>(i) / static_cast<float>(elements.size());
  }
  const auto outputs = MakeSession(*model)->Run(*feeds);
  ASSERT_TRUE(outputs) << outputs.error().message;
  double error = 0;
  EXPECT_EQ(CompareValues(*expected, (*outputs)[0], 1e-3, 1e-7, error), "");
}

INSTANTIATE_TEST_SUITE_P(Models, Light,
                         ::testing::Values("bvlc_alexnet", "densenet121", "inception_v1",
                                           "inception_v2", "resnet50", "shufflenet", "squeezenet",
                                           "vgg19", "zfnet512"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace slipway::runtime
