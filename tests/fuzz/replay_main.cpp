// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"

// Gives a fuzzer every file of the folders named, and every prefix of the small ones.
int main(int argc, char** argv) {
  constexpr std::int64_t kFileBytesMax = 64 << 20;
  constexpr std::size_t kPrefixesMax = 4096;
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      const slipway::Result<std::string> content = slipway::ReadFile(entry.path(), kFileBytesMax);
      if (!content) {
        std::fprintf(stderr, "%s\n", content.error().message.c_str());
        return 1;
      }
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      const std::size_t shortest = content->size() <= kPrefixesMax ? 0 : content->size();
      for (std::size_t size = shortest; size <= content->size(); ++size) {
        const std::vector<std::uint8_t> bytes(content->begin(),
                                              content->begin() + static_cast<std::ptrdiff_t>(size));
        if (LLVMFuzzerTestOneInput(bytes.data(), bytes.size()) != 0) return 1;
      }
      ++files;
    }
  }
  if (files > 0) return 0;
  std::fprintf(stderr, "no corpus file\n");
  return 1;
}
