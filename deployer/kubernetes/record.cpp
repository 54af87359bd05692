// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace slipway::deployer {
namespace {

constexpr std::size_t kInstallationBytes = 16;

Error Damaged(std::string_view why) {
  return {.code = Code::kDataLoss,
          .message = "a service's record is damaged: " + std::string(why),
          .id = "Service.RecordDamaged"};
}

Result<KubeRecord> Parse(std::string_view text) {
  const Json json = TRY(ParseJson(text));
  TRY(OnlyKnownFields(json, {"workspace", "service", "kubeconfig", "context", "namespace",
                             "autoscaling", "policy", "networking"}));
  KubeRecord record;
  record.key.workspace = TRY(GetString(json, "workspace"));
  record.key.service = TRY(GetString(json, "service"));
  record.kubeconfig = TRY(GetString(json, "kubeconfig"));
  record.context = TRY(GetString(json, "context"));
  record.name_space = TRY(GetString(json, "namespace"));
  record.apis.autoscaling = TRY(GetString(json, "autoscaling"));
  record.apis.policy = TRY(GetString(json, "policy"));
  record.apis.networking = TRY(GetString(json, "networking"));
  return record;
}

bool IsInstallation(std::string_view text) {
  return text.size() == 2 * kInstallationBytes &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string KubeRecordText(const KubeRecord& record) {
  return DumpJson({{"workspace", record.key.workspace},
                   {"service", record.key.service},
                   {"kubeconfig", record.kubeconfig},
                   {"context", record.context},
                   {"namespace", record.name_space},
                   {"autoscaling", record.apis.autoscaling},
                   {"policy", record.apis.policy},
                   {"networking", record.apis.networking}});
}

Result<KubeRecord> ParseKubeRecord(std::string_view text) {
  auto record = Parse(text);
  if (!record) return Damaged(record.error().message);
  return record;
}

Result<std::string> KubeInstallation(const std::filesystem::path& folder) {
  constexpr std::int64_t kBytesMax = 1024;
  const std::filesystem::path file = folder / "installation";
  const auto text = ReadFile(file, kBytesMax);
  if (text) {
    std::string known(Trim(*text));
    if (IsInstallation(known)) return known;
    return Damaged(file.string() + " does not hold the mark of an installation");
  }
  if (text.error().code != Code::kNotFound) return text.error();
  std::string made = RandomHex(kInstallationBytes);
  TRY(WriteFileAtomic(file, made + "\n", {.mode = 0600}));
  return made;
}

}  // namespace slipway::deployer
