// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/operators.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace slipway::runtime {
namespace {

/// Writes the page with UPDATE_GOLDEN=1.
TEST(Operators, ThePageHoldsTheTableOfThisBuild) {
  const auto page = std::filesystem::path(SLIPWAY_SOURCE_DIR) / "runtime" / "OPERATORS.md";
  const std::string wanted =
      "# Operators of the runtime\n\n"
      "Printed by `slipway ops --markdown`; a test compares this page with it. A type variable\n"
      "stands for the types after it; `opsets` are the versions of the domain that a row "
      "serves.\n\n" +
      OperatorsMarkdown();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(page) << wanted;
  const auto text = ReadFile(page, 16 << 20);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_TRUE(*text == wanted) << page
                               << " is not what this build has: run this test with UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace slipway::runtime
