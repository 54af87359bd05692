// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/onnx_reader.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/limits.h"
#include "runtime/graph/error_text.h"
#include "runtime/graph/external_data.h"
#include "runtime/graph/graph_builder.h"
#include "runtime/graph/onnx_proto.h"
#include "runtime/kernels/library.h"
#include "runtime/stored_bytes.h"

namespace slipway::runtime {
namespace {

using proto::Invalid;

struct KnownDomain {
  std::string_view name;
  std::int64_t newest;
};
constexpr KnownDomain kKnownDomains[] = {
    {"", 28}, {"ai.onnx.ml", 5}, {"ai.onnx.preview.training", 1}, {"ai.onnx.training", 1}};

Result<void> CheckOpsets(const ModelInfo& info) {
  if (info.ir_version < 1) return Invalid("it has no IR version: this is no ONNX model");
  if (info.opsets.empty() && info.ir_version >= 3) return Invalid("it imports no opset");
  for (const auto& [domain, version] : info.opsets) {
    if (version < 1) {
      return Invalid(fmt::format("opset {} of domain {}", version, DomainText(domain)));
    }
    for (const KnownDomain& known : kKnownDomains) {
      if (known.name == domain && version > known.newest) {
        return Error{.code = Code::kUnimplemented,
                     .message = fmt::format("opset {} of domain {} is newer than {}, the newest "
                                            "one supported",
                                            version, DomainText(domain), known.newest),
                     .id = "Model.UnsupportedOpset"};
      }
    }
  }
  return {};
}

/// What counting nodes finds besides numbers.
struct Found {
  std::map<std::string, std::int64_t> types;
  std::set<std::string> libraries;
};

void Count(const GraphData& graph, ModelInfo& info, Found& found) {
  for (const GraphValue& value : graph.values) {
    if (!value.is_constant()) continue;
    info.parameters += value.constant.size();
    info.parameter_bytes += value.constant.bytes();
  }
  for (const NodeData& node : graph.nodes) {
    ++info.nodes;
    ++found.types[fmt::format("{}.{}", DomainText(node.domain), node.type)];
    if (node.op != nullptr && !node.op->library.empty()) {
      found.libraries.insert(LibraryFile(node.op->library));
    }
    for (const auto& inner : SubgraphsOf(node)) Count(*inner, info, found);
  }
}

ModelInfo Describe(const proto::Model& model, const GraphData& graph) {
  ModelInfo info = model.info;
  info.graph_name = graph.name;
  Found found;
  Count(graph, info, found);
  info.operators.assign(found.types.begin(), found.types.end());
  info.libraries.assign(found.libraries.begin(), found.libraries.end());
  return info;
}

Result<std::shared_ptr<const GraphData>> Build(proto::Source& source, std::span<std::byte> bytes,
                                               const ReaderOptions& options) {
  if (bytes.empty()) return Invalid("it is empty: this is no ONNX model");
  auto model = proto::ReadModel(bytes, source);
  if (!model) return Within("no valid ONNX model", std::move(model).error());
  if (!model->graph) return Invalid("it holds no graph: this is no ONNX model");
  TRY(CheckOpsets(model->info));
  GraphBuilder builder(*model, options.allow_unsupported, options.limits);
  auto graph = TRY(builder.BuildModel());
  graph->info = Describe(*model, *graph);
  graph->packed = std::make_shared<PackedWeights>();
  return std::shared_ptr<const GraphData>(std::move(graph));
}

Result<std::shared_ptr<const GraphData>> ReadBytes(proto::Source source, std::span<std::byte> bytes,
                                                   const ReaderOptions& options) {
  ExternalData external(options.folder);
  source.limits = options.limits;
  if (!options.folder.empty()) {
    source.external = [&external](DType dtype, const Shape& shape, const std::string& location,
                                  std::int64_t offset, std::int64_t length) {
      return external.Read(dtype, shape, location, offset, length);
    };
  }
  auto graph = Build(source, bytes, options);
  if (graph) {
    StoredWeights::LetGoUnkept(**graph);
    return graph;
  }
  Error error = std::move(graph).error();
  if (error.id.empty() && error.code == Code::kInvalidArgument) error.id = "Model.Invalid";
  return Readable(std::move(error));
}

}  // namespace

Result<std::shared_ptr<const GraphData>> ReadOnnx(std::shared_ptr<void> owner,
                                                  std::span<std::byte> bytes,
                                                  const ReaderOptions& options) {
  return ReadBytes({.owner = std::move(owner)}, bytes, options);
}

Result<std::shared_ptr<const GraphData>> ReadOnnxFile(const std::filesystem::path& path,
                                                      ReaderOptions options) {
  auto file = StoredBytes::Read(path);
  if (!file) {
    Error error = std::move(file).error();
    if (error.code == Code::kNotFound) error.id = "Model.FileNotFound";
    return Within("loading the model", std::move(error));
  }
  options.folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::span<std::byte> bytes = (*file)->bytes();
  auto graph = ReadBytes({.owner = *file, .stored = *file}, bytes, options);
  if (!graph) return Within(path.string(), std::move(graph).error());
  return graph;
}

}  // namespace slipway::runtime
