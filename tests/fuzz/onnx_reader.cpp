// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "runtime/graph/graph.h"
#include "runtime/runtime.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::runtime;
  const auto model = Model::Parse(std::as_bytes(std::span(data, size)));
  if (!model && (model.error().message.empty() || ErrorId(model.error()).empty())) std::abort();
  if (model && model->graph()->outputs.size() != model->outputs().size()) std::abort();
  return 0;
}
