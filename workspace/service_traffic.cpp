// SPDX-License-Identifier: Apache-2.0
#include "workspace/service_traffic.h"

#include <algorithm>
#include <memory>

#include "workspace/etag.h"
#include "workspace/service_work.h"
#include "workspace/services.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kAll = 100;
constexpr std::size_t kSharesMax = 10;

using Work = std::shared_ptr<ServiceWork>;

Error Invalid(std::string message) {
  return Error{.code = Code::kInvalidArgument,
               .message = std::move(message),
               .id = "Traffic.Invalid",
               .fix = "slipway service traffic NAME v1=90 v2=10"};
}

/// What the row says of the service: its greatest share, of equal ones the newest.
std::int64_t Foremost(const std::vector<api::TrafficShare>& shares) {
  const auto less = [](const api::TrafficShare& a, const api::TrafficShare& b) {
    return a.percent != b.percent ? a.percent < b.percent : a.revision < b.revision;
  };
  return std::max_element(shares.begin(), shares.end(), less)->revision;
}

/// Makes `after` the service as it was in that revision; its image stays until the work is over.
Result<void> TakeRevision(Workspace& workspace, ServiceWork& work, std::int64_t revision) {
  const ServiceRow found = TRY(workspace.store().GetRevision(work.before, revision));
  work.after.deployment = found.deployment;
  return HoldImage(workspace, work, found.service.image);
}

Result<void> PrepareTraffic(Workspace& workspace, const std::vector<api::TrafficShare>& shares,
                            ServiceWork& work) {
  for (const api::TrafficShare& share : shares) {
    TRY(TakeRevision(workspace, work, share.revision));
    work.more_holds.push_back(std::move(work.hold));
  }
  work.after.service.revision = Foremost(shares);
  TRY(TakeRevision(workspace, work, work.after.service.revision));
  work.after.service.traffic = shares;
  work.redeploys = shares != work.before.service.traffic;
  return {};
}

/// The revision before the one that answers now.
Result<std::int64_t> FindEarlier(Workspace& workspace, const ServiceRow& row) {
  if (IsSplit(row)) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = "requests of service \"" + row.service.name +
                   "\" are divided between revisions, so that none is the one before",
        .id = "Revision.Unclear",
        .fix = "say which: slipway service rollback " + row.service.name + " --to REVISION"};
  }
  for (const api::Revision& revision :
       TRY(workspace.store().ListRevisions(row.workspace, row.service.name))) {
    if (revision.revision < row.service.revision) return revision.revision;
  }
  return Error{.code = Code::kFailedPrecondition,
               .message = "service \"" + row.service.name + "\" has no revision before " +
                          std::to_string(row.service.revision),
               .id = "Revision.None"};
}

Result<void> PrepareRollBack(Workspace& workspace, const api::RollBack& wanted, ServiceWork& work) {
  const std::int64_t to = wanted.to != 0 ? wanted.to : TRY(FindEarlier(workspace, work.before));
  TRY(TakeRevision(workspace, work, to));
  work.after.same_as = to;
  return {};
}

Result<api::Operation> Start(Workspace& workspace, const Work& work, std::string kind,
                             const std::string& if_match, std::function<Result<void>()> prepare) {
  return StartServiceWork(workspace, work, std::move(kind),
                          [&workspace, work, if_match, prepare = std::move(prepare)](
                              const std::string& operation_id) -> Result<void> {
                            TRY(TakeService(workspace, *work, operation_id));
                            TRY(CheckIfMatch(if_match, work->before.service.etag,
                                             "service \"" + work->before.service.name + "\""));
                            return prepare();
                          });
}

}  // namespace

Result<std::vector<api::TrafficShare>> CheckTraffic(const api::Traffic& wanted) {
  std::vector<api::TrafficShare> shares;
  std::int64_t sum = 0;
  for (const api::TrafficShare& share : wanted.traffic) {
    if (share.percent < 0 || share.percent > kAll) {
      return Invalid("revision " + std::to_string(share.revision) + " cannot get " +
                     std::to_string(share.percent) + " percent");
    }
    sum += share.percent;
    if (share.percent > 0) shares.push_back(share);
    if (shares.size() > kSharesMax) {
      return Invalid("more than " + std::to_string(kSharesMax) + " revisions at once");
    }
  }
  if (sum != kAll) return Invalid("the percents add up to " + std::to_string(sum) + ", not to 100");
  std::ranges::sort(shares, {}, &api::TrafficShare::revision);
  const auto twice = std::ranges::adjacent_find(shares, {}, &api::TrafficShare::revision);
  if (twice == shares.end()) return shares;
  return Invalid("revision " + std::to_string(twice->revision) + " is given twice");
}

Result<api::Operation> StartTraffic(Workspace& workspace, const std::string& workspace_name,
                                    const std::string& name, const api::Traffic& wanted,
                                    const std::string& if_match) {
  const std::vector<api::TrafficShare> shares = TRY(CheckTraffic(wanted));
  const auto work = std::make_shared<ServiceWork>();
  work->after = TRY(workspace.store().GetService(workspace_name, name));
  TRY(deployer::CheckSplits(work->after.service.target));
  return Start(workspace, work, "service.traffic", if_match,
               [&workspace, work, shares] { return PrepareTraffic(workspace, shares, *work); });
}

Result<api::Operation> StartRollBack(Workspace& workspace, const std::string& workspace_name,
                                     const std::string& name, const api::RollBack& wanted,
                                     const std::string& if_match) {
  const auto work = std::make_shared<ServiceWork>();
  work->after = TRY(workspace.store().GetService(workspace_name, name));
  return Start(workspace, work, "service.rollback", if_match,
               [&workspace, work, wanted] { return PrepareRollBack(workspace, wanted, *work); });
}

}  // namespace slipway::workspace
