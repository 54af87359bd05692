// SPDX-License-Identifier: Apache-2.0
#include "registry/signature.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "registry/folder_view.h"
#include "registry/names.h"
#include "runtime/runtime.h"

namespace slipway::registry {
namespace {

SignatureValue Describe(const runtime::ValueInfo& value) {
  SignatureValue described{.name = value.name, .type = runtime::TypeText(value.type), .shape = {}};
  if (!value.type.shape) return described;
  described.has_shape = true;
  const runtime::Shape& shape = *value.type.shape;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool named = i < value.type.symbols.size() && !value.type.symbols[i].empty();
    if (shape[i] >= 0) {
      described.shape.push_back(std::to_string(shape[i]));
    } else {
      described.shape.push_back(named ? value.type.symbols[i] : "?");
    }
  }
  return described;
}

std::vector<SignatureValue> DescribeAll(std::span<const runtime::ValueInfo> values) {
  std::vector<SignatureValue> described;
  described.reserve(values.size());
  for (const runtime::ValueInfo& value : values) described.push_back(Describe(value));
  return described;
}

/// The files whose paths begin with `folder`, with paths from there on.
std::vector<ModelFile> FilesBelow(const Content& content, const std::string& folder) {
  std::vector<ModelFile> below;
  for (const ModelFile& file : content.files) {
    if (!file.path.starts_with(folder)) continue;
    below.push_back(file);
    below.back().path.erase(0, folder.size());
  }
  return below;
}

void ReplaceAll(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

/// The runtime's reason in the model's own terms: it never saw the folder we made for it.
Error NameTheFile(Error error, const std::filesystem::path& folder,
                  const std::filesystem::path& loaded, const std::string& main_file) {
  ReplaceAll(error.message, loaded.string(), main_file);
  ReplaceAll(error.message, folder.string(), "the model's folder");
  if (error.code == Code::kNotFound) error.code = Code::kInvalidArgument;
  const bool named = error.message.find(main_file) != std::string::npos;
  return named ? error : Within(main_file, std::move(error));
}

Json ToJson(const std::vector<SignatureValue>& values) {
  Json list = Json::array();
  for (const SignatureValue& value : values) {
    Json item = {{"name", value.name}, {"type", value.type}};
    if (value.has_shape) item["shape"] = value.shape;
    list.push_back(std::move(item));
  }
  return list;
}

std::vector<SignatureValue> FromJson(const Json& list) {
  std::vector<SignatureValue> values;
  for (const Json& item : list) {
    SignatureValue value{.name = item.at("name").get<std::string>(),
                         .type = item.at("type").get<std::string>(),
                         .shape = {}};
    value.has_shape = item.contains("shape");
    if (value.has_shape) value.shape = item.at("shape").get<std::vector<std::string>>();
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace

Result<Signature> ReadSignature(const Content& content, const BlobStore& blobs,
                                const std::filesystem::path& scratch) {
  const std::size_t slash = content.main_file.rfind('/');
  const std::size_t name_at = slash == std::string::npos ? 0 : slash + 1;
  const std::vector<ModelFile> beside = FilesBelow(content, content.main_file.substr(0, name_at));
  const std::unique_ptr<FolderView> view = TRY(FolderView::Make(scratch, beside, blobs));
  const std::filesystem::path loaded = view->path() / content.main_file.substr(name_at);
  auto model = runtime::Model::Load(loaded);
  if (!model) {
    return NameTheFile(std::move(model).error(), view->path(), loaded, content.main_file);
  }
  return Signature{.inputs = DescribeAll(model->inputs()),
                   .outputs = DescribeAll(model->outputs()),
                   .libraries = model->info().libraries};
}

Result<std::string> SignatureText(const Signature& signature) {
  Json json = {{"inputs", ToJson(signature.inputs)}, {"outputs", ToJson(signature.outputs)}};
  if (!signature.libraries.empty()) json["libraries"] = signature.libraries;
  std::string text = DumpJson(json);
  if (std::cmp_greater(text.size(), limits::kJsonBytes)) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("a signature of {} bytes; at most {} are kept", text.size(),
                                        limits::kJsonBytes)};
  }
  return text;
}

Result<Signature> ParseSignature(std::string_view text) {
  Error damaged{.code = Code::kDataLoss,
                .message = fmt::format("stored signature {} cannot be read", Shown(text)),
                .id = "State.Damaged"};
  auto json = ParseJson(text);
  if (!json) return damaged;
  try {
    return Signature{.inputs = FromJson(json->at("inputs")),
                     .outputs = FromJson(json->at("outputs")),
                     .libraries = json->value("libraries", std::vector<std::string>())};
  } catch (const Json::exception&) {
    return damaged;
  }
}

}  // namespace slipway::registry
