// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "workspace/store.h"
#include "workspace/store_text.h"

namespace slipway::workspace {
namespace {

constexpr const char* kColumns =
    "SELECT seq, id, name, role, workspace, secret_digest, created_by, created_time, expires_time,"
    " revoked_time FROM tokens ";

SqlValue OrNull(const std::string& text) {
  if (text.empty()) return std::monostate();
  return text;
}

Error NoToken(std::string_view id) {
  return Error{.code = Code::kNotFound,
               .message = "there is no token \"" + std::string(id) + "\"",
               .id = "Token.NotFound",
               .fix = "slipway token list"};
}

}  // namespace

Result<Store::Rows<TokenRow>> Store::QueryTokens(const char* where,
                                                 std::span<const SqlValue> values) {
  const std::string now = Now();
  Rows<TokenRow> rows;
  TRY(database_.Query(std::string(kColumns) + where, values, [&](const Row& row) {
    TokenRow found;
    api::Token& token = found.token;
    token.id = row.Text(1);
    token.name = row.Text(2);
    token.role = row.Text(3);
    token.workspace = row.Text(4);
    found.secret_digest = row.Text(5);
    token.created_by = row.Text(6);
    token.created_time = row.Text(7);
    token.expires_time = row.Text(8);
    token.revoked_time = row.Text(9);
    token.state = !token.revoked_time.empty()                                ? "Revoked"
                  : !token.expires_time.empty() && token.expires_time <= now ? "Expired"
                                                                             : "Active";
    rows.emplace_back(row.Int(0), std::move(found));
  }));
  return rows;
}

Result<void> Store::InsertToken(const TokenRow& row) {
  const api::Token& token = row.token;
  const std::array<SqlValue, 8> values{
      token.id,          token.name,       token.role,         OrNull(token.workspace),
      row.secret_digest, token.created_by, token.created_time, token.expires_time};
  Result<std::int64_t> inserted = database_.Execute(
      "INSERT INTO tokens (id, name, role, workspace, secret_digest, created_by, created_time,"
      " expires_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      values);
  if (inserted) return {};
  if (inserted.error().code != Code::kAlreadyExists) return std::move(inserted).error();
  return Error{.code = Code::kAlreadyExists,
               .message = "there is a token \"" + token.name + "\" already",
               .id = "Token.AlreadyExists",
               .fix = "choose another name, or revoke that one first"};
}

Result<TokenRow> Store::GetToken(std::string_view id) {
  const std::array<SqlValue, 1> values{std::string(id)};
  Rows<TokenRow> rows = TRY(QueryTokens("WHERE id = ?", values));
  if (rows.empty()) return NoToken(id);
  return std::move(rows.front().second);
}

Result<TokenRow> Store::FindToken(std::string_view id_or_name) {
  const std::array<SqlValue, 2> values{std::string(id_or_name), std::string(id_or_name)};
  Rows<TokenRow> rows = TRY(
      QueryTokens("WHERE id = ? OR (name = ? AND revoked_time = '') ORDER BY seq LIMIT 1", values));
  if (rows.empty()) return NoToken(id_or_name);
  return std::move(rows.front().second);
}

Result<Page<api::Token>> Store::ListTokens(std::string_view workspace, bool of_all,
                                           const PageRequest& page) {
  const std::int64_t next = TRY(DecodeNext(page.next));
  const std::array<SqlValue, 4> values{
      std::string(workspace), static_cast<std::int64_t>(of_all ? 1 : 0), next, page.limit + 1};
  Rows<TokenRow> found =
      TRY(QueryTokens("WHERE (workspace = ? OR (? = 1 AND workspace IS NULL)) AND seq < ?"
                      " ORDER BY seq DESC LIMIT ?",
                      values));
  Rows<api::Token> rows;
  for (auto& [seq, row] : found) rows.emplace_back(seq, std::move(row.token));
  return CutPage(std::move(rows), page);
}

Result<void> Store::RevokeToken(std::string_view id) {
  const std::array<SqlValue, 2> values{Now(), std::string(id)};
  TRY(database_.Execute("UPDATE tokens SET revoked_time = ? WHERE id = ? AND revoked_time = ''",
                        values));
  return {};
}

}  // namespace slipway::workspace
