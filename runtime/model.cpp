// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "runtime/bounds.h"
#include "runtime/graph/onnx_reader.h"
#include "runtime/runtime.h"

namespace slipway::runtime {

namespace {

std::shared_ptr<MemoryBudget> BudgetOf(const ModelLimits& limits) {
  return std::make_shared<MemoryBudget>(SessionLimits{
      .memory_bytes = limits.memory_bytes > 0 ? limits.memory_bytes : UsableMemoryBytes()});
}

}  // namespace

Result<Model> Model::Load(const std::filesystem::path& path, const ModelLimits& limits) {
  Bounds bounds(BudgetOf(limits), {});
  const BoundsScope scope(&bounds);
  return Model(TRY(ReadOnnxFile(path, {.limits = limits})));
}

Result<Model> Model::Parse(std::span<const std::byte> onnx, const ModelLimits& limits) {
  Bounds bounds(BudgetOf(limits), {});
  const BoundsScope scope(&bounds);
  Tensor copy = TRY(Tensor::Make(DType::kUint8, {static_cast<std::int64_t>(onnx.size())}));
  if (!onnx.empty()) std::memcpy(copy.raw(), onnx.data(), onnx.size());
  return Model(
      TRY(ReadOnnx(std::const_pointer_cast<void>(copy.owner()),
                   {static_cast<std::byte*>(copy.raw()), onnx.size()}, {.limits = limits})));
}

std::span<const ValueInfo> Model::inputs() const { return graph_->input_infos; }
std::span<const ValueInfo> Model::overridable_initializers() const {
  return graph_->overridable_infos;
}
std::span<const ValueInfo> Model::outputs() const { return graph_->output_infos; }
const ModelInfo& Model::info() const { return graph_->info; }

}  // namespace slipway::runtime
