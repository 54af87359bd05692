// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {
namespace {

Error NoService(std::string_view workspace, std::string_view name) {
  return Error{.code = Code::kNotFound,
               .message = "there is no service \"" + std::string(name) + "\" in workspace \"" +
                          std::string(workspace) + "\"",
               .id = "Service.NotFound",
               .fix = "slipway service list"};
}

std::string ComputeTypeOf(std::string_view target) {
  if (target == "kubernetes") return "AKS";
  std::string name(target);
  for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

/// All of them go to one revision where nothing else is on record.
std::vector<api::TrafficShare> TrafficFromColumn(const std::string& column, std::int64_t revision) {
  std::vector<api::TrafficShare> shares;
  const Result<Json> json = ParseJson(column);
  if (json && json->is_array()) {
    for (const Json& item : *json) {
      shares.push_back({.revision = item.value("r", std::int64_t{0}),
                        .percent = item.value("p", std::int64_t{0})});
    }
  }
  if (shares.empty()) shares.push_back({.revision = revision, .percent = 100});
  return shares;
}

}  // namespace

bool IsSplit(const ServiceRow& row) { return row.service.traffic.size() > 1; }

void ShowDeployment(ServiceRow& row) {
  row.service.auth_enabled = row.deployment.auth_enabled;
  row.service.deployment.json =
      DumpJson(deployer::ToJson(row.deployment, deployer::Secrets::kHidden));
}

Result<Store::Rows<ServiceRow>> Store::QueryServices(const char* where,
                                                     std::span<const SqlValue> values) {
  const std::string sql =
      std::string(
          "SELECT s.seq, s.workspace, s.name, s.state, s.target, s.image_name, s.image_version,"
          " i.digest, s.port, s.endpoint, s.cause, s.detail, s.description, s.revision, s.tags,"
          " s.properties, s.created_time, s.updated_time, s.operation_id, s.change, s.deployment,"
          " (SELECT json_group_array(json_object('r', revision, 'p', percent)) FROM (SELECT"
          " revision, percent FROM service_revisions r WHERE r.workspace = s.workspace AND"
          " r.service = s.name AND r.percent > 0 ORDER BY revision))"
          " FROM services s JOIN images i ON i.workspace = s.workspace AND i.name = s.image_name"
          " AND i.version = s.image_version ") +
      where;
  Rows<ServiceRow> rows;
  TRY(database_.Query(sql, values, [&rows](const Row& row) {
    ServiceRow found;
    found.workspace = row.Text(1);
    api::Service& service = found.service;
    service.name = row.Text(2);
    service.state = row.Text(3);
    service.target = row.Text(4);
    service.image = row.Text(5) + ":" + std::to_string(row.Int(6));
    service.image_digest = row.Text(7);
    found.port = row.Int(8);
    service.endpoint = row.Text(9);
    service.compute_type = ComputeTypeOf(service.target);
    service.scoring_uri = service.endpoint.empty() ? "" : service.endpoint + "/score";
    service.swagger_uri = service.endpoint.empty() ? "" : service.endpoint + "/swagger.json";
    service.cause = row.Text(10);
    service.detail = row.Text(11);
    service.description = row.Text(12);
    service.revision = row.Int(13);
    service.kv_tags = TextMapFromColumn(row.Text(14));
    service.properties = TextMapFromColumn(row.Text(15));
    service.created_time = row.Text(16);
    service.updated_time = row.Text(17);
    found.operation_id = row.Text(18);
    service.etag =
        MakeEtag(found.workspace + "/" + service.name, service.created_time, row.Int(19));
    found.deployment = DeploymentFromColumn(row.Text(20), service.target);
    service.traffic = TrafficFromColumn(row.Text(21), service.revision);
    ShowDeployment(found);
    rows.emplace_back(row.Int(0), std::move(found));
  }));
  return rows;
}

Result<void> Store::InsertService(const ServiceRow& row) {
  const api::Service& service = row.service;
  const VersionedName image = TRY(ParseVersionedName(service.image));
  const std::string now = Now();
  const std::array<SqlValue, 14> values{row.workspace,
                                        service.name,
                                        service.state,
                                        service.target,
                                        image.name,
                                        image.version,
                                        row.port,
                                        service.description,
                                        TextMapToColumn(service.kv_tags),
                                        TextMapToColumn(service.properties),
                                        now,
                                        now,
                                        row.operation_id,
                                        DeploymentToColumn(row.deployment)};
  Result<std::int64_t> inserted = database_.Execute(
      "INSERT INTO services (workspace, name, state, target, image_name, image_version, port,"
      " description, revision, tags, properties, created_time, updated_time, operation_id,"
      " deployment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
      values);
  if (inserted) return {};
  if (inserted.error().code != Code::kAlreadyExists) return std::move(inserted).error();
  return Error{.code = Code::kAlreadyExists,
               .message = "there is a service \"" + service.name + "\" already",
               .id = "Service.AlreadyExists",
               .fix = "choose another name, or send overwrite"};
}

Result<void> Store::UpdateService(const ServiceRow& row) {
  const api::Service& service = row.service;
  const VersionedName image = TRY(ParseVersionedName(service.image));
  const std::array<SqlValue, 17> values{service.state,
                                        service.target,
                                        image.name,
                                        image.version,
                                        row.port,
                                        service.endpoint,
                                        service.cause,
                                        service.detail,
                                        service.description,
                                        service.revision,
                                        TextMapToColumn(service.kv_tags),
                                        TextMapToColumn(service.properties),
                                        Now(),
                                        row.operation_id,
                                        DeploymentToColumn(row.deployment),
                                        row.workspace,
                                        service.name};
  const std::int64_t changed = TRY(database_.Execute(
      "UPDATE services SET state = ?, target = ?, image_name = ?, image_version = ?, port = ?,"
      " endpoint = ?, cause = ?, detail = ?, description = ?, revision = ?, tags = ?,"
      " properties = ?, updated_time = ?, operation_id = ?, deployment = ?, change = change + 1"
      " WHERE workspace = ? AND name = ?",
      values));
  if (changed == 0) return NoService(row.workspace, service.name);
  return SaveTraffic(row);
}

Result<void> Store::SaveDeployment(const ServiceRow& row) {
  const std::array<SqlValue, 4> values{DeploymentToColumn(row.deployment), Now(), row.workspace,
                                       row.service.name};
  const std::int64_t changed = TRY(
      database_.Execute("UPDATE services SET deployment = ?, updated_time = ?, change = change + 1"
                        " WHERE workspace = ? AND name = ?",
                        values));
  if (changed == 0) return NoService(row.workspace, row.service.name);
  return {};
}

Result<ServiceRow> Store::GetService(std::string_view workspace, std::string_view name) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(name)};
  Rows<ServiceRow> rows = TRY(QueryServices("WHERE s.workspace = ? AND s.name = ?", values));
  if (rows.empty()) return NoService(workspace, name);
  return std::move(rows.front().second);
}

Result<Page<ServiceRow>> Store::ListServices(std::string_view workspace, const PageRequest& page) {
  const std::int64_t next = TRY(DecodeNext(page.next));
  const std::array<SqlValue, 3> values{std::string(workspace), next, page.limit + 1};
  return CutPage(
      TRY(QueryServices("WHERE s.workspace = ? AND s.seq < ? ORDER BY s.seq DESC LIMIT ?", values)),
      page);
}

Result<std::vector<ServiceRow>> Store::AllServices() {
  PageRequest everything{.limit = std::numeric_limits<std::int64_t>::max()};
  return CutPage(TRY(QueryServices("ORDER BY s.seq", {})), everything).items;
}

Result<void> Store::DeleteService(std::string_view workspace, std::string_view name) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(name)};
  const std::int64_t deleted =
      TRY(database_.Execute("DELETE FROM services WHERE workspace = ? AND name = ?", values));
  if (deleted == 0) return NoService(workspace, name);
  return {};
}

Result<std::vector<std::string>> Store::ServicesOfModel(std::string_view workspace,
                                                        std::string_view model_id) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(model_id)};
  std::vector<std::string> names;
  TRY(database_.Query(
      "SELECT DISTINCT s.name FROM (SELECT workspace, name, image_name, image_version FROM services"
      " UNION SELECT workspace, service, image_name, image_version FROM service_revisions"
      " WHERE percent > 0) s JOIN images i ON i.workspace = s.workspace"
      " AND i.name = s.image_name AND i.version = s.image_version"
      " JOIN image_models m ON m.image = i.seq WHERE s.workspace = ? AND m.model = ?"
      " ORDER BY s.name",
      values, [&names](const Row& row) { names.push_back(row.Text(0)); }));
  return names;
}

}  // namespace slipway::workspace
