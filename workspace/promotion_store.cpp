// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {
namespace {

std::string EvidenceToColumn(const api::Promotion& promotion) {
  return DumpJson(api::ToJson(promotion)["evidence"]);
}

/// What cannot be read is left out: the rest of the record still tells what happened.
std::vector<api::Evidence> EvidenceFromColumn(const std::string& column) {
  Result<Json> list = ParseJson(column);
  if (!list) return {};
  api::Promotion promotion;
  const Json object{{"evidence", *std::move(list)}};
  if (!api::FromJson(object, promotion)) return {};
  return promotion.evidence;
}

}  // namespace

Result<Store::Rows<api::Promotion>> Store::QueryPromotions(const char* where,
                                                           std::span<const SqlValue> values) {
  Rows<api::Promotion> rows;
  TRY(database_.Query(
      std::string("SELECT seq, id, workspace, environment, model, model_digest, service, state,"
                  " requested_by, decided_by, note, image, image_digest, previous_image, evidence,"
                  " operation_id, error_code, error, created_time, decided_time, ended_time"
                  " FROM promotions ") +
          where,
      values, [&rows](const Row& row) {
        api::Promotion promotion;
        promotion.id = row.Text(1);
        promotion.workspace = row.Text(2);
        promotion.environment = row.Text(3);
        promotion.model = row.Text(4);
        promotion.model_digest = row.Text(5);
        promotion.service = row.Text(6);
        promotion.state = row.Text(7);
        promotion.requested_by = row.Text(8);
        promotion.decided_by = row.Text(9);
        promotion.note = row.Text(10);
        promotion.image = row.Text(11);
        promotion.image_digest = row.Text(12);
        promotion.previous_image = row.Text(13);
        promotion.evidence = EvidenceFromColumn(row.Text(14));
        promotion.operation_id = row.Text(15);
        promotion.error_code = row.Text(16);
        promotion.error = row.Text(17);
        promotion.created_time = row.Text(18);
        promotion.decided_time = row.Text(19);
        promotion.ended_time = row.Text(20);
        rows.emplace_back(row.Int(0), std::move(promotion));
      }));
  return rows;
}

Result<void> Store::InsertPromotion(const api::Promotion& promotion) {
  const std::array<SqlValue, 10> values{promotion.id,           promotion.workspace,
                                        promotion.environment,  promotion.model,
                                        promotion.model_digest, promotion.service,
                                        promotion.state,        promotion.requested_by,
                                        promotion.note,         Now()};
  TRY(database_.Execute(
      "INSERT INTO promotions (id, workspace, environment, model, model_digest, service, state,"
      " requested_by, note, created_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      values));
  return {};
}

Result<void> Store::SavePromotion(const api::Promotion& promotion) {
  const std::array<SqlValue, 14> values{promotion.state,
                                        promotion.decided_by,
                                        promotion.note,
                                        promotion.image,
                                        promotion.image_digest,
                                        promotion.previous_image,
                                        EvidenceToColumn(promotion),
                                        promotion.operation_id,
                                        promotion.error_code,
                                        promotion.error,
                                        promotion.decided_time,
                                        promotion.ended_time,
                                        promotion.service,
                                        promotion.id};
  TRY(database_.Execute(
      "UPDATE promotions SET state = ?, decided_by = ?, note = ?, image = ?, image_digest = ?,"
      " previous_image = ?, evidence = ?, operation_id = ?, error_code = ?, error = ?,"
      " decided_time = ?, ended_time = ?, service = ? WHERE id = ?",
      values));
  return {};
}

Result<api::Promotion> Store::GetPromotion(std::string_view workspace, std::string_view id) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(id)};
  Rows<api::Promotion> rows = TRY(QueryPromotions("WHERE workspace = ? AND id = ?", values));
  if (!rows.empty()) return std::move(rows.front().second);
  return Error{.code = Code::kNotFound,
               .message = "there is no promotion \"" + std::string(id) + "\" in workspace \"" +
                          std::string(workspace) + "\"",
               .id = "Promotion.NotFound",
               .fix = "slipway promotion list"};
}

Result<Page<api::Promotion>> Store::ListPromotions(std::string_view workspace,
                                                   std::string_view environment,
                                                   const PageRequest& page) {
  const std::int64_t next = TRY(DecodeNext(page.next));
  const std::array<SqlValue, 5> values{std::string(workspace), std::string(environment),
                                       std::string(environment), next, page.limit + 1};
  return CutPage(TRY(QueryPromotions("WHERE workspace = ? AND (? = '' OR environment = ?)"
                                     " AND seq < ? ORDER BY seq DESC LIMIT ?",
                                     values)),
                 page);
}

Result<void> Store::FailPromotionsOf(std::string_view operation_id, const Error& why) {
  const std::array<SqlValue, 4> values{ErrorId(why), why.message, Now(), std::string(operation_id)};
  TRY(database_.Execute(
      "UPDATE promotions SET state = 'Failed', error_code = ?, error = ?, ended_time = ?"
      " WHERE operation_id = ? AND state = 'Running'",
      values));
  return {};
}

Result<std::string> Store::ImageOfModel(std::string_view workspace, std::string_view model_id) {
  const std::array<SqlValue, 2> values{std::string(workspace), std::string(model_id)};
  std::string id;
  TRY(database_.Query(
      "SELECT i.name, i.version FROM images i JOIN image_models m ON m.image = i.seq"
      " WHERE i.workspace = ? AND i.state = 'Succeeded' AND m.model = ? AND"
      " (SELECT count(*) FROM image_models n WHERE n.image = i.seq) = 1"
      " ORDER BY i.seq DESC LIMIT 1",
      values, [&id](const Row& row) { id = row.Text(0) + ":" + std::to_string(row.Int(1)); }));
  return id;
}

}  // namespace slipway::workspace
