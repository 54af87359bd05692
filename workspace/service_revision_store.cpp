// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kRevisionsKept = 100;
constexpr const char* kColumns =
    "SELECT revision, image_name, image_version, image_digest, percent, same_as, created_time,"
    " deployment"
    " FROM service_revisions WHERE workspace = ? AND service = ? ";

api::Revision ReadRevision(const Row& row) {
  api::Revision revision;
  revision.revision = row.Int(0);
  revision.image = row.Text(1) + ":" + std::to_string(row.Int(2));
  revision.image_digest = row.Text(3);
  revision.percent = row.Int(4);
  revision.same_as = row.Int(5);
  revision.created_time = row.Text(6);
  return revision;
}

}  // namespace

Result<void> Store::RecordRevision(const ServiceRow& row) {
  const api::Service& service = row.service;
  const VersionedName image = TRY(ParseVersionedName(service.image));
  const std::array<SqlValue, 9> values{row.workspace,
                                       service.name,
                                       service.revision,
                                       image.name,
                                       image.version,
                                       service.image_digest,
                                       DeploymentToColumn(row.deployment),
                                       row.same_as,
                                       Now()};
  TRY(database_.Execute(
      "INSERT OR IGNORE INTO service_revisions (workspace, service, revision, image_name,"
      " image_version, image_digest, deployment, same_as, created_time)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      values));
  const std::array<SqlValue, 3> old{row.workspace, service.name, service.revision - kRevisionsKept};
  TRY(
      database_.Execute("DELETE FROM service_revisions WHERE workspace = ? AND service = ?"
                        " AND revision <= ? AND percent = 0",
                        old));
  return {};
}

Result<void> Store::SaveTraffic(const ServiceRow& row) {
  Json shares = Json::object();
  if (IsSplit(row)) {
    for (const api::TrafficShare& share : row.service.traffic) {
      shares[std::to_string(share.revision)] = share.percent;
    }
  }
  const std::array<SqlValue, 3> values{DumpJson(shares), row.workspace, row.service.name};
  TRY(database_.Execute(
      "UPDATE service_revisions SET percent = coalesce((SELECT value FROM json_each(?)"
      " WHERE key = CAST(revision AS TEXT)), 0) WHERE workspace = ? AND service = ?",
      values));
  return {};
}

Result<std::vector<api::Revision>> Store::ListRevisions(std::string_view workspace,
                                                        std::string_view service) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(service)};
  std::vector<api::Revision> revisions;
  TRY(database_.Query((std::string(kColumns) + "ORDER BY revision DESC").c_str(), values,
                      [&revisions](const Row& row) { revisions.push_back(ReadRevision(row)); }));
  return revisions;
}

Result<ServiceRow> Store::GetRevision(const ServiceRow& row, std::int64_t revision) {
  const std::array<SqlValue, 3> values{row.workspace, row.service.name, revision};
  ServiceRow found = row;
  bool there = false;
  const auto read = [&](const Row& columns) {
    const api::Revision read_revision = ReadRevision(columns);
    found.service.revision = read_revision.revision;
    found.service.image = read_revision.image;
    found.service.image_digest = read_revision.image_digest;
    found.deployment = DeploymentFromColumn(columns.Text(7), row.service.target);
    there = true;
  };
  TRY(database_.Query((std::string(kColumns) + "AND revision = ?").c_str(), values, read));
  if (!there) return NoRevision(row, revision);
  found.deployment.auth_enabled = row.deployment.auth_enabled;
  found.deployment.token_auth_enabled = row.deployment.token_auth_enabled;
  found.deployment.primary_key = row.deployment.primary_key;
  found.deployment.secondary_key = row.deployment.secondary_key;
  found.service.traffic = {{.revision = revision, .percent = 100}};
  return found;
}

Error Store::NoRevision(const ServiceRow& row, std::int64_t revision) {
  constexpr std::size_t kNamed = 10;
  std::string known;
  const auto all = ListRevisions(row.workspace, row.service.name);
  for (std::size_t i = 0; all && i < all->size() && i < kNamed; ++i) {
    known += (i == 0 ? "" : ", ") + std::to_string((*all)[i].revision);
  }
  return Error{.code = Code::kNotFound,
               .message = "service \"" + row.service.name + "\" has no revision " +
                          std::to_string(revision) + "; it has " + (known.empty() ? "none" : known),
               .id = "Revision.NotFound",
               .fix = "slipway service traffic " + row.service.name + " lists them"};
}

}  // namespace slipway::workspace
