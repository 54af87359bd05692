// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_azure.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "tests/support/http_fixture.h"
#include "tests/support/json.h"

namespace slipway::testing {
namespace {

constexpr std::string_view kApiVersion = "2023-05-01";

http::Response CloudError(int status, const std::string& code, const std::string& message) {
  return http::JsonResponse(status, DumpJson({{"error", {{"code", code}, {"message", message}}}}));
}

std::string VariableOf(const Json& body, const std::string& name) {
  const Json& container = body.at("properties").at("containers").at(0).at("properties");
  for (const Json& item : container.value("environmentVariables", Json::array())) {
    if (item.at("name") == name) return item.value("value", "");
  }
  return {};
}

http::Response Score(const http::Request& request, const std::string& mode,
                     const std::string& say) {
  if (request.target == "/readyz" && mode == "wrong") {
    return http::JsonResponse(503, R"({"state":"wrong","message":"sample 3 differs"})");
  }
  if (request.target == "/readyz") return http::JsonResponse(200, R"({"state":"ready"})");
  http::Response response;
  response.body = say;
  return response;
}

Json InstanceView(const std::string& mode) {
  Json view = {
      {"restartCount", 0}, {"currentState", {{"state", "Running"}}}, {"events", Json::array()}};
  if (mode == "pending") view["currentState"] = {{"state", "Waiting"}, {"detailStatus", ""}};
  if (mode.starts_with("exit:")) {
    view["currentState"] = {{"state", "Terminated"},
                            {"exitCode", std::stoi(mode.substr(5))},
                            {"detailStatus", "Error"}};
  }
  if (mode == "crash") {
    view["restartCount"] = 4;
    view["currentState"] = {{"state", "Waiting"}, {"detailStatus", "CrashLoopBackOff"}};
    view["previousState"] = {{"state", "Terminated"}, {"exitCode", 1}, {"detailStatus", "Error"}};
  }
  if (mode == "oom") {
    view["restartCount"] = 1;
    view["currentState"] = {
        {"state", "Terminated"}, {"exitCode", 137}, {"detailStatus", "OOMKilled"}};
  }
  if (mode == "pull") {
    view["currentState"] = {{"state", "Waiting"}, {"detailStatus", ""}};
    view["events"] = Json::array(
        {{{"name", "Pulling"}, {"count", 3}, {"type", "Normal"}, {"message", "pulling image"}},
         {{"name", "Failed"},
          {"count", 3},
          {"type", "Warning"},
          {"message", "Failed to pull image \"r.example/x\": unauthorized"}}});
  }
  return view;
}

}  // namespace

struct FakeAzure::Group {
  std::string name, host;
  Json body;
  std::unique_ptr<http::Server> server;
};

FakeAzure::FakeAzure()
    : schema_(Swagger::Load(std::string(SLIPWAY_SOURCE_DIR) +
                            "/../shared/spec/aci/aci-2023-05-01.strict.json")) {
  server_ = StartServer(LocalOptions(), [this](http::Request& r) { return Handle(r); });
}

FakeAzure::~FakeAzure() { server_->Drain(); }

std::string FakeAzure::url() const { return UrlOf(*server_); }

void FakeAzure::Break(const std::string& method, Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_[method] = std::move(fault);
}
void FakeAzure::FailOperations(std::string code, std::string message) {
  const std::lock_guard lock(mutex_);
  operation_code_ = std::move(code);
  operation_message_ = std::move(message);
}
void FakeAzure::ExpireTokens() {
  const std::lock_guard lock(mutex_);
  tokens_.clear();
}
std::vector<std::string> FakeAzure::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}
std::vector<std::string> FakeAzure::groups() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, unused] : groups_) names.push_back(name);
  return names;
}
Json FakeAzure::body_of(const std::string& group) const {
  const std::lock_guard lock(mutex_);
  return groups_.at(group)->body;
}
std::int64_t FakeAzure::count(const std::string& method) const {
  const std::lock_guard lock(mutex_);
  const auto at = counts_.find(method);
  return at == counts_.end() ? 0 : at->second;
}

std::optional<http::Response> FakeAzure::Faulty(const std::string& method) {
  ++counts_[method];
  const auto at = faults_.find(method);
  if (at == faults_.end() || at->second.times <= 0) return std::nullopt;
  --at->second.times;
  http::Response response = CloudError(at->second.status, at->second.code, at->second.message);
  if (!at->second.retry_after.empty()) response.headers.Set("Retry-After", at->second.retry_after);
  return response;
}

http::Response FakeAzure::LogIn(const http::Request& request) {
  if (auto fault = Faulty("LOGIN")) return *std::move(fault);
  const auto form = *http::ParseTarget("/?" + request.body);
  if (form.Query("grant_type") != "client_credentials" || form.Query("client_id") != "app" ||
      form.Query("scope") != UrlOf(*server_) + "/.default" ||
      form.Query("client_secret") != "right secret") {
    return http::JsonResponse(
        401,
        R"({"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\nTrace ID: 1"})");
  }
  const std::string token = "token-" + std::to_string(++logins_);
  tokens_.insert(token);
  return http::JsonResponse(200, DumpJson({{"access_token", token}, {"expires_in", 3600}}));
}

http::Response FakeAzure::Handle(http::Request& request) {
  const std::lock_guard lock(mutex_);
  if (request.target == "/tenant/oauth2/v2.0/token") return LogIn(request);
  const std::string bearer(request.headers.Get("Authorization"));
  if (!bearer.starts_with("Bearer ") || !tokens_.contains(bearer.substr(7))) {
    ++counts_["UNAUTHORIZED"];
    return CloudError(401, "ExpiredAuthenticationToken",
                      "The access token expiry UTC time is past");
  }
  const auto target = http::ParseTarget(request.target);
  if (!target) return CloudError(400, "InvalidRequest", "bad target");
  if (target->path.find("/operations/") != std::string::npos) {
    ++counts_["FOLLOW"];
    Json status = {{"status", operation_code_.empty() ? "Succeeded" : "Failed"}};
    if (!operation_code_.empty()) {
      status["error"] = {{"code", operation_code_}, {"message", operation_message_}};
    }
    return http::JsonResponse(200, DumpJson(status));
  }
  if (auto fault = Faulty(request.method)) return *std::move(fault);
  std::vector<std::string> wrong;
  if (schema_) wrong = schema_->Violations(request, "");
  if (target->Query("api-version") != kApiVersion) wrong.emplace_back("another api-version");
  for (const std::string& one : wrong) {
    violations_.push_back(request.method + " " + request.target + ": " + one);
  }
  if (!wrong.empty()) return CloudError(400, "InvalidRequestContent", wrong.front());
  return Manage(request, *target);
}

http::Response FakeAzure::Manage(const http::Request& request, const http::Target& target) {
  constexpr std::size_t kNameAt = 7;
  const std::string name = target.segments.at(kNameAt);
  if (request.method == "PUT") return Put(name, request);
  const auto at = groups_.find(name);
  if (request.method == "DELETE") {
    if (at == groups_.end()) return {.status = 204};
    groups_.erase(at);
    http::Response response{.status = 202};
    response.headers.Set("Azure-AsyncOperation", url() + "/subscriptions/s/operations/d");
    return response;
  }
  if (at == groups_.end()) {
    return CloudError(404, "ResourceNotFound", "The Resource '" + name + "' was not found.");
  }
  if (target.segments.back() == "logs") {
    const std::string say = VariableOf(at->second->body, "SAY");
    return http::JsonResponse(
        200, DumpJson({{"content", "the program starts\ncannot go on: " + say + "\nbye\n"}}));
  }
  return Show(*at->second);
}

http::Response FakeAzure::Put(const std::string& name, const http::Request& request) {
  const Json body = testing::ParsedJson(request.body);
  const std::string label = body.at("properties").at("ipAddress").value("dnsNameLabel", "");
  for (const auto& [other, group] : groups_) {
    if (other != name &&
        group->body.at("properties").at("ipAddress").value("dnsNameLabel", "") == label) {
      return CloudError(400, "DnsNameLabelNotAvailable",
                        "The DNS name label '" + label + "' is not available.");
    }
  }
  const bool fresh = !groups_.contains(name);
  auto& group = groups_[name];
  if (fresh) {
    group = std::make_unique<Group>();
    group->host = "127.0.0." + std::to_string(2 + made_++);
  }
  group->name = name;
  group->body = body;
  group->server.reset();
  const std::string mode = VariableOf(body, "FAKE");
  const auto port = body.at("properties").at("ipAddress").at("ports").at(0).at("port");
  if (mode == "ok" || mode == "wrong") {
    http::ServerOptions options;
    options.listen = {group->host + ":" + DumpJson(port)};
    group->server = StartServer(
        std::move(options),
        [mode, say = VariableOf(body, "SAY")](http::Request& r) { return Score(r, mode, say); });
  }
  http::Response response = Show(*group);
  response.status = fresh ? 201 : 200;
  response.headers.Set("Azure-AsyncOperation", url() + "/subscriptions/s/operations/p");
  return response;
}

http::Response FakeAzure::Show(const Group& group) const {
  Json answer = group.body;
  answer["name"] = group.name;
  Json& properties = answer["properties"];
  properties["provisioningState"] = "Succeeded";
  properties["ipAddress"]["fqdn"] = group.host;
  properties["containers"][0]["properties"]["instanceView"] =
      InstanceView(VariableOf(group.body, "FAKE"));
  for (Json& credential : properties["imageRegistryCredentials"]) credential.erase("password");
  return http::JsonResponse(200, DumpJson(answer));
}

}  // namespace slipway::testing
