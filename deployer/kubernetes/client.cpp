// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/http/retry.h"
#include "base/limits.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/kubernetes/json.h"

namespace slipway::deployer {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000}, kTotalTimeout{60'000};
constexpr std::chrono::milliseconds kExecTimeout{60'000};
constexpr std::chrono::seconds kExpiryMargin{30};
constexpr std::int64_t kTokenBytes = 1 << 20;
constexpr std::int64_t kAnswerBytes = 64 << 20;
constexpr std::int64_t kLogBytes = 4 << 20;
constexpr int kListPage = 500;
constexpr int kListTries = 3;
constexpr std::int64_t kListItemsMax = limits::kPageItems * 10;
constexpr int kGone = 410;
constexpr int kApplyTries = 5;
constexpr std::chrono::milliseconds kApplyPause{100};

http::ClientOptions OptionsFor(const KubeAccess& access,
                               const std::optional<KubeCredential>& credential) {
  http::ClientOptions options;
  options.connect_timeout = kConnectTimeout;
  options.total_timeout = kTotalTimeout;
  options.retries = 2;
  options.response_bytes_max = kAnswerBytes;
  options.ca_pem = access.ca_pem;
  options.certificate_pem = access.certificate_pem;
  options.key_pem = access.key_pem;
  if (credential && !credential->certificate_pem.empty()) {
    options.certificate_pem = credential->certificate_pem;
    options.key_pem = credential->key_pem;
  }
  options.verify_tls = !access.insecure;
  options.tls_server_name = access.tls_server_name;
  options.proxy = access.proxy;
  return options;
}

Error TransportError(std::string_view doing, const KubeAccess& access, const Error& error) {
  const bool untrusted = error.id == "Tls.Untrusted";
  Error made = CauseError(untrusted ? "ClusterUntrusted" : "ClusterUnreachable",
                          fmt::format("{} ({}): {}", doing, access.origin, error.message));
  if (error.id == "Tls.Certificate") {
    made = CauseError("ClusterConfig",
                      fmt::format("{} ({}): {}", doing, access.origin, error.message));
  }
  return made;
}

/// Whether the field is one to take over from that manager: a form of ours, or an autoscaler that
/// has set the number of replicas.
bool MayTake(std::string_view manager, std::string_view field) {
  const bool ours = manager == kKubeManager ||
                    manager.starts_with(std::string(kKubeManager) + "/") ||
                    manager.starts_with(std::string(kKubeManager) + "-");
  return ours || (field == ".spec.replicas" && manager == "kube-controller-manager");
}

/// Whether the answer names fields that others hold; without, another wrote to the object at the
/// same time.
bool HasCauses(std::string_view body) {
  const auto json = ParseJson(body);
  return json && !KubeList(KubeAt(*json, {"details", "causes"})).empty();
}

/// Whether that goes for every conflict: `conflict with "slipway-old" using v1`.
bool MayTakeAll(std::string_view body) {
  const auto json = ParseJson(body);
  if (!json || !json->is_object() || !json->contains("details")) return false;
  const Json& details = (*json)["details"];
  if (!details.is_object() || !details.contains("causes") || !details["causes"].is_array()) {
    return false;
  }
  const Json& causes = details["causes"];
  return !causes.empty() && std::all_of(causes.begin(), causes.end(), [](const Json& cause) {
    const auto message = GetStringOr(cause, "message", "");
    const auto field = GetStringOr(cause, "field", "");
    if (!message || !field) return false;
    const std::size_t open = message->find('"');
    const std::size_t close = message->find('"', open + 1);
    return close != std::string::npos &&
           MayTake(std::string_view(*message).substr(open + 1, close - open - 1), *field);
  });
}

Result<http::Response> SendWhole(http::Client& client, const http::Request& request) {
  return client.Send(request);
}

/// The same, once, with an end to it from outside.
Result<http::Response> SendUntil(http::Client& client, const http::Request& request,
                                 const std::stop_token& stop) {
  std::string body;
  const http::Sink sink = [&body](std::span<const std::byte> bytes) -> Result<void> {
    if (std::cmp_greater(body.size() + bytes.size(), kAnswerBytes)) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("an answer of more than {} bytes", kAnswerBytes)};
    }
    body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  };
  http::Response response = TRY(client.Stream(
      request, sink,
      {.stall_timeout = kTotalTimeout, .total_timeout = kTotalTimeout, .stop = stop}));
  if (response.status < 300) response.body = std::move(body);
  return response;
}

}  // namespace

KubeClient::KubeClient(KubeAccess access, Clock& clock)
    : access_(std::move(access)), clock_(clock) {}

Result<std::shared_ptr<http::Client>> KubeClient::Connection() {
  const std::lock_guard lock(mutex_);
  if (access_.exec) {
    const bool stale = credential_ && credential_->expires &&
                       *credential_->expires - kExpiryMargin <= clock_.Now();
    if (!credential_ || stale) {
      credential_ = TRY(RunKubeExec(access_, *access_.exec, kExecTimeout));
      http_.reset();
    }
  }
  if (!http_) http_ = http::MakeClient(OptionsFor(access_, credential_), clock_);
  return http_;
}

void KubeClient::ForgetCredential() {
  const std::lock_guard lock(mutex_);
  credential_.reset();
}

Result<std::string> KubeClient::Authorization() {
  if (!access_.token_file.empty()) {
    auto token = ReadFile(access_.token_file, kTokenBytes);
    if (!token) {
      return CauseError("Unauthorized",
                        fmt::format("{}: {}", access_.origin, token.error().message));
    }
    return "Bearer " + std::string(Trim(*token));
  }
  if (access_.exec) {
    const std::lock_guard lock(mutex_);
    if (credential_ && !credential_->token.empty()) return "Bearer " + credential_->token;
    return std::string();
  }
  if (!access_.token.empty()) return "Bearer " + access_.token;
  if (!access_.username.empty()) {
    const std::string pair = access_.username + ":" + access_.password;
    return "Basic " + EncodeBase64(std::as_bytes(std::span(pair)));
  }
  return std::string();
}

Result<http::Response> KubeClient::SendOnce(std::string_view doing, const Call& call,
                                            const Sending& sending) {
  const std::shared_ptr<http::Client> connection = TRY(Connection());
  http::Request request{.method = call.method, .target = access_.server + call.path};
  request.headers.Set("Accept", "application/json");
  const std::string authorization = TRY(Authorization());
  if (!authorization.empty()) request.headers.Set("Authorization", authorization);
  if (!call.body.empty()) {
    request.headers.Set("Content-Type", call.content_type);
    // An apply may be sent twice, which the client takes from this field.
    if (call.method == "PATCH") request.headers.Set("Idempotency-Key", RandomHex(8));
    request.body = call.body;
  }
  auto response = sending(*connection, request);
  if (!response) return TransportError(doing, access_, response.error());
  return response;
}

Result<http::Response> KubeClient::SendBy(std::string_view doing, const Call& call,
                                          const Sending& sending) {
  http::Response response = TRY(SendOnce(doing, call, sending));
  if (response.status == 401 && access_.exec) {
    ForgetCredential();
    response = TRY(SendOnce(doing, call, sending));
  }
  return response;
}

Result<http::Response> KubeClient::Send(std::string_view doing, const Call& call) {
  return SendBy(doing, call, SendWhole);
}

Result<http::Response> KubeClient::Watch(std::string_view doing, const std::string& path,
                                         const std::string& query, const http::Sink& sink,
                                         const http::StreamOptions& options) {
  return SendBy(doing, {.method = "GET", .path = path + "?watch=true&" + query},
                [&sink, &options](http::Client& client, const http::Request& request) {
                  return client.Stream(request, sink, options);
                });
}

Result<Json> KubeClient::SendJson(std::string_view doing, const Call& call) {
  const http::Response response = TRY(Send(doing, call));
  if (response.status >= 300) return KubeStatusError(doing, response.status, response.body);
  auto json = ParseJson(response.body);
  if (json && json->is_object()) return json;
  return CauseError("ClusterUnreachable",
                    fmt::format("{}: {} answers with no JSON object: is it an API server?", doing,
                                access_.server));
}

Result<Json> KubeClient::Get(std::string_view doing, const std::string& path) {
  return SendJson(doing, {.method = "GET", .path = path});
}

Result<std::optional<Json>> KubeClient::Find(std::string_view doing, const std::string& path) {
  auto found = Get(doing, path);
  if (found) return std::optional(*std::move(found));
  if (found.error().id == "Service.NotFound") return std::optional<Json>();
  return found.error();
}

Result<Json> KubeClient::List(std::string_view doing, const std::string& path,
                              const std::string& query) {
  KubeAttempt attempt;
  return TRY(ListBy(doing, path, query, attempt, SendWhole)).items;
}

Result<KubeListing> KubeClient::ListAt(std::string_view doing, const std::string& path,
                                       const std::string& query, KubeAttempt& attempt) {
  return ListBy(doing, path, query, attempt,
                [&attempt](http::Client& client, const http::Request& request) {
                  return SendUntil(client, request, attempt.stop);
                });
}

Result<KubeListing> KubeClient::ListBy(std::string_view doing, const std::string& path,
                                       const std::string& query, KubeAttempt& attempt,
                                       const Sending& sending) {
  for (int tries = 0;; ++tries) {
    KubeListing listing{.items = Json::array()};
    std::string next;
    bool gone = false;
    do {
      const std::string page =
          fmt::format("{}?limit={}{}{}{}", path, kListPage, query.empty() ? "" : "&" + query,
                      next.empty() ? "" : "&continue=", EncodePercent(next));
      const http::Response response = TRY(SendBy(doing, {.method = "GET", .path = page}, sending));
      gone = response.status == kGone;
      if (gone && tries < kListTries) break;
      if (response.status >= 300) {
        attempt.retry_after =
            http::ParseRetryAfter(response.headers.Get("Retry-After"), clock_.Now());
        return KubeStatusError(doing, response.status, response.body);
      }
      Json json = TRY(ParseJson(response.body));
      if (!json.is_object()) return KubeStatusError(doing, response.status, response.body);
      if (const auto found = json.find("items"); found != json.end() && found->is_array()) {
        for (Json& item : *found) listing.items.push_back(std::move(item));
      }
      const Json& metadata = KubeAt(json, {"metadata"});
      next = KubeText(metadata, "continue");
      listing.resource_version = KubeText(metadata, "resourceVersion");
      if (static_cast<std::int64_t>(listing.items.size()) > kListItemsMax) {
        return Error{.code = Code::kResourceExhausted,
                     .message = fmt::format("{}: more than {} items", doing, kListItemsMax)};
      }
    } while (!next.empty());
    if (!gone) return listing;
  }
}

Result<http::Response> KubeClient::ApplyOnce(const KubeObject& object, std::string_view manager,
                                             bool force) {
  return Send(fmt::format("apply {} {}", object.kind, object.name),
              {.method = "PATCH",
               .path = fmt::format("{}?fieldManager={}&force={}&fieldValidation=Strict",
                                   object.path, manager, force),
               .body = object.body,
               .content_type = "application/apply-patch+yaml"});
}

Result<Json> KubeClient::Apply(const KubeObject& object, std::string_view manager) {
  const std::string doing = fmt::format("apply {} {}", object.kind, object.name);
  bool force = false;
  http::Response response = TRY(ApplyOnce(object, manager, force));
  for (int tries = 1; response.status == 409 && tries < kApplyTries; ++tries) {
    if (!HasCauses(response.body)) {
      clock_.Sleep(kApplyPause * tries);
    } else if (!force && MayTakeAll(response.body)) {
      force = true;
    } else {
      break;
    }
    response = TRY(ApplyOnce(object, manager, force));
  }
  if (response.status >= 300) return KubeStatusError(doing, response.status, response.body);
  return ParseJson(response.body);
}

Result<void> KubeClient::Delete(const KubeObject& object) {
  const std::string doing = fmt::format("delete {} {}", object.kind, object.name);
  const http::Response response =
      TRY(Send(doing, {.method = "DELETE", .path = object.path + "?propagationPolicy=Foreground"}));
  if (response.status < 300 || response.status == 404) return {};
  return KubeStatusError(doing, response.status, response.body);
}

Result<std::string> KubeClient::Logs(const std::string& pod_path, std::string_view container,
                                     std::int64_t lines, bool previous) {
  const http::Response response =
      TRY(Send("read logs", {.method = "GET",
                             .path = fmt::format("{}/log?container={}&tailLines={}&limitBytes={}{}",
                                                 pod_path, container, lines, kLogBytes,
                                                 previous ? "&previous=true" : "")}));
  if (response.status >= 300) {
    return KubeStatusError("read logs", response.status, response.body);
  }
  return response.body;
}

Result<bool> KubeClient::HasGroup(const std::string& api_version) {
  const http::Response response =
      TRY(Send("look for API " + api_version, {.method = "GET", .path = "/apis/" + api_version}));
  if (response.status == 404) return false;
  if (response.status < 300) return true;
  return KubeStatusError("look for API " + api_version, response.status, response.body);
}

Result<KubeApis> KubeClient::Apis() {
  const auto first = [this](std::initializer_list<const char*> versions) -> Result<std::string> {
    for (const char* version : versions) {
      if (TRY(HasGroup(version))) return std::string(version);
    }
    return std::string();
  };
  KubeApis apis;
  apis.autoscaling = TRY(first({"autoscaling/v2", "autoscaling/v2beta2"}));
  apis.policy = TRY(first({"policy/v1", "policy/v1beta1"}));
  apis.networking = TRY(first({"networking.k8s.io/v1"}));
  return apis;
}

}  // namespace slipway::deployer
