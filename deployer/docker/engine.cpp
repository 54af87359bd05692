// SPDX-License-Identifier: Apache-2.0
// Docker Engine API 1.40 to 1.47.
#include "deployer/docker/engine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "deployer/docker/stream.h"

namespace slipway::deployer {
namespace {

constexpr int kOldestMinor = 40, kNewestMinor = 47;
constexpr std::int64_t kLogBytesMax = 64 << 20;
constexpr std::string_view kArchiveUnread = "Docker.Archive";

std::unique_ptr<http::Client> ClientFor(const EngineAddress& address, const EngineTimes& times,
                                        std::chrono::milliseconds total) {
  http::ClientOptions options;
  options.connect_timeout = times.connect;
  options.stall_timeout = total;
  options.total_timeout = total;
  options.retries = 0;
  options.response_bytes_max = kLogBytesMax;
  options.unix_socket = address.unix_socket;
  return http::MakeClient(std::move(options));
}

/// A file that is read once, from its begin.
class FileReader final : public http::Reader {
 public:
  explicit FileReader(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<std::size_t> Read(std::span<std::byte> buffer) override {
    while (true) {
      const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      Error error = SystemError("cannot read the image's archive", errno);
      error.id = std::string(kArchiveUnread);
      return error;
    }
  }

 private:
  UniqueFd fd_;
};

/// Minor number of `1.41`; -1 for what is none.
int MinorOf(std::string_view version) {
  if (!version.starts_with("1.")) return -1;
  int minor = -1;
  const auto [end, error] =
      std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  return error == std::errc() && end == version.data() + version.size() ? minor : -1;
}

/// What the engine says went wrong, without line ends.
std::string MessageOf(const http::Response& response) {
  std::string message;
  if (const auto json = ParseJson(response.body); json && json->is_object()) {
    if (auto said = GetString(*json, "message")) message = *std::move(said);
  }
  if (message.empty()) message = fmt::format("status {}", response.status);
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

std::string Query(std::initializer_list<std::pair<std::string_view, std::string>> parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    query += fmt::format("{}{}={}", query.empty() ? "?" : "&", name, EncodePercent(value));
  }
  return query;
}

}  // namespace

Result<EngineAddress> ParseEngineHost(std::string_view host) {
  constexpr std::string_view kUnix = "unix://", kTcp = "tcp://";
  if (host.starts_with("unix:///")) {
    return EngineAddress{
        .unix_socket = host.substr(kUnix.size()), .url = "http://docker", .host = "127.0.0.1"};
  }
  std::string url(host);
  if (host.starts_with(kTcp)) url = "http://" + std::string(host.substr(kTcp.size()));
  const std::size_t scheme = url.find("://");
  const bool http = url.starts_with("http://") || url.starts_with("https://");
  std::string authority = http ? url.substr(scheme + 3) : "";
  while (authority.ends_with('/')) authority.pop_back();
  if (authority.empty() || authority.find_first_of("/?#@ ") != std::string::npos) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("'{}' is no address of a Docker Engine", host),
                 .id = "Docker.Host",
                 .fix = "write unix:///var/run/docker.sock or tcp://HOST:2375"};
  }
  const std::size_t port = authority.rfind(':');
  const bool v6 = authority.front() == '[';
  const std::size_t end = v6 ? authority.find(']') + 1 : std::min(port, authority.size());
  return EngineAddress{.unix_socket = {},
                       .url = url.substr(0, scheme + 3) + authority,
                       .host = authority.substr(0, end)};
}

std::string_view EngineCause(std::string_view message, std::string_view fallback) {
  struct Sign {
    std::string_view words, cause;
  };
  constexpr Sign kSigns[] = {
      {"no space left on device", "DiskFull"},
      {"disk quota exceeded", "DiskFull"},
      {"port is already allocated", "PortInUse"},
      {"address already in use", "PortInUse"},
      {"ports are not available", "PortInUse"},
      {"exec format error", "WrongArchitecture"},
      {"does not match the specified platform", "WrongArchitecture"},
      {"cannot be used on this platform", "WrongArchitecture"},
      {"no such image", "ImageMissing"},
      {"pull access denied", "ImagePullFailed"},
      {"manifest unknown", "ImagePullFailed"},
      {"unauthorized", "ImagePullFailed"},
      {"toomanyrequests", "ImagePullFailed"},
      {"executable file not found", "ProgramMissing"},
      {"no such file or directory: unknown", "ProgramMissing"},
      {"cannot allocate memory", "OOMKilled"},
      {"minimum memory limit", "OOMKilled"},
      {"could not find bridge", "NetworkMissing"},
      {"could not find an available", "NetworkMissing"},
      {"network not found", "NetworkMissing"},
      {"could not select device driver", "NoDevice"},
  };
  const std::string lower = ToLower(message);
  if (lower.find("network ") != std::string::npos && lower.ends_with(" not found")) {
    return "NetworkMissing";
  }
  for (const Sign& sign : kSigns) {
    if (lower.find(sign.words) != std::string::npos) return sign.cause;
  }
  return fallback;
}

DockerEngine::DockerEngine(std::string name, EngineAddress address, EngineTimes times)
    : name_(std::move(name)),
      address_(std::move(address)),
      http_(ClientFor(address_, times, times.call)),
      slow_http_(ClientFor(address_, times, times.load)) {}

Error DockerEngine::Unreachable(const Error& error) const {
  const bool socket = !address_.unix_socket.empty();
  if (socket && ::access(address_.unix_socket.c_str(), F_OK) == 0 &&
      ::access(address_.unix_socket.c_str(), R_OK | W_OK) != 0) {
    return CauseError("EngineDenied",
                      fmt::format("no permission to use the Docker Engine at {}", name_));
  }
  if (error.code == Code::kDeadlineExceeded) {
    return CauseError("EngineSlow", fmt::format("the Docker Engine at {} does not answer in time: "
                                                "{}",
                                                name_, error.message));
  }
  return CauseError("EngineUnreachable",
                    fmt::format("no Docker Engine answers at {}: {}", name_, error.message));
}

Result<DockerEngine::Version> DockerEngine::Negotiate() {
  const std::lock_guard lock(mutex_);
  if (version_) return *version_;
  http::Request request;
  request.target = address_.url + "/version";
  const auto response = http_->Send(request);
  if (!response) return Unreachable(response.error());
  const auto json = ParseJson(response->body);
  if (response->status != 200 || !json || !json->is_object()) {
    return CauseError("EngineRefused", fmt::format("what answers at {} is no Docker Engine: {}",
                                                   name_, MessageOf(*response)));
  }
  const std::string newest = TRY(GetStringOr(*json, "ApiVersion", ""));
  const std::string oldest = TRY(GetStringOr(*json, "MinAPIVersion", ""));
  const int minor = std::min(MinorOf(newest), kNewestMinor);
  if (minor < kOldestMinor || MinorOf(oldest) > kNewestMinor) {
    return CauseError("EngineTooOld",
                      fmt::format("the Docker Engine at {} speaks API {} to {}, this program 1.{} "
                                  "to 1.{}",
                                  name_, oldest, newest, kOldestMinor, kNewestMinor));
  }
  std::string architecture = TRY(GetStringOr(*json, "Arch", ""));
  version_ = Version{.api = fmt::format("/v1.{}", minor), .architecture = std::move(architecture)};
  return *version_;
}

Result<std::string> DockerEngine::Architecture() { return TRY(Negotiate()).architecture; }

Result<http::Response> DockerEngine::SendTo(http::Client& client, Call call) {
  const Version version = TRY(Negotiate());
  http::Request request{.method = call.method,
                        .target = address_.url + version.api + call.path,
                        .headers = std::move(call.headers),
                        .body = std::move(call.body),
                        .body_reader = std::move(call.body_reader),
                        .body_size = call.body_size};
  auto response = client.Send(request);
  if (response) return response;
  if (response.error().id == kArchiveUnread) return response;
  return Unreachable(response.error());
}

Result<http::Response> DockerEngine::Send(Call call) { return SendTo(*http_, std::move(call)); }

Result<http::Response> DockerEngine::Must(Call call) {
  const std::string doing = call.doing;
  http::Response response = TRY(Send(std::move(call)));
  if (response.status >= 200 && response.status < 400) return response;
  const std::string message = MessageOf(response);
  constexpr int kServerError = 500;
  const std::string_view usual = response.status >= kServerError ? "EngineFailed" : "EngineRefused";
  return CauseError(EngineCause(message, usual),
                    fmt::format("the Docker Engine cannot {}: {}", doing, message));
}

Result<std::optional<EngineImage>> DockerEngine::FindImage(const std::string& reference) {
  http::Response response = TRY(Send(
      {.method = "GET", .path = "/images/" + EncodePercent(reference) + "/json", .doing = ""}));
  constexpr int kNotFound = 404;
  if (response.status == kNotFound) return std::optional<EngineImage>();
  const auto json = ParseJson(response.body);
  if (response.status != 200 || !json) {
    return CauseError("EngineFailed", fmt::format("the Docker Engine cannot look at image {}: {}",
                                                  reference, MessageOf(response)));
  }
  EngineImage image;
  image.id = TRY(GetString(*json, "Id"));
  image.architecture = TRY(GetStringOr(*json, "Architecture", ""));
  image.os = TRY(GetStringOr(*json, "Os", ""));
  return std::optional(std::move(image));
}

Result<std::string> DockerEngine::Load(const std::filesystem::path& archive) {
  UniqueFd fd(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return SystemError("cannot open " + archive.string(), errno);
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return SystemError("cannot stat the archive", errno);
  const http::Response response =
      TRY(SendTo(*slow_http_, {.method = "POST",
                               .path = "/images/load?quiet=true",
                               .doing = "",
                               .headers = {{"Content-Type", "application/x-tar"}},
                               .body_reader = std::make_shared<FileReader>(std::move(fd)),
                               .body_size = status.st_size}));
  const ImageProgress progress = ReadImageProgress(response.body);
  std::string error = response.status == 200 ? progress.error : MessageOf(response);
  if (error.empty() && progress.image.empty()) error = "it does not say which image it loaded";
  if (error.empty()) return progress.image;
  return CauseError(EngineCause(error, "ImageLoadFailed"),
                    "the Docker Engine cannot load the image: " + error);
}

Result<void> DockerEngine::Tag(const std::string& image, const std::string& repository,
                               const std::string& tag) {
  TRY(Must({.method = "POST",
            .path = "/images/" + EncodePercent(image) + "/tag" +
                    Query({{"repo", repository}, {"tag", tag}}),
            .doing = "tag image " + image}));
  return {};
}

Result<void> DockerEngine::Pull(const std::string& reference, const Json& credentials) {
  Call call{
      .method = "POST", .path = "/images/create" + Query({{"fromImage", reference}}), .doing = ""};
  if (!credentials.is_null()) {
    const std::string text = DumpJson(credentials);
    std::string encoded = EncodeBase64(std::as_bytes(std::span(text)));
    std::replace(encoded.begin(), encoded.end(), '+', '-');
    std::replace(encoded.begin(), encoded.end(), '/', '_');
    call.headers.Set("X-Registry-Auth", encoded);
  }
  const http::Response response = TRY(SendTo(*slow_http_, std::move(call)));
  const std::string error =
      response.status == 200 ? ReadImageProgress(response.body).error : MessageOf(response);
  if (error.empty()) return {};
  const std::string_view cause = EngineCause(error, "ImagePullFailed");
  return CauseError(cause == "DiskFull" ? cause : "ImagePullFailed",
                    fmt::format("the Docker Engine cannot pull {}: {}", reference, error));
}

Result<void> DockerEngine::RemoveImage(const std::string& reference) {
  const http::Response response =
      TRY(Send({.method = "DELETE", .path = "/images/" + EncodePercent(reference), .doing = ""}));
  constexpr int kNotFound = 404, kInUse = 409;
  if (response.status == 200 || response.status == kNotFound || response.status == kInUse) {
    return {};
  }
  return CauseError("EngineFailed", fmt::format("the Docker Engine cannot remove image {}: {}",
                                                reference, MessageOf(response)));
}

Result<void> DockerEngine::Create(const std::string& name, const Json& body) {
  TRY(Must({.method = "POST",
            .path = "/containers/create" + Query({{"name", name}}),
            .doing = "create container " + name,
            .headers = {{"Content-Type", "application/json"}},
            .body = DumpJson(body)}));
  return {};
}

Result<void> DockerEngine::Start(const std::string& name) {
  TRY(Must({.method = "POST",
            .path = "/containers/" + EncodePercent(name) + "/start",
            .doing = "start container " + name}));
  return {};
}

Result<void> DockerEngine::KeepRunning(const std::string& name) {
  const Json body = {{"RestartPolicy", {{"Name", "unless-stopped"}}}};
  TRY(Must({.method = "POST",
            .path = "/containers/" + EncodePercent(name) + "/update",
            .doing = "keep container " + name + " running",
            .headers = {{"Content-Type", "application/json"}},
            .body = DumpJson(body)}));
  return {};
}

Result<void> DockerEngine::Stop(const std::string& name, std::chrono::seconds grace) {
  const http::Response response =
      TRY(SendTo(*slow_http_, {.method = "POST",
                               .path = "/containers/" + EncodePercent(name) + "/stop" +
                                       Query({{"t", std::to_string(grace.count())}}),
                               .doing = ""}));
  constexpr int kNotFound = 404, kFailed = 400;
  if (response.status < kFailed || response.status == kNotFound) return {};
  return CauseError("EngineFailed", fmt::format("the Docker Engine cannot stop container {}: {}",
                                                name, MessageOf(response)));
}

Result<void> DockerEngine::Remove(const std::string& name) {
  const http::Response response = TRY(Send(
      {.method = "DELETE",
       .path = "/containers/" + EncodePercent(name) + Query({{"force", "true"}, {"v", "true"}}),
       .doing = ""}));
  constexpr int kNotFound = 404, kUnderWay = 409, kFailed = 400;
  if (response.status < kFailed || response.status == kNotFound || response.status == kUnderWay) {
    return {};
  }
  return CauseError("EngineFailed", fmt::format("the Docker Engine cannot remove container {}: {}",
                                                name, MessageOf(response)));
}

Result<std::optional<ContainerState>> DockerEngine::Inspect(const std::string& name) {
  const http::Response response = TRY(
      Send({.method = "GET", .path = "/containers/" + EncodePercent(name) + "/json", .doing = ""}));
  constexpr int kNotFound = 404;
  if (response.status == kNotFound) return std::optional<ContainerState>();
  const auto json = ParseJson(response.body);
  if (response.status != 200 || !json || !json->is_object() || !json->contains("State")) {
    return CauseError("EngineFailed", fmt::format("the Docker Engine cannot look at container {}: "
                                                  "{}",
                                                  name, MessageOf(response)));
  }
  const Json& state = json->at("State");
  ContainerState container;
  container.id = TRY(GetString(*json, "Id"));
  container.status = TRY(GetString(state, "Status"));
  container.out_of_memory = TRY(GetBoolOr(state, "OOMKilled", false));
  container.exit_code = TRY(GetIntOr(state, "ExitCode", 0));
  container.error = TRY(GetStringOr(state, "Error", ""));
  container.restarts = TRY(GetIntOr(*json, "RestartCount", 0));
  return std::optional(std::move(container));
}

Result<std::string> DockerEngine::Logs(const std::string& name, std::int64_t lines) {
  const http::Response response = TRY(Must(
      {.method = "GET",
       .path = "/containers/" + EncodePercent(name) + "/logs" +
               Query({{"stdout", "true"}, {"stderr", "true"}, {"tail", std::to_string(lines)}}),
       .doing = "read the log of container " + name}));
  return DockerLogText(response.body);
}

}  // namespace slipway::deployer
