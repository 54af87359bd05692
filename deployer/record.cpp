// SPDX-License-Identifier: Apache-2.0
#include "deployer/record.h"

#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

Error Damaged(std::string message) {
  return {.code = Code::kDataLoss, .message = std::move(message), .id = "Service.RecordDamaged"};
}

}  // namespace

std::string RecordStem(const ServiceKey& key) {
  std::string workspace;
  for (char c : EncodePercent(key.workspace)) {
    if (c == '.') {
      workspace += "%2E";
    } else {
      workspace.push_back(c);
    }
  }
  return workspace + "." + EncodePercent(key.service);
}

Result<void> ReadRecord(std::string_view text, const std::function<void(const Json&)>& read) {
  const auto json = ParseJson(text);
  if (!json) return Damaged(Within("service record", json.error()).message);
  try {
    read(*json);
  } catch (const Json::exception& error) {
    return Damaged(std::string("service record: ") + error.what());
  }
  return {};
}

Result<void> AdoptRecords(
    const fs::path& folder,
    const std::function<Result<void>(const fs::path& file, const std::string& text)>& adopt) {
  TRY(MakeFolders(folder));
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (error) return SystemError("cannot list " + folder.string(), error.value());
  for (const fs::path& file : files) {
    const auto text = ReadFile(file, limits::kJsonBytes);
    const Result<void> adopted = text ? adopt(file, *text) : Result<void>(text.error());
    if (adopted) continue;
    log::Warn("service record skipped",
              {{"file", file.string()}, {"why", adopted.error().message}});
  }
  return {};
}

}  // namespace slipway::deployer
