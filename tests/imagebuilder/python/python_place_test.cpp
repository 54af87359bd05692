// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/python_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "tests/imagebuilder/run_program.h"
#include "tests/support/tempdir.h"

namespace slipway::imagebuilder {
namespace {

using ::testing::HasSubstr;

/// This machine's Python, as if its root file system were a base.
class PythonOfTheRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto python = FindPython("/", {}, folder_.path(), hooks_);
    if (!python) GTEST_SKIP() << python.error().message;
    python_ = *python;
  }

  testing::TempDir folder_;
  WorkHooks hooks_;
  PythonPlace python_;
};

TEST_F(PythonOfTheRoot, PackagesGoWhereModulesAreLookedFor) {
  const Ran asked = RunProgram(
      {python_.interpreter, "-c", "import site\nprint(*site.getsitepackages(), sep='\\n')"});
  ASSERT_EQ(asked.status, 0) << asked.output;
  const auto folders = Split(std::string(Trim(asked.output)), '\n');
  EXPECT_THAT(folders, ::testing::Contains(python_.pure));
  EXPECT_THAT(folders, ::testing::Contains(python_.platform));
}

TEST_F(PythonOfTheRoot, SaysWhetherALibraryCanBeLoaded) {
  const Ran found =
      RunProgram({python_.interpreter, "-c",
                  "import ctypes, re\nctypes.CDLL('libm.so.6')\n"
                  "print(re.search(r'/\\S*libm\\S*', open('/proc/self/maps').read())[0])"});
  ASSERT_EQ(found.status, 0) << found.output;
  const auto loads =
      CheckLoads("/", python_, std::string(Trim(found.output)), folder_.path(), hooks_);
  EXPECT_TRUE(loads) << loads.error().message;
  ASSERT_TRUE(WriteFileAtomic(folder_ / "libdamaged.so", "no library"));
  const auto refused = CheckLoads("/", python_, folder_ / "libdamaged.so", folder_.path(), hooks_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Image.BaseTooOld");
  EXPECT_THAT(refused.error().message, HasSubstr("libdamaged.so"));
  EXPECT_THAT(refused.error().fix, HasSubstr("--keep onnxruntime"));
}

}  // namespace
}  // namespace slipway::imagebuilder
