// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

namespace slipway::cli {
namespace {

constexpr int kPagesMax = 100'000;

/// A file's bytes from its beginning; reading again after a retry starts over with a new object.
class FileReader final : public http::Reader {
 public:
  explicit FileReader(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<std::size_t> Read(std::span<std::byte> buffer) override {
    while (true) {
      const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return SystemError("reading a file", errno);
    }
  }

 private:
  UniqueFd fd_;
};

Error NoJson(const std::string& path, const Error& error) {
  return Error{.code = Code::kDataLoss,
               .message = "the answer to " + path + " is no JSON: " + error.message,
               .id = "Response.Invalid",
               .fix = "check that the endpoint is a Slipway workspace service"};
}

}  // namespace

Remote::Remote(Connection connection, Clock& clock) : connection_(std::move(connection)) {
  http::ClientOptions options;
  options.unix_socket = connection_.unix_socket;
  options.stall_timeout = std::chrono::minutes(10);
  client_ = http::MakeClient(options, clock);
}

std::string Remote::InWorkspace(std::string_view path) const {
  return "/api/v1/workspaces/" + EncodePercent(connection_.workspace) + std::string(path);
}

http::Request Remote::MakeRequest(std::string_view method, const std::string& path) const {
  http::Request request;
  request.method = method;
  request.target = connection_.base_url + path;
  if (!connection_.token.empty()) {
    request.headers.Set("Authorization", "Bearer " + connection_.token);
  }
  if (method == "POST") request.headers.Set("Idempotency-Key", RandomHex(16));
  return request;
}

Result<http::Response> Remote::Send(std::string_view method, const std::string& path,
                                    const std::string& body) {
  http::Request request = MakeRequest(method, path);
  if (!body.empty()) request.headers.Set("Content-Type", "application/json");
  request.body = body;
  http::Response response = TRY(client_->Send(request));
  if (response.status >= 400) return http::ErrorFromResponse(response);
  return response;
}

Result<Json> Remote::Call(std::string_view method, const std::string& path, const Json* body) {
  const http::Response response =
      TRY(Send(method, path, body == nullptr ? std::string() : DumpJson(*body)));
  if (response.body.empty()) return Json();
  auto json = ParseJson(response.body);
  if (!json) return NoJson(path, json.error());
  return json;
}

Result<Json> Remote::Get(const std::string& path) { return Call("GET", path, nullptr); }
Result<Json> Remote::Post(const std::string& path, const Json& body) {
  return Call("POST", path, &body);
}
Result<Json> Remote::Put(const std::string& path, const Json& body) {
  return Call("PUT", path, &body);
}
Result<Json> Remote::Patch(const std::string& path, const Json& body) {
  return Call("PATCH", path, &body);
}
Result<Json> Remote::Delete(const std::string& path) { return Call("DELETE", path, nullptr); }

Result<Json> Remote::List(const std::string& path) {
  Json items = Json::array();
  std::string next;
  for (int page = 0; page < kPagesMax; ++page) {
    std::string target = path;
    if (!next.empty()) {
      target += path.find('?') == std::string::npos ? '?' : '&';
      target += "next=" + EncodePercent(next);
    }
    const Json answer = TRY(Get(target));
    const auto found = answer.is_object() ? answer.find("items") : answer.end();
    if (!answer.is_object() || found == answer.end() || !found->is_array()) {
      return NoJson(path, Error{.message = "there is no list of items in it"});
    }
    items.insert(items.end(), found->begin(), found->end());
    next = TRY(GetStringOr(answer, "next", ""));
    if (next.empty()) break;
  }
  return items;
}

Result<std::string> Remote::GetText(const std::string& path) {
  http::Response response = TRY(Send("GET", path, ""));
  return std::move(response.body);
}

Result<std::string> Remote::PostText(const std::string& path, std::string body,
                                     std::string_view content_type) {
  http::Request request = MakeRequest("POST", path);
  request.headers.Set("Content-Type", content_type);
  request.body = std::move(body);
  http::Response response = TRY(client_->Send(request));
  if (response.status >= 400) return http::ErrorFromResponse(response);
  return std::move(response.body);
}

Result<void> Remote::Download(const std::string& path, const http::Sink& sink) {
  const http::Response response = TRY(client_->Send(MakeRequest("GET", path), sink));
  if (response.status >= 300) return http::ErrorFromResponse(response);
  return {};
}

Result<void> Remote::UploadBlob(const Digest& digest, const std::filesystem::path& file,
                                std::int64_t size) {
  const std::string path = InWorkspace("/blobs/" + digest.text());
  const http::Response there = TRY(client_->Send(MakeRequest("HEAD", path)));
  if (there.status == 200) return {};
  if (there.status != 404) return http::ErrorFromResponse(there);
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return SystemError(file.string(), errno);
  http::Request request = MakeRequest("PUT", path);
  request.headers.Set("Content-Type", "application/octet-stream");
  request.body_reader = std::make_shared<FileReader>(std::move(fd));
  request.body_size = size;
  const http::Response response = TRY(client_->Send(request));
  if (response.status >= 400) return http::ErrorFromResponse(response);
  return {};
}

Result<VersionedName> ParseVersionedName(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  VersionedName parsed{.name = std::string(text.substr(0, colon)), .version = "latest"};
  if (colon != std::string_view::npos) parsed.version = text.substr(colon + 1);
  if (parsed.name.empty() || parsed.version.empty()) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "'" + std::string(text) + "' is no NAME or NAME:VERSION",
                 .id = "Usage"};
  }
  return parsed;
}

Result<VersionedName> ParseExactVersion(std::string_view text) {
  VersionedName name = TRY(ParseVersionedName(text));
  if (text.find(':') != std::string_view::npos) return name;
  return Error{.code = Code::kInvalidArgument,
               .message = "'" + std::string(text) + "' names no version",
               .id = "Usage",
               .fix = "NAME:VERSION, as in " + std::string(text) + ":1"};
}

std::string VersionPath(std::string_view collection, const VersionedName& name) {
  return "/" + std::string(collection) + "/" + EncodePercent(name.name) + "/versions/" +
         EncodePercent(name.version);
}

std::string Query(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string query;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    query += (query.empty() ? "?" : "&") + name + "=" + EncodePercent(value);
  }
  return query;
}

}  // namespace slipway::cli
