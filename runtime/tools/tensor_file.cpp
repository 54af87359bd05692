// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/tensor_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/limits.h"

namespace slipway::runtime {
namespace {

Error UnknownExtension(const std::filesystem::path& path) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("{}: tensors are read from and written to .pb, .npy and .json",
                                 path.string()),
          .id = "Tensor.UnknownFormat"};
}

std::span<const std::byte> AsBytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

Result<Value> ReadAs(const std::string& extension, const std::string& text, const TypeInfo& type) {
  if (extension == ".pb") return ReadProtoValue(AsBytes(text), type);
  if (extension == ".npy") return Value(TRY(ReadNpy(AsBytes(text))));
  const Json json = TRY(ParseJson(text));
  return ValueFromJson(json, type);
}

}  // namespace

Result<Value> ReadTensorFile(const std::filesystem::path& path, const TypeInfo& type) {
  const std::string extension = path.extension().string();
  if (extension != ".pb" && extension != ".npy" && extension != ".json") {
    return UnknownExtension(path);
  }
  const std::string text = TRY(ReadFile(path, limits::kTensorBytes));
  auto value = ReadAs(extension, text, type);
  if (value) return value;
  Error error = std::move(value).error();
  if (error.id.empty()) error.id = "Tensor.Invalid";
  return Within(path.string(), std::move(error));
}

Result<void> WriteTensorFile(const std::filesystem::path& path, std::string_view name,
                             const Value& value) {
  const std::string extension = path.extension().string();
  if (extension == ".json") {
    const Json json = TRY(ValueToJson(value));
    return WriteFileAtomic(path, DumpJson(json) + "\n");
  }
  if (extension != ".pb" && extension != ".npy") return UnknownExtension(path);
  const Tensor* tensor = value.tensor();
  if (tensor == nullptr) {
    return Error{.code = Code::kUnimplemented,
                 .message = fmt::format("{}: only tensors are written as {}; use .json",
                                        path.string(), extension),
                 .id = "Tensor.NotATensor"};
  }
  if (extension == ".npy") return WriteFileAtomic(path, TRY(WriteNpy(*tensor)));
  return WriteFileAtomic(path, TRY(WriteTensorProto(*tensor, name)));
}

}  // namespace slipway::runtime
