// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_registry.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/support/http_fixture.h"
#include "tests/support/json.h"

namespace slipway::testing {
namespace {

using nlohmann::json;

http::Response Refuse(int status, const std::string& code, const std::string& message) {
  return {
      .status = status,
      .headers = {{"Content-Type", "application/json"}},
      .body = DumpJson(json{{"errors", json::array({{{"code", code}, {"message", message}}})}})};
}

std::string Basic(const std::string& username, const std::string& password) {
  const std::string pair = username + ":" + password;
  return "Basic " + EncodeBase64(std::as_bytes(std::span(pair)));
}

/// `N-M` or `bytes=N-M`: N.
std::int64_t StartOf(std::string text) {
  if (text.starts_with("bytes=")) text.erase(0, 6);
  return text.empty() ? 0 : std::stoll(text);
}

}  // namespace

/// `/v2/<name>/<kind>/<reference>`
struct FakeRegistry::Part {
  std::string name, kind, reference;
  http::Target target;
};

FakeRegistry::FakeRegistry() {
  server_ = StartServer(LocalOptions(), [this](http::Request& request) { return Answer(request); });
}

FakeRegistry::~FakeRegistry() { server_->Drain(); }

std::string FakeRegistry::host() const { return server_->addresses().front(); }

void FakeRegistry::Change(const std::function<void(State&)>& change) {
  const std::lock_guard lock(mutex_);
  change(state_);
}

bool FakeRegistry::IsAllowed(const http::Request& request) const {
  const std::string_view sent = request.headers.Get("Authorization");
  switch (state_.auth) {
    case Auth::kNone:
      return true;
    case Auth::kBasic:
      return sent == Basic(state_.username, state_.password);
    case Auth::kBearer:
      return sent == "Bearer token-" + std::to_string(state_.tokens) && state_.tokens > 0;
  }
  return false;
}

http::Response FakeRegistry::Challenge(const std::string& scope) const {
  http::Response response = Refuse(401, "UNAUTHORIZED", "authentication required");
  response.headers.Set("WWW-Authenticate", state_.auth == Auth::kBasic
                                               ? "Basic realm=\"registry, \\\"quoted\\\"\""
                                               : "Bearer realm=\"http://" + host() +
                                                     "/token\",service=\"the registry\",scope=\"" +
                                                     scope + "\"");
  return response;
}

http::Response FakeRegistry::Token(const http::Request& request) {
  const bool by_refresh =
      request.method == "POST" &&
      request.body.find("refresh_token=" + state_.identity_token) != std::string::npos;
  if (!by_refresh &&
      request.headers.Get("Authorization") != Basic(state_.username, state_.password)) {
    return Refuse(401, "UNAUTHORIZED", "incorrect username or password");
  }
  return {.headers = {{"Content-Type", "application/json"}},
          .body = DumpJson(json{{"token", "token-" + std::to_string(++state_.tokens)}})};
}

http::Response FakeRegistry::Upload(const Part& part, const http::Request& request) {
  const std::string base = "/v2/" + part.name + "/blobs/uploads/";
  if (request.method == "POST") {
    if (!state_.mountable.empty() && part.target.Query("mount") == state_.mountable) {
      state_.blobs[state_.mountable] = "mounted";
      return {.status = 201, .headers = {{"Location", "/v2/" + part.name + "/blobs/x"}}};
    }
    const std::string id = RandomHex(4);
    state_.uploads[id] = "";
    return {.status = 202, .headers = {{"Location", base + id + "?state=1"}}};
  }
  const auto found = state_.uploads.find(part.reference);
  if (found == state_.uploads.end()) {
    return Refuse(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown");
  }
  std::string& bytes = found->second;
  const auto answer = [&](int status) {
    const std::size_t end = bytes.empty() ? 0 : bytes.size() - 1;
    return http::Response{.status = status,
                          .headers = {{"Location", base + part.reference + "?state=2"},
                                      {"Range", "0-" + std::to_string(end)}}};
  };
  if (request.method == "GET") return answer(204);
  if (request.headers.Has("Content-Range") &&
      StartOf(std::string(request.headers.Get("Content-Range"))) !=
          static_cast<std::int64_t>(bytes.size())) {
    return answer(416);
  }
  if (state_.keep_of_part >= 0) {
    bytes += request.body.substr(0, static_cast<std::size_t>(state_.keep_of_part));
    state_.keep_of_part = -1;
    return {.status = 503};
  }
  bytes += request.body;
  if (request.method == "PATCH") return answer(202);
  const std::string digest = part.target.Query("digest");
  if (Digest::OfText(bytes).text() != digest) {
    return Refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  state_.blobs[digest] = bytes;
  state_.uploads.erase(found);
  return {.status = 201, .headers = {{"Docker-Content-Digest", digest}}};
}

http::Response FakeRegistry::Blob(const Part& part, const http::Request& request) {
  const auto found = state_.blobs.find(part.reference);
  if (found == state_.blobs.end()) return Refuse(404, "BLOB_UNKNOWN", "blob unknown to registry");
  if (request.method == "HEAD") return {.status = 200};
  if (!state_.storage.empty()) {
    return {.status = 307, .headers = {{"Location", state_.storage + "/" + part.reference}}};
  }
  const bool ranged = state_.has_ranges && request.headers.Has("Range");
  const std::string bytes = found->second.substr(
      ranged ? static_cast<std::size_t>(StartOf(std::string(request.headers.Get("Range")))) : 0);
  if (state_.break_after < 0) return {.status = ranged ? 206 : 200, .headers = {}, .body = bytes};
  http::Response response{.status = ranged ? 206 : 200};
  response.body_size = static_cast<std::int64_t>(bytes.size());
  response.body_reader =
      ReaderOf([first = bytes.substr(0, static_cast<std::size_t>(state_.break_after)),
                sent = false]() mutable -> Result<std::string> {
        if (sent) return Error{.code = Code::kUnavailable, .message = "broken"};
        sent = true;
        return first;
      });
  state_.break_after = -1;
  return response;
}

http::Response FakeRegistry::PutManifest(const Part& part, const http::Request& request) {
  const json manifest = testing::ParsedJson(request.body);
  if (manifest.is_discarded()) return Refuse(400, "MANIFEST_INVALID", "manifest invalid");
  json parts = manifest.value("layers", json::array());
  parts.push_back(manifest["config"]);
  for (const json& blob : parts) {
    if (!state_.blobs.contains(blob["digest"])) {
      return Refuse(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
    }
  }
  const std::string digest = Digest::OfText(request.body).text();
  const Manifest kept{.type = std::string(request.headers.Get("Content-Type")),
                      .text = request.body};
  state_.manifests[part.name + ":" + part.reference] = kept;
  state_.manifests[part.name + ":" + digest] = kept;
  return {.status = 201, .headers = {{"Docker-Content-Digest", digest}}};
}

http::Response FakeRegistry::GetManifest(const Part& part, const http::Request&) {
  const auto found = state_.manifests.find(part.name + ":" + part.reference);
  if (found == state_.manifests.end()) {
    return Refuse(404, "MANIFEST_UNKNOWN", "manifest unknown");
  }
  return {.headers = {{"Content-Type", found->second.type}}, .body = found->second.text};
}

http::Response FakeRegistry::Answer(const http::Request& request) {
  const std::lock_guard lock(mutex_);
  state_.requests.push_back(request.method + " " + request.target);
  state_.authorizations.emplace_back(request.headers.Get("Authorization"));
  auto target = http::ParseTarget(request.target);
  if (!target) return Refuse(400, "UNSUPPORTED", "bad target");
  if (target->path == "/token") return Token(request);
  if (!state_.faults.empty()) {
    http::Response fault = state_.faults.front();
    state_.faults.erase(state_.faults.begin());
    return fault;
  }
  std::vector<std::string> words = target->segments;
  const bool begins = request.method == "POST" && words.size() > 3 && words.back() == "uploads";
  if (begins) words.emplace_back();
  if (words.size() < 4 || words[0] != "v2") return Refuse(404, "UNSUPPORTED", "no such path");
  Part part;
  part.reference = words.back();
  part.target = *target;
  words.pop_back();
  part.kind = words.back();
  words.pop_back();
  if (part.kind == "uploads") words.pop_back();
  words.erase(words.begin());
  part.name = Join(words, "/");
  if (!IsAllowed(request)) return Challenge("repository:" + part.name + ":pull");
  if (part.kind == "uploads") return Upload(part, request);
  if (part.kind == "blobs") return Blob(part, request);
  return request.method == "PUT" ? PutManifest(part, request) : GetManifest(part, request);
}

}  // namespace slipway::testing
