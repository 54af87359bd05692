// SPDX-License-Identifier: Apache-2.0
#include "runtime/op.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>

#include "runtime/graph/op_index.h"
#include "runtime/graph/signature.h"
#include "runtime/kernels/library.h"

namespace slipway::runtime {
namespace {

using Index = std::unordered_map<std::string, std::vector<const OpDef*>>;

std::string KeyOf(std::string_view domain, std::string_view type) {
  return fmt::format("{}.{}", domain == "ai.onnx" ? std::string_view() : domain, type);
}

Index BuildIndex() {
  Index index;
  for (const auto& unit : ops_table()) {
    for (const OpDef& op : unit.make()) index[KeyOf(op.domain, op.type)].push_back(&op);
  }
  for (auto& [key, defs] : index) {
    std::ranges::sort(defs, [](const OpDef* a, const OpDef* b) { return a->since > b->since; });
  }
  return index;
}

const Index& OpIndex() {
  static const Index index = BuildIndex();
  return index;
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const bool same = (a[i] | 0x20) == (b[j] | 0x20);
      const std::size_t replace = diagonal + (same ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replace, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

ValueFacts TensorFacts(DType dtype, Shape shape) {
  return {.kind = TypeInfo::Kind::kTensor, .dtype = dtype, .shape = std::move(shape)};
}

ValueFacts TensorFacts(DType dtype) { return {.kind = TypeInfo::Kind::kTensor, .dtype = dtype}; }

Result<std::vector<Value>> KernelContext::RunGraph(
    const GraphData& /*graph*/,
    std::vector<Value> /*inputs*/) {  // NOLINT(performance-unnecessary-value-param)
  return Error{.code = Code::kInternal, .message = "no graphs can be run here"};
}

const OpDef* FindOp(std::string_view domain, std::string_view type, int opset) {
  const auto found = OpIndex().find(KeyOf(domain, type));
  if (found == OpIndex().end()) return nullptr;
  for (const OpDef* op : found->second) {
    if (op->since <= opset && opset <= op->until) return op;
  }
  return nullptr;
}

std::vector<const OpDef*> VersionsOf(std::string_view domain, std::string_view type) {
  const auto found = OpIndex().find(KeyOf(domain, type));
  return found == OpIndex().end() ? std::vector<const OpDef*>() : found->second;
}

std::string NearestOp(std::string_view domain, std::string_view type) {
  if (type.empty() || type.size() > 64) return "";
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, type.size() / 3) + 1;
  for (const auto& [key, defs] : OpIndex()) {
    const OpDef& op = *defs.front();
    if (op.domain == kPrivateDomain) continue;
    const std::size_t distance =
        EditDistance(type, op.type) + (KeyOf(domain, "") == KeyOf(op.domain, "") ? 0 : 1);
    if (distance < best_distance || (distance == best_distance && std::string(op.type) < best)) {
      best_distance = distance;
      best = op.type;
    }
  }
  return best;
}

std::vector<OperatorInfo> SupportedOperators() {
  std::vector<OperatorInfo> list;
  for (const auto& [key, defs] : OpIndex()) {
    for (const OpDef* op : defs) {
      if (op->domain == kPrivateDomain) continue;
      OperatorInfo info{.domain = op->domain.empty() ? "ai.onnx" : std::string(op->domain),
                        .type = std::string(op->type),
                        .since = op->since,
                        .until = op->until == kNewest ? 0 : op->until,
                        .signature = std::string(op->signature),
                        .attributes = std::string(op->attributes)};
      for (const TypeRule& rule : op->types) {
        info.types.emplace_back(rule.name, DTypeSetText(rule.dtypes));
      }
      for (const Kernel& kernel : op->kernels) {
        const bool listed = std::ranges::find(info.kernels, kernel.name) != info.kernels.end();
        if (!listed) info.kernels.emplace_back(kernel.name);
      }
      list.push_back(std::move(info));
    }
  }
  std::ranges::sort(list, [](const OperatorInfo& a, const OperatorInfo& b) {
    return std::tie(a.domain, a.type, a.since) < std::tie(b.domain, b.type, b.since);
  });
  return list;
}

std::vector<std::string> OperatorLibraries() {
  std::set<std::string> files;
  for (const auto& [key, defs] : OpIndex()) {
    for (const OpDef* op : defs) {
      if (!op->library.empty()) files.insert(LibraryFile(op->library));
    }
  }
  return {files.begin(), files.end()};
}

}  // namespace slipway::runtime
