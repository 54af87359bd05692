// SPDX-License-Identifier: Apache-2.0
#include "workspace/access.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace slipway::workspace {
namespace {

constexpr std::size_t kIdBytes = 8, kSecretBytes = 32;
constexpr std::string_view kPrefix = "slipway_";
constexpr std::array<Role, 4> kRoles = {Role::kReader, Role::kContributor, Role::kDeployer,
                                        Role::kOwner};

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Error Forbidden(std::string message, std::string fix) {
  return Error{.code = Code::kPermissionDenied,
               .message = std::move(message),
               .id = "Auth.Forbidden",
               .fix = std::move(fix)};
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kReader:
      return "reader";
    case Role::kContributor:
      return "contributor";
    case Role::kDeployer:
      return "deployer";
    case Role::kOwner:
      return "owner";
  }
  return "";
}

Result<Role> RoleFromName(std::string_view name) {
  for (const Role role : kRoles) {
    if (RoleName(role) == name) return role;
  }
  return Error{.code = Code::kInvalidArgument,
               .message = "\"" + std::string(name) + "\" is no role",
               .id = "Token.Role",
               .fix = "one of reader, contributor, deployer, owner"};
}

Result<void> RequireRole(const Principal& principal, Role needed, std::string_view what) {
  if (principal.role >= needed) return {};
  return Forbidden(std::string(what) + " needs role " + std::string(RoleName(needed)) +
                       ", token \"" + principal.name + "\" has " +
                       std::string(RoleName(principal.role)),
                   "ask an owner for a token with that role: slipway token create");
}

Result<void> RequireWorkspace(const Principal& principal, std::string_view name) {
  if (principal.workspace.empty() || principal.workspace == name) return {};
  const std::string what =
      name.empty() ? "all workspaces" : "workspace \"" + std::string(name) + "\"";
  return Forbidden("token \"" + principal.name + "\" is for workspace \"" + principal.workspace +
                       "\", not for " + what,
                   "use a token for " + what);
}

TokenText MakeTokenText() { return {.id = RandomHex(kIdBytes), .secret = RandomHex(kSecretBytes)}; }

std::string FormatToken(const TokenText& token) {
  return std::string(kPrefix) + token.id + "_" + token.secret;
}

Result<TokenText> ParseToken(std::string_view text) {
  Error wrong{.code = Code::kInvalidArgument, .message = "it is no token"};
  if (!text.starts_with(kPrefix)) return wrong;
  const std::string_view rest = text.substr(kPrefix.size());
  if (rest.size() != 2 * kIdBytes + 1 + 2 * kSecretBytes || rest[2 * kIdBytes] != '_') return wrong;
  TokenText token{.id = std::string(rest.substr(0, 2 * kIdBytes)),
                  .secret = std::string(rest.substr(2 * kIdBytes + 1))};
  if (!IsHex(token.id) || !IsHex(token.secret)) return wrong;
  return token;
}

}  // namespace slipway::workspace
