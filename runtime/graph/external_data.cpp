// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/external_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>

namespace slipway::runtime {
namespace {

namespace fs = std::filesystem;

Error Refused(const std::string& location, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("external data '{}' {}", location, why),
          .id = "Model.Invalid"};
}

bool IsInside(const fs::path& folder, const fs::path& file) {
  const auto [end, at] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return end == folder.end() && at != file.end();
}

}  // namespace

Result<std::shared_ptr<StoredBytes>> ExternalData::Open(const std::string& location) {
  if (auto known = files_.find(location); known != files_.end()) return known->second;
  if (location.find('\0') != std::string::npos) return Refused("", "has a zero byte in its name");
  const fs::path relative(location);
  if (relative.is_absolute()) return Refused(location, "is an absolute path");
  if (std::ranges::find(relative, fs::path("..")) != relative.end()) {
    return Refused(location, "leaves the model's folder");
  }
  std::error_code error;
  const fs::path folder = fs::canonical(folder_.empty() ? fs::path(".") : folder_, error);
  if (error) return SystemError(folder_.string(), error.value());
  const fs::path file = fs::canonical(folder / relative, error);
  if (error) {
    return Error{
        .code = Code::kNotFound,
        .message = fmt::format("external data '{}' is not in {}", location, folder.string()),
        .id = "Model.ExternalDataMissing"};
  }
  if (!IsInside(folder, file)) return Refused(location, "leaves the model's folder");
  if (!fs::is_regular_file(file, error)) return Refused(location, "is no regular file");
  auto stored = StoredBytes::Of(file, TRY(MappedFile::Open(file)));
  files_.emplace(location, stored);
  return stored;
}

Result<Tensor> ExternalData::Read(DType dtype, const Shape& shape, const std::string& location,
                                  std::int64_t offset, std::int64_t length) {
  auto file = TRY(Open(location));
  const auto size = static_cast<std::int64_t>(file->bytes().size());
  if (offset > size || length > size - offset) {
    return Refused(
        location, fmt::format("has {} bytes; {} at offset {} are asked for", size, length, offset));
  }
  std::byte* const at = file->bytes().data() + offset;
  const auto alignment = static_cast<std::uintptr_t>(std::clamp(DTypeBits(dtype) / 8, 1, 8));
  const bool aligned = reinterpret_cast<std::uintptr_t>(at) % alignment == 0;
  if (aligned && dtype != DType::kBool && length > 0) {
    return file->View(dtype, shape, at, offset);
  }
  Tensor copy = TRY(Tensor::Make(dtype, shape));
  if (length > 0) std::memcpy(copy.raw(), at, static_cast<std::size_t>(length));
  if (dtype == DType::kBool) {
    for (std::uint8_t& element : copy.data<std::uint8_t>()) element = element != 0;
  }
  return copy;
}

}  // namespace slipway::runtime
