// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/check.h"

#include <fmt/format.h>

#include <system_error>

#include "runtime/graph/explain.h"
#include "runtime/graph/graph.h"
#include "runtime/graph/onnx_reader.h"

namespace slipway::runtime {
namespace {

void ListUnsupported(const GraphData& graph, std::vector<std::string>& list) {
  for (const NodeData& node : graph.nodes) {
    if (node.op == nullptr) {
      list.push_back(fmt::format("{}.{} (opset {}), node '{}'", DomainText(node.domain), node.type,
                                 node.opset, node.name));
    }
    for (const auto& inner : SubgraphsOf(node)) ListUnsupported(*inner, list);
  }
}

std::int64_t OutputBytes(const std::vector<Value>& outputs) {
  std::int64_t bytes = 0;
  for (const Value& value : outputs) {
    if (const Tensor* tensor = value.tensor()) bytes += tensor->bytes();
  }
  return bytes;
}

std::string AssumedDimensions(const ModelReport& report, std::int64_t dimension) {
  std::string text;
  for (const ValueInfo& info : report.inputs) {
    if (!info.type.shape) continue;
    for (std::size_t d = 0; d < info.type.shape->size(); ++d) {
      if ((*info.type.shape)[d] >= 0) continue;
      const bool named = d < info.type.symbols.size() && !info.type.symbols[d].empty();
      text += fmt::format("{}{}={}", text.empty() ? "with " : ", ",
                          named ? info.type.symbols[d] : fmt::format("{}[{}]", info.name, d),
                          dimension);
    }
  }
  return text;
}

/// Plans the model for inputs of zeros and runs it once: what it needs, as far as that tells.
Result<void> Estimate(const std::filesystem::path& path, std::int64_t dimension,
                      ModelReport& report) {
  const Model model = TRY(Model::Load(path));
  auto session = TRY(Session::Create(model));
  const Feeds feeds = TRY(ZeroFeeds(model, dimension));
  const std::int64_t working = TRY(session->WorkingBytes(feeds));
  report.flops = TRY(SessionFlops(*session, feeds));
  const auto outputs = TRY(session->Run(feeds));
  report.peak_bytes = report.info.parameter_bytes + working + OutputBytes(outputs);
  report.peak_note = AssumedDimensions(report, dimension);
  return {};
}

}  // namespace

Result<ModelReport> CheckModel(const std::filesystem::path& path, std::int64_t dimension) {
  const auto graph = TRY(ReadOnnxFile(path, {.allow_unsupported = true}));
  ModelReport report{.info = graph->info,
                     .inputs = graph->input_infos,
                     .overridable_initializers = graph->overridable_infos,
                     .outputs = graph->output_infos};
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  report.file_bytes = error ? 0 : static_cast<std::int64_t>(bytes);
  ListUnsupported(*graph, report.unsupported);
  if (!report.unsupported.empty()) {
    report.peak_note = "not known: the model cannot run here";
    return report;
  }
  auto estimated = Estimate(path, dimension, report);
  if (!estimated) {
    report.peak_note = fmt::format("not known: {}", estimated.error().message);
    if (estimated.error().code == Code::kUnimplemented) {
      report.unsupported.push_back(estimated.error().message);
    }
  }
  return report;
}

}  // namespace slipway::runtime
