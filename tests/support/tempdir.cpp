// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tempdir.h"

#include <cstdlib>
#include <string>
#include <system_error>

namespace slipway::testing {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "slipway-test-XXXXXX").string();
  const char* made = ::mkdtemp(name.data());
  if (made == nullptr) std::abort();
  path_ = made;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace slipway::testing
