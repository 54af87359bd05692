// SPDX-License-Identifier: Apache-2.0
#include "workspace/service_keys.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "workspace/deploy.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::size_t kKeyBytes = 24;

Result<std::string*> ChooseKey(deployer::Deployment& deployment, const std::string& key) {
  if (key == "primary") return &deployment.primary_key;
  if (key == "secondary") return &deployment.secondary_key;
  return Error{.code = Code::kInvalidArgument,
               .message = "key \"" + key + "\" is neither \"primary\" nor \"secondary\"",
               .id = "Request.Invalid"};
}

/// Puts the keys of the row where the running service finds them.
Result<void> HandOut(Workspace& workspace, const ServiceRow& row) {
  if (deployer::RunsUnpacked(row.service.target)) return WriteKeyFile(workspace, row);
  return ApplyService(workspace, row);
}

}  // namespace

void CompleteKeys(deployer::Deployment& deployment) {
  if (!deployment.auth_enabled) return;
  for (std::string* key : {&deployment.primary_key, &deployment.secondary_key}) {
    if (key->empty()) *key = RandomHex(kKeyBytes);
  }
}

std::filesystem::path KeyFile(const Workspace& workspace, const ServiceRow& row) {
  return workspace.run_folder() / "keys" / (row.workspace + "." + row.service.name);
}

Result<void> WriteKeyFile(const Workspace& workspace, const ServiceRow& row) {
  if (!row.deployment.auth_enabled) {
    RemoveKeyFile(workspace, row);
    return {};
  }
  const std::filesystem::path file = KeyFile(workspace, row);
  TRY(MakeFolders(file.parent_path()));
  if (::chmod(file.parent_path().c_str(), 0700) != 0) {
    return SystemError(file.parent_path().string(), errno);
  }
  const std::string text = row.deployment.primary_key + "\n" + row.deployment.secondary_key + "\n";
  const Result<std::string> now = ReadFile(file, static_cast<std::int64_t>(text.size()));
  if (now && *now == text) return {};
  return WriteFileAtomic(file, text, {.mode = 0600});
}

void RemoveKeyFile(const Workspace& workspace, const ServiceRow& row) {
  const Result<void> removed = RemoveTree(KeyFile(workspace, row));
  if (!removed) log::Warn("key file was not removed", {{"error", removed.error().message}});
}

Result<api::ServiceKeys> GetKeys(const ServiceRow& row) {
  if (!row.deployment.auth_enabled) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "service \"" + row.service.name + "\" asks for no keys",
                 .id = "Service.NoKeys",
                 .fix = "update it with auth_enabled: true in its deployment"};
  }
  return api::ServiceKeys{row.deployment.primary_key, row.deployment.secondary_key};
}

Result<api::ServiceKeys> SetKey(Workspace& workspace, const std::string& workspace_name,
                                const std::string& name, const api::SetServiceKey& wanted) {
  ServiceRow before, after;
  const auto change = [&]() -> Result<void> {
    before = TRY(workspace.store().GetService(workspace_name, name));
    TRY(GetKeys(before));
    if (before.service.state == "Transitioning") {
      return Error{.code = Code::kFailedPrecondition,
                   .message = "an operation is working on service \"" + name + "\"",
                   .id = "Service.Busy",
                   .fix = "wait for it to end"};
    }
    after = before;
    std::string* key = TRY(ChooseKey(after.deployment, wanted.key));
    *key = wanted.value.empty() ? RandomHex(kKeyBytes) : wanted.value;
    TRY(deployer::CheckDeployment(after.deployment, after.service.target));
    return workspace.store().SaveDeployment(after);
  };
  TRY(workspace.store().Transaction(change));
  const Result<void> handed = HandOut(workspace, after);
  if (!handed) {
    const Result<void> undone = workspace.store().SaveDeployment(before);
    if (!undone) log::Failure("key was not put back", {{"error", undone.error().message}});
    return Within("handing the key to service \"" + name + "\"", handed.error());
  }
  return GetKeys(after);
}

}  // namespace slipway::workspace
