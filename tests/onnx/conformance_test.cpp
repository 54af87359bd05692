// SPDX-License-Identifier: Apache-2.0
// ONNX's own backend tests: every folder must pass, but for those in expected_failures.txt, which
// must fail.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "runtime/tools/test_folder.h"

namespace slipway::runtime {
namespace {

namespace fs = std::filesystem;

/// Folder (`node/test_x`) to the reason it fails.
std::map<std::string, std::string> ExpectedFailures() {
  std::map<std::string, std::string> expected;
  const auto text =
      ReadFile(fs::path(SLIPWAY_SOURCE_DIR) / "tests/onnx/expected_failures.txt", 1 << 20);
  EXPECT_TRUE(text) << text.error().message;
  for (const std::string& line : Split(text ? *text : "", '\n')) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t space = line.find(' ');
    EXPECT_NE(space, std::string::npos) << "no reason: " << line;
    expected[line.substr(0, space)] = std::string(Trim(line.substr(std::min(space, line.size()))));
  }
  return expected;
}

struct Runtime {
  std::string_view name;
  SessionOptions options;
};

std::vector<Runtime> Runtimes() {
  SessionOptions plain;
  plain.passes = false;
  plain.reference = true;
  plain.threads = 2;
  SessionOptions fast;
  fast.threads = 2;
  return {{"fast", fast}, {"reference", plain}};
}

class ConformanceTest : public testing::TestWithParam<std::string> {
 protected:
  void CheckFolder(const fs::path& folder, const Runtime& runtime) {
    const std::string name = fmt::format("{}/{}", GetParam(), folder.filename().string());
    const TestReport report = RunTestFolder(folder, {.session = runtime.options});
    ++run_;
    const bool passed = report.outcome == TestOutcome::kPass;
    if (passed) ++passed_;
    if (IsRandom(name)) {
      EXPECT_TRUE(passed || report.why.ends_with("elements differ)"))
          << name << ": type and shape are known: " << report.why;
    } else if (expected_.contains(name)) {
      EXPECT_FALSE(passed) << name << " is listed in expected_failures.txt and passes";
    } else {
      EXPECT_TRUE(passed) << name << " (" << runtime.name
                          << "): " << TestOutcomeName(report.outcome) << ": " << report.why;
    }
  }

  /// Outputs that nobody can foretell, and that are right by chance now and then.
  bool IsRandom(const std::string& name) const {
    const auto listed = expected_.find(name);
    return listed != expected_.end() && listed->second.starts_with("random:");
  }

  std::map<std::string, std::string> expected_ = ExpectedFailures();
  int run_ = 0, passed_ = 0;
};

TEST_P(ConformanceTest, EveryFolderPasses) {
  const fs::path suite = fs::path(SLIPWAY_SOURCE_DIR) / "../shared/onnx-conformance" / GetParam();
  if (!fs::exists(suite)) GTEST_SKIP() << "no conformance data beside the source tree";
  const auto folders = FindTestFolders(suite);
  ASSERT_TRUE(folders) << folders.error().message;
  for (const Runtime& runtime : Runtimes()) {
    run_ = 0;
    passed_ = 0;
    for (const fs::path& folder : *folders) CheckFolder(folder, runtime);
    std::cout << fmt::format("{} ({}): {} of {} pass\n", GetParam(), runtime.name, passed_, run_);
    EXPECT_GT(passed_, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Suites, ConformanceTest,
                         testing::Values("node", "simple", "pytorch-operator", "pytorch-converted"),
                         [](const auto& suite) {
                           std::string name = suite.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace slipway::runtime
