// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/distribution_session.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {
namespace {

constexpr int kRedirectsMax = 5;
constexpr std::chrono::milliseconds kFirstPause{200}, kLongestPause{10'000};
constexpr std::int64_t kAnswerBytes = 8 << 20;
constexpr std::int64_t kAuthoritiesBytes = 16 << 20;
constexpr std::size_t kWordsMax = 500;

std::string BaseOf(const RegistryReference& reference, const RegistryOptions& options) {
  const std::string host = reference.host == "docker.io" || reference.host == "index.docker.io"
                               ? "registry-1.docker.io"
                               : reference.host;
  const bool plain =
      options.plain_http || (IsLoopbackHost(reference.host) && options.trust.ca_pem.empty());
  return fmt::format("{}://{}/v2/{}", plain ? "http" : "https", host, reference.repository);
}

/// What the machine trusts; empty where it is not where Debian has it.
std::string MachineAuthorities() {
  const auto text = ReadFile("/etc/ssl/certs/ca-certificates.crt", kAuthoritiesBytes);
  return text ? *text : "";
}

http::ClientOptions ClientOptionsOf(const RegistryTrust& trust) {
  http::ClientOptions options;
  options.response_bytes_max = kAnswerBytes;
  // Token services and storage of the same registry may have public certificates.
  if (!trust.ca_pem.empty()) options.ca_pem = MachineAuthorities() + "\n" + trust.ca_pem;
  options.certificate_pem = trust.certificate_pem;
  options.key_pem = trust.key_pem;
  return options;
}

/// `code: message` of each error that the registry tells of, on one line.
std::string WordsOf(const http::Response& response) {
  std::string words;
  const auto json = ParseJson(response.body);
  const bool has_errors =
      json && json->is_object() && json->contains("errors") && (*json)["errors"].is_array();
  if (has_errors) {
    for (const Json& error : (*json)["errors"]) {
      if (!error.is_object()) continue;
      const auto code = GetStringOr(error, "code", "");
      const auto message = GetStringOr(error, "message", "");
      words += fmt::format("{}{}: {}", words.empty() ? "" : "; ", code ? *code : "",
                           message ? *message : "");
    }
  }
  std::string line;
  for (const char c : words.substr(0, kWordsMax))
    line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  return line;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Error Unreachable(std::string_view doing, std::string_view why) {
  return {.code = Code::kUnavailable,
          .message = fmt::format("{}: {}", doing, why),
          .id = "Registry.Unreachable",
          .fix = "check the registry's address, and that it is up"};
}

}  // namespace

Error RegistryError(std::string_view doing, const http::Response& response) {
  const std::string words = WordsOf(response);
  Error error{.code = CodeFromHttpStatus(response.status),
              .message = fmt::format("{}: the registry answers {}{}{}", doing, response.status,
                                     words.empty() ? "" : ": ", words),
              .id = "Registry.Refused"};
  if (response.status == 401) {
    error.id = "Registry.Unauthorized";
    error.code = Code::kPermissionDenied;
    error.fix = "give username and password, or docker login as the user that runs slipwayd";
  } else if (response.status == 403) {
    error.id = "Registry.Denied";
    error.fix = "use a login that may do this, or another repository";
  } else if (response.status == 404) {
    error.id = "Registry.NotFound";
    error.fix = "check the name and the tag";
  } else if (response.status >= 500 || response.status == 429) {
    error.id = "Registry.Unreachable";
    error.code = Code::kUnavailable;
    error.fix = "try again later";
  }
  return error;
}

RegistrySession::RegistrySession(RegistryReference reference, RegistryOptions options, Clock& clock)
    : reference_(std::move(reference)),
      options_(std::move(options)),
      clock_(clock),
      client_(http::MakeClient(ClientOptionsOf(options_.trust), clock)),
      base_(BaseOf(reference_, options_)) {}

std::string RegistrySession::Url(std::string_view path) const { return base_ + std::string(path); }

Result<void> RegistrySession::CheckCancelled() const {
  if (options_.cancelled && options_.cancelled()) {
    return Error{.code = Code::kUnavailable,
                 .message = "the transfer was cancelled",
                 .id = "Image.Cancelled"};
  }
  return {};
}

Result<void> RegistrySession::Pause(int number) {
  TRY(CheckCancelled());
  std::chrono::milliseconds pause = kFirstPause;
  for (int i = 1; i < number && pause < kLongestPause; ++i) pause *= 2;
  clock_.Sleep(std::min(pause, kLongestPause));
  return CheckCancelled();
}

Result<http::Response> RegistrySession::SendOnce(std::string_view doing, const Call& call) {
  http::Request request{.method = call.method, .target = call.url, .headers = call.headers};
  if (!authorization_.empty() && OriginOf(call.url) == OriginOf(base_)) {
    request.headers.Set("Authorization", authorization_);
  }
  request.body = call.body;
  if (call.reader) {
    request.body_reader = TRY(call.reader());
    request.body_size = call.body_size;
  }
  auto response =
      call.sink == nullptr ? client_->Send(request) : client_->Send(request, *call.sink);
  if (response) return response;
  // What a reader or sink of ours says is not the registry's doing.
  const bool transport =
      response.error().id.starts_with("Connection.") || response.error().id.starts_with("Tls.");
  if (!transport) return response;
  Error error = Unreachable(doing, response.error().message);
  if (response.error().code == Code::kPermissionDenied) {
    error.code = Code::kPermissionDenied;
    error.id = "Registry.Untrusted";
    error.fix = fmt::format(
        "name its authority with --ca FILE, or put it into "
        "/etc/docker/certs.d/{}/ca.crt on the service's machine",
        reference_.host);
  } else if (!response.error().fix.empty()) {
    error.fix = response.error().fix;
  }
  return error;
}

Result<http::Response> RegistrySession::Send(std::string_view doing, std::string_view actions,
                                             const Call& call) {
  Call now = call;
  bool asked = false;
  for (int redirects = 0;;) {
    TRY(CheckCancelled());
    http::Response response = TRY(SendOnce(doing, now));
    const bool own = OriginOf(now.url) == OriginOf(base_);
    if (response.status == 401 && own && !asked) {
      asked = true;
      if (TRY(Authorize(doing, actions, response))) continue;
      return response;
    }
    const bool follows = now.method == "GET" || now.method == "HEAD";
    if (!IsRedirect(response.status) || !follows) return response;
    const std::string to = ResolveUrl(now.url, response.headers.Get("Location"));
    const bool downgrade = now.url.starts_with("https:") && !to.starts_with("https:");
    if (to.empty() || downgrade || ++redirects > kRedirectsMax) {
      return Unreachable(doing, "the registry redirects to where it may not, or too often");
    }
    now.url = to;
  }
}

Result<bool> RegistrySession::Authorize(std::string_view doing, std::string_view actions,
                                        const http::Response& refused) {
  for (const auto& [name, value] : refused.headers) {
    if (ToLower(name) != "www-authenticate") continue;
    for (const Challenge& challenge : ParseChallenges(value)) {
      if (challenge.scheme == "bearer") {
        authorization_ = "Bearer " + TRY(FetchToken(doing, actions, challenge));
        return true;
      }
      if (challenge.scheme == "basic" && !options_.login.username.empty()) {
        const std::string pair = options_.login.username + ":" + options_.login.password;
        authorization_ = "Basic " + EncodeBase64(std::as_bytes(std::span(pair)));
        return true;
      }
    }
  }
  return false;
}

http::Request RegistrySession::TokenRequest(const Challenge& challenge,
                                            const std::string& scope) const {
  const auto parameter = [&challenge](const char* name) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string() : found->second;
  };
  http::Request request{.method = "GET", .target = parameter("realm")};
  if (!options_.login.identity_token.empty()) {
    request.method = "POST";
    request.headers.Set("Content-Type", "application/x-www-form-urlencoded");
    request.body = fmt::format(
        "grant_type=refresh_token&client_id=slipway&service={}&scope={}&refresh_token={}",
        EncodePercent(parameter("service")), EncodePercent(scope),
        EncodePercent(options_.login.identity_token));
    return request;
  }
  if (const std::string service = parameter("service"); !service.empty()) {
    request.target = WithQuery(std::move(request.target), "service", service);
  }
  request.target = WithQuery(std::move(request.target), "scope", scope);
  if (!options_.login.username.empty()) {
    request.target = WithQuery(std::move(request.target), "account", options_.login.username);
    const std::string pair = options_.login.username + ":" + options_.login.password;
    request.headers.Set("Authorization", "Basic " + EncodeBase64(std::as_bytes(std::span(pair))));
  }
  return request;
}

Result<std::string> RegistrySession::FetchToken(std::string_view doing, std::string_view actions,
                                                const Challenge& challenge) {
  const auto realm = challenge.parameters.find("realm");
  const std::string origin = realm == challenge.parameters.end() ? "" : OriginOf(realm->second);
  const bool safe = origin.starts_with("https:") || base_.starts_with("http:");
  if (origin.empty() || !safe) {
    return Unreachable(doing, "the registry names no token service that speaks TLS");
  }
  const std::string scope = fmt::format("repository:{}:{}", reference_.repository, actions);
  auto response = client_->Send(TokenRequest(challenge, scope));
  if (!response) return Unreachable(doing, "its token service: " + response.error().message);
  if (response->status >= 300) {
    // A token service refuses a wrong login with 400, 401 or 403.
    if (response->status < 500) response->status = response->status == 403 ? 403 : 401;
    return RegistryError(doing, *response);
  }
  const auto json = ParseJson(response->body);
  for (const char* name : {"token", "access_token"}) {
    if (!json || !json->is_object()) break;
    const auto token = GetStringOr(*json, name, "");
    if (token && !token->empty()) return *token;
  }
  return Unreachable(doing, "its token service gives no token");
}

}  // namespace slipway::imagebuilder
