// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

/// Who may ask for what.
namespace slipway::workspace {

/// Each may do what the ones before it may.
enum class Role : std::uint8_t {
  kReader,       ///< sees everything but keys, tokens and the audit trail
  kContributor,  ///< registers models, builds images, scores
  kDeployer,     ///< runs services, sees their keys, moves aliases, promotes
  kOwner,        ///< workspaces, environments, tokens, the audit trail
};
std::string_view RoleName(Role role);
/// kInvalidArgument (id `Token.Role`) listing the roles.
Result<Role> RoleFromName(std::string_view name);

/// Who sends a request.
struct Principal {
  std::string name;
  std::string token_id = {};  ///< empty: the token of the state folder
  Role role = Role::kReader;
  std::string workspace = {};  ///< the only one it may touch; empty: all
};

/// kPermissionDenied (id `Auth.Forbidden`) unless the principal has the role, naming what needs it.
Result<void> RequireRole(const Principal& principal, Role needed, std::string_view what);
/// kPermissionDenied (id `Auth.Forbidden`) if the principal is for another workspace than `name`,
/// which is empty for what belongs to none.
Result<void> RequireWorkspace(const Principal& principal, std::string_view name);

/// The parts of a token as it is sent: `slipway_<id>_<secret>`.
struct TokenText {
  std::string id, secret;
};
TokenText MakeTokenText();
std::string FormatToken(const TokenText& token);
/// kInvalidArgument if it does not look like one.
Result<TokenText> ParseToken(std::string_view text);

}  // namespace slipway::workspace
