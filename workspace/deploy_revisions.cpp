// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "workspace/deploy.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

using deployer::Driver;
using deployer::Observed;
using deployer::ServiceKey;

constexpr std::chrono::milliseconds kDrainPause{20}, kDrainMargin{20'000};

ServiceKey KeyOf(const ServiceRow& row) { return {row.workspace, row.service.name}; }

/// A revision that runs beside its service; no service has a dot in its name.
ServiceKey SideKey(const ServiceRow& row, std::int64_t revision) {
  return {row.workspace, fmt::format("{}.v{}", row.service.name, revision)};
}

/// The revision on a port of its own that only this machine reaches.
Result<deployer::DeploySpec> SideSpec(Workspace& workspace, const ServiceRow& row,
                                      std::int64_t revision) {
  const ServiceRow then = TRY(workspace.store().GetRevision(row, revision));
  deployer::DeploySpec spec = TRY(MakeDeploySpec(workspace, then));
  spec.service = SideKey(row, revision).service;
  spec.port = 0;
  spec.deployment.port = 0;
  spec.deployment.docker.address.clear();
  return spec;
}

deployer::DeploySpec FrontSpec(const ServiceRow& row, std::vector<deployer::Upstream> upstreams) {
  deployer::DeploySpec spec{.workspace = row.workspace,
                            .service = row.service.name,
                            .revision = row.service.revision,
                            .port = static_cast<int>(row.port)};
  spec.deployment.port = row.deployment.port;
  spec.deployment.docker = row.deployment.docker;
  spec.upstreams = std::move(upstreams);
  return spec;
}

/// Starts the revisions of a divided service, waits for them where `options` are given, and then
/// has the requests divided.
Result<void> ApplySplit(Workspace& workspace, Driver& driver, const ServiceRow& row,
                        const deployer::WaitOptions* options) {
  for (const api::TrafficShare& share : row.service.traffic) {
    const deployer::DeploySpec spec = TRY(SideSpec(workspace, row, share.revision));
    TRY(driver.Apply(spec));
  }
  std::vector<deployer::Upstream> upstreams;
  for (const api::TrafficShare& share : row.service.traffic) {
    const ServiceKey key = SideKey(row, share.revision);
    const Observed seen = options == nullptr
                              ? TRY(driver.Observe(key))
                              : TRY(deployer::WaitReady(driver, key, workspace.clock(), *options));
    upstreams.push_back({.url = seen.endpoint, .weight = share.percent});
  }
  return driver.Apply(FrontSpec(row, std::move(upstreams)));
}

Result<void> Apply(Workspace& workspace, Driver& driver, const ServiceRow& row,
                   const deployer::WaitOptions* options) {
  if (IsSplit(row)) return ApplySplit(workspace, driver, row, options);
  return driver.Apply(TRY(MakeDeploySpec(workspace, row)));
}

bool GetsRequests(const ServiceRow& row, std::int64_t revision) {
  return IsSplit(row) && std::ranges::any_of(row.service.traffic, [revision](const auto& share) {
           return share.revision == revision;
         });
}

/// Waits for the requests that are under way at what answered before.
void AwaitDrained(Workspace& workspace, Driver& driver, const ServiceRow& row) {
  const auto deadline = workspace.clock().Steady() + kDrainMargin +
                        std::chrono::milliseconds(row.deployment.scoring_timeout_ms);
  while (workspace.clock().Steady() < deadline) {
    const Result<Observed> seen = driver.Observe(KeyOf(row));
    if (!seen || !seen->draining) return;
    workspace.clock().Sleep(kDrainPause);
  }
}

}  // namespace

Result<void> UnpackService(Workspace& workspace, const ServiceRow& row) {
  if (!IsSplit(row)) {
    TRY(MakeDeploySpec(workspace, row));
    return {};
  }
  for (const api::TrafficShare& share : row.service.traffic) {
    TRY(SideSpec(workspace, row, share.revision));
  }
  return {};
}

Result<void> ApplyService(Workspace& workspace, const ServiceRow& row) {
  Driver* driver = TRY(workspace.targets().Find(row.service.target));
  return Apply(workspace, *driver, row, nullptr);
}

Result<Observed> ApplyAndWait(Workspace& workspace, const ServiceRow& row,
                              const deployer::WaitOptions& options) {
  Driver* driver = TRY(workspace.targets().Find(row.service.target));
  TRY(Apply(workspace, *driver, row, &options));
  return deployer::WaitReady(*driver, KeyOf(row), workspace.clock(), options);
}

Result<Observed> ObserveService(Driver& driver, const ServiceRow& row) {
  Observed service = TRY(driver.Observe(KeyOf(row)));
  if (!IsSplit(row)) return service;
  for (const api::TrafficShare& share : row.service.traffic) {
    Observed seen = TRY(driver.Observe(SideKey(row, share.revision)));
    service.restarts += seen.restarts;
    const bool worse = seen.phase != deployer::Phase::kHealthy &&
                       (service.phase == deployer::Phase::kHealthy || seen.phase > service.phase);
    if (!worse) continue;
    service.phase = seen.phase;
    service.cause = seen.cause;
    service.detail = fmt::format("revision {}: {}", share.revision, seen.detail);
    service.log_line = seen.log_line;
  }
  return service;
}

Result<std::string> ReadServiceLogs(Driver& driver, const ServiceRow& row, std::int64_t lines) {
  if (!IsSplit(row)) return driver.Logs(KeyOf(row), lines);
  std::string text;
  for (const api::TrafficShare& share : row.service.traffic) {
    text += fmt::format("revision {}, {} %:\n", share.revision, share.percent);
    text += TRY(driver.Logs(SideKey(row, share.revision), lines));
  }
  return text;
}

Result<void> RemoveIdleRevisions(Workspace& workspace, const ServiceRow& row, Keep keep) {
  if (!deployer::CheckSplits(row.service.target)) return {};
  Driver* driver = TRY(workspace.targets().Find(row.service.target));
  for (const api::Revision& known :
       TRY(workspace.store().ListRevisions(row.workspace, row.service.name))) {
    if (keep == Keep::kTraffic && GetsRequests(row, known.revision)) continue;
    TRY(driver->Remove(SideKey(row, known.revision)));
  }
  return {};
}

void TidyRevisions(Workspace& workspace, const ServiceRow& row) {
  if (!deployer::CheckSplits(row.service.target)) return;
  const Result<Driver*> driver = workspace.targets().Find(row.service.target);
  if (!driver) return;
  const auto known = workspace.store().ListRevisions(row.workspace, row.service.name);
  const bool beside = known && std::ranges::any_of(*known, [&](const api::Revision& revision) {
                        return !GetsRequests(row, revision.revision) &&
                               (*driver)->Observe(SideKey(row, revision.revision)).has_value();
                      });
  if (!beside) return;
  AwaitDrained(workspace, **driver, row);
  if (const auto removed = RemoveIdleRevisions(workspace, row, Keep::kTraffic); !removed) {
    log::Warn("old revisions still run",
              {{"service", row.service.name}, {"error", removed.error().message}});
  }
}

}  // namespace slipway::workspace
