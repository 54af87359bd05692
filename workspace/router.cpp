// SPDX-License-Identifier: Apache-2.0
#include "workspace/router.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"
#include "workspace/metrics.h"
#include "workspace/state_folder.h"
#include "workspace/store.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kKeptBodyBytesMax = 1 << 20;
constexpr std::size_t kKeyCharsMax = 255;
constexpr std::string_view kNoRoute = "none";

struct StatusOf {
  std::string_view id;
  int status;
};
constexpr std::array<StatusOf, 9> kStatus = {{{"Auth.Required", 401},
                                              {"Auth.Expired", 401},
                                              {"Etag.Mismatch", 412},
                                              {"Idempotency.Mismatch", 422},
                                              {"Route.Method", 405},
                                              {"State.DiskFull", 507},
                                              {"State.WriteFailed", 507},
                                              {"Operation.QueueFull", 429},
                                              {"Blob.Range", 416}}};

bool IsName(std::string_view segment) { return segment.size() > 2 && segment.front() == '{'; }

bool Fits(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  return std::equal(pattern.begin(), pattern.end(), segments.begin(), segments.end(),
                    [](const std::string& wanted, const std::string& segment) {
                      return IsName(wanted) || wanted == segment;
                    });
}

bool NeedsToken(const http::Target& target) {
  return !target.segments.empty() && target.segments.front() == "api";
}

/// The credential of the request; empty if there is none.
std::string_view BearerOf(const http::Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view field = request.headers.Get("Authorization");
  if (field.size() <= kScheme.size() || ToLower(field.substr(0, kScheme.size())) != kScheme) {
    return {};
  }
  return Trim(field.substr(kScheme.size()));
}

Error Unauthorized(bool had_one) {
  return {.code = Code::kPermissionDenied,
          .message = had_one ? "the token is not valid here" : "this request needs a bearer token",
          .id = "Auth.Required",
          .fix =
              "send a token of slipway token create, or of the state folder's admin.token, as "
              "\"Authorization: Bearer …\""};
}

/// Whose token it is. The same error for one that never was and one with a wrong secret.
Result<Principal> Authenticate(Workspace& workspace, const http::Request& request) {
  const std::string_view bearer = BearerOf(request);
  if (bearer.empty()) return Unauthorized(request.headers.Has("Authorization"));
  if (EqualSecrets(bearer, workspace.token())) {
    return Principal{.name = "admin", .role = Role::kOwner};
  }
  const Result<TokenText> text = ParseToken(bearer);
  if (!text) return Unauthorized(true);
  const Result<TokenRow> row = workspace.store().GetToken(text->id);
  if (!row && row.error().code != Code::kNotFound) return row.error();
  if (!row || !EqualSecrets(Digest::OfText(text->secret).text(), row->secret_digest) ||
      row->token.state == "Revoked") {
    return Unauthorized(true);
  }
  if (row->token.state != "Active") {
    return Error{
        .code = Code::kPermissionDenied,
        .message = "token \"" + row->token.name + "\" expired at " + row->token.expires_time,
        .id = "Auth.Expired",
        .fix = "ask an owner for a new one: slipway token create"};
  }
  const Role role = TRY(RoleFromName(row->token.role));
  return Principal{.name = row->token.name,
                   .token_id = row->token.id,
                   .role = role,
                   .workspace = row->token.workspace};
}

Result<void> Authorize(const Route& route, const Call& call) {
  TRY(RequireRole(call.principal, route.role,
                  std::string(route.method) + " " + std::string(route.path)));
  const auto name = call.params.find("w");
  if (name == call.params.end()) return {};
  return RequireWorkspace(call.principal, name->second);
}

/// Whether a request is put on record: it changes something, or was to.
bool IsAudited(const Route& route) {
  return !route.changes_nothing &&
         (route.tells_secrets || (route.method != "GET" && route.method != "HEAD"));
}

std::string CodeOf(const http::Response& response) {
  return response.status < 400 ? "" : ErrorId(http::ErrorFromResponse(response));
}

std::string OperationOf(const http::Response& response) {
  const std::string_view location = response.headers.Get("Operation-Location");
  return std::string(location.substr(location.rfind('/') + 1));
}

void Audit(Workspace& workspace, const Call& call, const http::Response& response) {
  const auto name = call.params.find("w");
  api::AuditEntry entry;
  entry.actor = call.principal.name;
  entry.token_id = call.principal.token_id;
  entry.role = RoleName(call.principal.role);
  entry.peer = call.request.peer;
  entry.method = call.request.method;
  entry.path = call.target.path;
  entry.workspace = name == call.params.end() ? "" : name->second;
  entry.status = response.status;
  entry.code = CodeOf(response);
  entry.operation_id = OperationOf(response);
  const Result<void> written = workspace.store().InsertAudit(entry);
  if (written) return;
  log::Failure("audit entry was not written", {{"error", written.error().message},
                                               {"actor", entry.actor},
                                               {"method", entry.method},
                                               {"path", entry.path},
                                               {"status", response.status}});
}

http::Response FromKept(const KeptResponse& kept) {
  http::Response response;
  response.status = static_cast<int>(kept.status);
  for (const auto& [name, value] : kept.headers) response.headers.Add(name, value);
  response.headers.Set("Idempotency-Replayed", "true");
  response.body = kept.body;
  return response;
}

}  // namespace

const std::string& Call::Param(std::string_view name) const {
  const auto found = params.find(name);
  SLIPWAY_CHECK(found != params.end());
  return found->second;
}

http::Response FailureResponse(const Error& given) {
  const Error error = InStateFolder(given);
  http::Response response = http::Problem(error);
  for (const StatusOf& row : kStatus) {
    if (row.id != error.id) continue;
    const std::string was = "\"status\":" + std::to_string(response.status);
    const std::size_t at = response.body.find(was);
    if (at != std::string::npos) {
      response.body.replace(at, was.size(), "\"status\":" + std::to_string(row.status));
    }
    response.status = row.status;
  }
  return response;
}

http::ServerOptions ServerOptionsFor(std::vector<std::string> listen) {
  http::ServerOptions options;
  options.listen = std::move(listen);
  options.handler_threads = 32;
  options.streams = [](const http::Request& request) {
    return request.method == "PUT" && request.target.find("/blobs/") != std::string::npos;
  };
  return options;
}

Router::Router(Workspace& workspace) : workspace_(workspace) {
  for (const Unit<RouteList>& unit : routes_table()) {
    for (const Route& route : unit.make()) {
      std::vector<std::string> segments = Split(route.path, '/');
      std::erase(segments, "");
      entries_.push_back({&route, std::move(segments)});
    }
  }
  const auto literals_first = [](const Entry& a, const Entry& b) {
    return std::lexicographical_compare(a.segments.begin(), a.segments.end(), b.segments.begin(),
                                        b.segments.end(),
                                        [](const std::string& x, const std::string& y) {
                                          return std::pair(IsName(x), x) < std::pair(IsName(y), y);
                                        });
  };
  std::stable_sort(entries_.begin(), entries_.end(), literals_first);
}

Router::Match Router::Find(http::Request& request, const http::Target& target) const {
  Match match{.call = {request, target}, .allow = {}};
  const std::vector<std::string>* pattern = nullptr;
  const Entry* for_head = nullptr;
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (pattern != nullptr ? entry.segments != *pattern : !Fits(entry.segments, target.segments)) {
      continue;
    }
    pattern = &entry.segments;
    if (entry.route->method == request.method) found = &entry;
    if (entry.route->method == "GET" && request.method == "HEAD") for_head = &entry;
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += entry.route->method;
  }
  if (found == nullptr) found = for_head;
  if (found == nullptr) return match;
  match.route = found->route;
  for (std::size_t i = 0; i < found->segments.size(); ++i) {
    const std::string_view name = found->segments[i];
    if (IsName(name)) {
      match.call.params.emplace(name.substr(1, name.size() - 2), target.segments[i]);
    }
  }
  return match;
}

Result<http::Response> Router::AnswerOnce(const Route& route, Call& call,
                                          const std::string& key) const {
  if (key.size() > kKeyCharsMax) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "the Idempotency-Key has more than " + std::to_string(kKeyCharsMax) +
                            " characters",
                 .id = "Request.Invalid"};
  }
  Store& store = workspace_.store();
  const std::string target = call.request.method + " " + call.request.target +
                             (call.principal.token_id.empty() ? "" : " " + call.principal.token_id);
  const std::string digest = Digest::OfText(call.request.body).text();
  const std::optional<KeptResponse> kept = TRY(store.ReserveKey(key, target, digest));
  if (kept && kept->body_digest != digest) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "the Idempotency-Key \"" + key + "\" was used with another body",
                 .id = "Idempotency.Mismatch",
                 .fix = "use a new key for a new request"};
  }
  if (kept && kept->status == 0) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "a request with the Idempotency-Key \"" + key + "\" is under way",
                 .id = "Idempotency.UnderWay",
                 .fix = "try again when it has been answered"};
  }
  if (kept) return FromKept(*kept);
  Result<http::Response> answer = route.handle(call, workspace_);
  const http::Response response = answer ? *answer : FailureResponse(answer.error());
  if (response.status >= 500 || response.body_reader ||
      static_cast<std::int64_t>(response.body.size()) > kKeptBodyBytesMax) {
    TRY(store.ReleaseKey(key, target));
    return response;
  }
  KeptResponse keep{
      .body_digest = digest, .status = response.status, .headers = {}, .body = response.body};
  for (const auto& field : response.headers) keep.headers.push_back(field);
  const Result<void> stored = store.KeepResponse(key, target, keep);
  if (!stored) log::Warn("response was not kept", {{"error", stored.error().message}});
  return response;
}

http::Response Router::AnswerCall(const Route& route, Call& call) const {
  if (const Result<void> allowed = Authorize(route, call); !allowed) {
    return FailureResponse(allowed.error());
  }
  const std::string key(call.request.headers.Get("Idempotency-Key"));
  const bool once = call.request.method == "POST" && !key.empty() && !route.changes_nothing &&
                    !route.tells_secrets;
  Result<http::Response> answer =
      once ? AnswerOnce(route, call, key) : route.handle(call, workspace_);
  if (!answer) return FailureResponse(answer.error());
  if (route.tells_secrets) answer->headers.Set("Cache-Control", "no-store");
  return *std::move(answer);
}

http::Response Router::Answer(http::Request& request, std::string& route_path) const {
  const Result<http::Target> target = http::ParseTarget(request.target);
  if (!target) return FailureResponse(target.error());
  const bool is_open = !NeedsToken(*target);
  Principal principal{.name = "", .role = Role::kOwner};
  if (!is_open) {
    Result<Principal> known = Authenticate(workspace_, request);
    if (!known) {
      http::Response response = FailureResponse(known.error());
      if (response.status == 401) response.headers.Set("WWW-Authenticate", "Bearer");
      return response;
    }
    principal = *std::move(known);
  }
  Match match = Find(request, *target);
  if (match.route == nullptr && match.allow.empty()) {
    return FailureResponse({.code = Code::kNotFound,
                            .message = "there is nothing at " + target->path,
                            .id = "Route.NotFound",
                            .fix = "GET /openapi.json lists what there is"});
  }
  if (match.route == nullptr) {
    http::Response response = FailureResponse({.code = Code::kInvalidArgument,
                                               .message = request.method + " is not possible at " +
                                                          target->path + ", only " + match.allow,
                                               .id = "Route.Method"});
    response.headers.Set("Allow", match.allow);
    return response;
  }
  route_path = match.route->path;
  match.call.principal = std::move(principal);
  http::Response response = AnswerCall(*match.route, match.call);
  if (!is_open && IsAudited(*match.route)) Audit(workspace_, match.call, response);
  return response;
}

http::Response Router::Handle(http::Request& request) const {
  const auto begin = std::chrono::steady_clock::now();
  std::string route_path(kNoRoute);
  http::Response response = Answer(request, route_path);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const std::string method = route_path == kNoRoute ? "other" : request.method;
  workspace_.metrics().CountRequest({method, route_path, response.status}, seconds.count());
  log::Debug("request", {{"method", request.method},
                         {"path", request.target},
                         {"status", response.status},
                         {"ms", seconds.count() * 1000}});
  return response;
}

}  // namespace slipway::workspace
