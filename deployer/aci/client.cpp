// SPDX-License-Identifier: Apache-2.0
#include "deployer/aci/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "deployer/causes.h"

namespace slipway::deployer {
namespace {

constexpr std::int64_t kAnswerBytesMax = 16 << 20;
constexpr std::size_t kMessageChars = 500;
constexpr int kUnauthorized = 401, kFailedFrom = 400;

std::unique_ptr<http::Client> MakeArmClient(Clock& clock) {
  http::ClientOptions options;
  options.total_timeout = std::chrono::milliseconds(120'000);
  options.response_bytes_max = kAnswerBytesMax;
  return http::MakeClient(std::move(options), clock);
}

/// One line, not too long.
std::string OneLine(std::string_view text) {
  std::string line(text.substr(0, kMessageChars));
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\r', ' ');
  return std::string(Trim(line));
}

struct CloudError {
  std::string code, message;
};

/// `{"error": {"code", "message", "details": [{…}]}}`, or that object itself; the innermost one
/// with a message.
CloudError ReadCloudError(const Json& json) {
  const Json* at = json.is_object() && json.contains("error") ? &json.at("error") : &json;
  CloudError error;
  for (int depth = 0; depth < 4 && at->is_object(); ++depth) {
    if (auto code = GetString(*at, "code")) error.code = *std::move(code);
    if (auto message = GetString(*at, "message")) error.message = *std::move(message);
    const auto details = at->find("details");
    if (details == at->end() || !details->is_array() || details->empty()) break;
    at = &details->front();
  }
  return error;
}

Error ErrorOf(std::string_view doing, const http::Response& response) {
  const auto json = ParseJson(response.body);
  const CloudError error = json ? ReadCloudError(*json) : CloudError{};
  return AciError(doing, response.status, error.code, error.message);
}

std::string Form(std::initializer_list<std::pair<std::string_view, std::string>> fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    form += fmt::format("{}{}={}", form.empty() ? "" : "&", name, EncodePercent(value));
  }
  return form;
}

}  // namespace

AciAccess ReadAciAccess(const std::function<const char*(const char*)>& environment) {
  AciAccess access;
  const auto read = [&](const char* name, std::string& value) {
    const char* found = environment(name);
    if (found != nullptr && *found != '\0') value = found;
  };
  read("SLIPWAY_ACI_ENDPOINT", access.endpoint);
  read("AZURE_AUTHORITY_HOST", access.authority);
  read("AZURE_TENANT_ID", access.tenant);
  read("AZURE_CLIENT_ID", access.client);
  read("AZURE_CLIENT_SECRET", access.client_secret);
  read("AZURE_ACCESS_TOKEN", access.token);
  read("AZURE_SUBSCRIPTION_ID", access.subscription);
  read("SLIPWAY_ACI_RESOURCE_GROUP", access.resource_group);
  read("SLIPWAY_ACI_LOCATION", access.location);
  while (access.endpoint.ends_with('/')) access.endpoint.pop_back();
  while (access.authority.ends_with('/')) access.authority.pop_back();
  return access;
}

Error AciError(std::string_view doing, int status, std::string_view code,
               std::string_view message) {
  struct Sign {
    std::string_view word, cause;
  };
  constexpr Sign kSigns[] = {
      {"inaccessibleimage", "ImagePullFailed"},
      {"registryerrorresponse", "ImagePullFailed"},
      {"imageregistrycredential", "ImagePullFailed"},
      {"dns name label", "DnsLabelTaken"},
      {"dnsnamelabel", "DnsLabelTaken"},
      {"quotareached", "CloudQuota"},
      {"quotaexceeded", "CloudQuota"},
      {"resourcesomequota", "CloudQuota"},
      {"requeststhrottled", "Throttled"},
      {"toomanyrequests", "Throttled"},
      {"capacity", "NoCapacity"},
      {"requested resource is not available", "NoCapacity"},
      {"serviceunavailable", "NoCapacity"},
      {"resourcegroupnotfound", "ResourceGroupMissing"},
      {"subscriptionnotfound", "SubscriptionMissing"},
      {"invalidsubscriptionid", "SubscriptionMissing"},
      {"missingsubscriptionregistration", "ProviderNotRegistered"},
      {"locationnotavailable", "RegionUnknown"},
      {"invalidlocation", "RegionUnknown"},
      {"transitioning", "CloudBusy"},
  };
  constexpr int kForbidden = 403, kConflict = 409, kTooMany = 429, kServer = 500;
  const std::string text = ToLower(fmt::format("{} {}", code, message));
  const auto* const sign = std::find_if(std::begin(kSigns), std::end(kSigns), [&](const Sign& s) {
    return text.find(s.word) != std::string::npos;
  });
  std::string_view cause = status >= kServer ? "CloudFailed" : "CloudRefused";
  if (status == kConflict) cause = "CloudBusy";
  if (status == kTooMany) cause = "Throttled";
  if (sign != std::end(kSigns)) cause = sign->cause;
  if (status == kUnauthorized) cause = "LoginFailed";
  if (status == kForbidden) cause = "NotAuthorized";
  return CauseError(cause,
                    fmt::format("Azure cannot {}: {}{}{}", doing,
                                code.empty() ? fmt::format("status {}", status) : std::string(code),
                                message.empty() ? "" : ": ", OneLine(message)));
}

AciClient::AciClient(AciAccess access, Clock& clock)
    : access_(std::move(access)), clock_(clock), http_(MakeArmClient(clock)) {}

Result<std::string> AciClient::LogIn() {
  if (access_.tenant.empty() || access_.client.empty() || access_.client_secret.empty()) {
    return CauseError("LoginMissing", "the workspace service has no credentials for Azure");
  }
  http::Request request{.method = "POST",
                        .target = fmt::format("{}/{}/oauth2/v2.0/token", access_.authority,
                                              EncodePercent(access_.tenant)),
                        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                        .body = Form({{"grant_type", "client_credentials"},
                                      {"client_id", access_.client},
                                      {"client_secret", access_.client_secret},
                                      {"scope", access_.endpoint + "/.default"}})};
  const auto response = http_->Send(request);
  if (!response) {
    return CauseError("CloudUnreachable", fmt::format("no answer from {}: {}", access_.authority,
                                                      response.error().message));
  }
  const auto json = ParseJson(response->body);
  const bool object = json && json->is_object();
  if (response->status != 200 || !object) {
    const std::string code =
        object ? TRY(GetStringOr(*json, "error", "")) : fmt::format("status {}", response->status);
    const std::string why = object ? TRY(GetStringOr(*json, "error_description", "")) : "";
    return CauseError("LoginFailed",
                      fmt::format("Azure refuses the service principal {}: {}: {}", access_.client,
                                  code, OneLine(why.substr(0, why.find('\n')))));
  }
  constexpr std::int64_t kMargin = 300, kHour = 3600;
  token_ = TRY(GetString(*json, "access_token"));
  const std::int64_t seconds = TRY(GetIntOr(*json, "expires_in", kHour));
  token_until_ = clock_.Steady() + std::chrono::seconds(std::max(seconds - kMargin, seconds / 2));
  return token_;
}

Result<std::string> AciClient::Token() {
  const std::lock_guard lock(mutex_);
  if (!access_.token.empty()) return access_.token;
  if (!token_.empty() && clock_.Steady() < token_until_) return token_;
  return LogIn();
}

Result<http::Response> AciClient::SendOnce(const Call& call) {
  const bool whole = call.path.starts_with("http");
  const std::string token = TRY(Token());
  http::Request request{.method = call.method,
                        .target = whole ? call.path : access_.endpoint + call.path,
                        .headers = {{"Authorization", "Bearer " + token}},
                        .body = call.body};
  if (!call.body.empty()) request.headers.Set("Content-Type", "application/json");
  auto response = http_->Send(request);
  if (response) return response;
  return CauseError("CloudUnreachable", fmt::format("cannot {}: no answer from {}: {}", call.doing,
                                                    access_.endpoint, response.error().message));
}

Result<http::Response> AciClient::Send(const Call& call) {
  http::Response response = TRY(SendOnce(call));
  if (response.status != kUnauthorized || !access_.token.empty()) return response;
  {
    const std::lock_guard lock(mutex_);
    token_.clear();
  }
  return SendOnce(call);
}

Result<http::Response> AciClient::Must(const Call& call) {
  http::Response response = TRY(Send(call));
  if (response.status >= kFailedFrom) return ErrorOf(call.doing, response);
  return response;
}

std::string AciClient::OperationOf(const http::Response& response) const {
  for (const std::string_view field : {"Azure-AsyncOperation", "Location"}) {
    const std::string_view url = response.headers.Get(field);
    if (url.starts_with(access_.endpoint + "/")) return std::string(url);
  }
  return {};
}

Result<AciOperation> AciClient::Follow(std::string_view doing, const std::string& operation) {
  const http::Response response =
      TRY(Must({.method = "GET", .path = operation, .doing = std::string(doing)}));
  constexpr int kAccepted = 202;
  if (response.status == kAccepted) return AciOperation{.status = "InProgress"};
  const auto json = ParseJson(response.body);
  if (!json || !json->is_object() || !json->contains("status")) {
    return AciOperation{.status = "Succeeded"};
  }
  AciOperation result;
  result.status = TRY(GetString(*json, "status"));
  if (result.status == "Failed" || result.status == "Canceled") {
    const CloudError error = ReadCloudError(*json);
    result.error =
        AciError(doing, 0, error.code.empty() ? result.status : error.code, error.message);
  }
  return result;
}

}  // namespace slipway::deployer
