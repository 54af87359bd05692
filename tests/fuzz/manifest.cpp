// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/manifest.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::imagebuilder;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = ParseManifest(text)) {
    std::vector<Layer> layers;
    for (const auto& part : manifest->layers) {
      layers.push_back({.name = {},
                        .summary = {},
                        .blob = part.blob,
                        .diff_id = {},
                        .unpacked_size = part.unpacked_size});
    }
    const auto again = ParseManifest(ManifestText(manifest->config, layers));
    if (!again || !(again->config == manifest->config)) std::abort();
  }
  if (const auto config = ParseConfig(text); !config && config.error().message.empty()) {
    std::abort();
  }
  return 0;
}
