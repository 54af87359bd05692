// SPDX-License-Identifier: Apache-2.0
/// Networks that exporters wrote, against their reference outputs, in every way of running them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/tools/tensor_file.h"
#include "runtime/tools/test_folder.h"
#include "tests/runtime/model_files.h"

namespace slipway::runtime {
namespace {

namespace fs = std::filesystem;

const fs::path kShared = fs::path(SLIPWAY_SOURCE_DIR) / ".." / "shared";

const fs::path kExported = kShared / "models" / "exported";

/// The networks of the folder's index; empty where it is not there.
std::vector<std::string> ExportedNames() {
  std::vector<std::string> names;
  std::ifstream file(kExported / "index.json");
  if (!file) return names;
  const auto index = nlohmann::json::parse(file);
  for (const auto& [name, about] : index.items()) names.push_back(name);
  return names;
}

class Exported : public ::testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Exported);

/// At the tolerance that the references were made for.
TEST_P(Exported, AgreesWithItsReference) {
  std::ifstream file(kExported / "index.json");
  const auto about = nlohmann::json::parse(file).at(GetParam());
  for (const bool passes : {true, false}) {
    for (const bool reference : {true, false}) {
      const auto report = RunTestFolder(kExported / GetParam(),
                                        {.rtol = about.at("rtol").get<double>(),
                                         .atol = about.at("atol").get<double>(),
                                         .session = {.passes = passes, .reference = reference}});
      EXPECT_EQ(report.outcome, TestOutcome::kPass)
          << report.why << " passes " << passes << " reference " << reference;
      EXPECT_EQ(report.data_sets, about.at("data_sets").get<int>());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Exported, ::testing::ValuesIn(ExportedNames()),
                         [](const auto& test) { return test.param; });

/// Models of other people's, without outputs to compare: tests/engines compares with ONNX Runtime.
TEST(RealModels, AllRun) {
  if (!fs::exists(kShared / "models")) GTEST_SKIP() << "no models beside the source tree";
  constexpr std::int64_t kSamples = 160;  // fewer are no sound
  int count = 0;
  for (const auto& entry : fs::directory_iterator(kShared / "models")) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path());
    ++count;
    const auto model = Model::Load(entry.path());
    ASSERT_TRUE(model) << model.error().message;
    const auto feeds = ZeroFeeds(*model, entry.path().stem() == "silero_vad" ? kSamples : 1);
    ASSERT_TRUE(feeds) << feeds.error().message;
    const auto outputs = MakeSession(*model)->Run(*feeds);
    EXPECT_TRUE(outputs) << outputs.error().message;
  }
  EXPECT_GT(count, 3);
}

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
