// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_docker.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/json.h"
#include "base/text.h"
#include "tests/support/http_fixture.h"
#include "tests/support/json.h"

namespace slipway::testing {
namespace {

http::Response Message(int status, const std::string& message) {
  return http::JsonResponse(status, DumpJson({{"message", message}}));
}

http::Response NoContent() { return {.status = 204}; }

std::string VariableOf(const Json& body, std::string_view name) {
  for (const Json& item : body.value("Env", Json::array())) {
    const std::string text = item;
    if (text.starts_with(std::string(name) + "=")) return text.substr(name.size() + 1);
  }
  return {};
}

std::string Frame(const std::string& text) {
  std::string frame{'\2', '\0', '\0', '\0'};
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(text.size() >> static_cast<unsigned>(shift) & 0xffU));
  }
  return frame + text;
}

http::Response Score(const http::Request& request, const std::string& mode,
                     const std::string& say) {
  const auto target = http::ParseTarget(request.target);
  if (target->path == "/readyz" && mode == "wrong") {
    return http::JsonResponse(503, R"({"state":"wrong","message":"sample 3 differs"})");
  }
  if (target->path == "/readyz" && mode == "never") {
    return http::JsonResponse(503, R"({"state":"loading","message":"still loading"})");
  }
  if (target->path == "/readyz") return http::JsonResponse(200, R"({"state":"ready"})");
  std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(target->Query("ms", "0"))));
  http::Response response;
  response.body = say + request.body;
  return response;
}

/// `/containers/{id}/start` for `/containers/one/start?t=5`; other paths as they are.
std::string TemplateOf(std::string_view target) {
  constexpr std::array<std::string_view, 5> kNames = {"create", "json", "load", "prune", "search"};
  std::vector<std::string> parts = Split(target.substr(0, target.find('?')), '/');
  const bool things = parts.size() > 2 && (parts[1] == "containers" || parts[1] == "images");
  if (things && std::find(kNames.begin(), kNames.end(), parts[2]) == kNames.end()) {
    parts[2] = parts[1] == "images" ? "{name}" : "{id}";
  }
  return Join(parts, "/");
}

}  // namespace

struct FakeDocker::Container {
  Json body;
  std::string status = "created";
  std::int64_t exit_code = 0, restarts = 0;
  bool out_of_memory = false;
  std::string log;
  std::unique_ptr<http::Server> server;
};

FakeDocker::FakeDocker(std::filesystem::path socket)
    : socket_(std::move(socket)),
      schema_(
          Swagger::Load(std::string(SLIPWAY_SOURCE_DIR) + "/../shared/spec/docker/v1.41.yaml")) {
  http::ServerOptions options;
  options.listen = {"unix:" + socket_.string()};
  server_ = StartServer(std::move(options), [this](http::Request& r) { return Handle(r); });
}

FakeDocker::~FakeDocker() { server_->Drain(); }

void FakeDocker::Break(const std::string& operation, Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_[operation] = std::move(fault);
}
void FakeDocker::SetVersion(std::string newest, std::string oldest) {
  const std::lock_guard lock(mutex_);
  newest_ = std::move(newest);
  oldest_ = std::move(oldest);
}
void FakeDocker::SetArchitecture(std::string architecture) {
  const std::lock_guard lock(mutex_);
  architecture_ = std::move(architecture);
}
std::vector<std::string> FakeDocker::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}
std::vector<std::string> FakeDocker::containers() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, unused] : containers_) names.push_back(name);
  return names;
}
std::vector<std::string> FakeDocker::images() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, unused] : images_) names.push_back(name);
  return names;
}
Json FakeDocker::body_of(const std::string& container) const {
  const std::lock_guard lock(mutex_);
  return containers_.at(container)->body;
}
std::int64_t FakeDocker::count(const std::string& operation) const {
  const std::lock_guard lock(mutex_);
  const auto at = counts_.find(operation);
  return at == counts_.end() ? 0 : at->second;
}
void FakeDocker::Crash(const std::string& container, int exit_code, std::int64_t restarts) {
  const std::lock_guard lock(mutex_);
  Container& one = *containers_.at(container);
  one.server.reset();
  one.status = "restarting";
  one.exit_code = exit_code;
  one.restarts = restarts;
}
void FakeDocker::Lose(const std::string& container) {
  const std::lock_guard lock(mutex_);
  containers_.erase(container);
}

http::Response FakeDocker::Handle(http::Request& request) {
  std::string base;
  if (request.target.starts_with("/v1."))
    base = request.target.substr(0, request.target.find('/', 1));
  std::string operation = request.method + " " + request.target.substr(base.size());
  operation = request.method + " " + TemplateOf(operation.substr(request.method.size() + 1));
  std::chrono::milliseconds delay{0};
  {
    const std::lock_guard lock(mutex_);
    if (schema_) {
      for (const std::string& wrong : schema_->Violations(request, base)) {
        violations_.push_back(request.method + " " + request.target + ": " + wrong);
      }
    }
    ++counts_[operation];
    if (const auto at = faults_.find(operation); at != faults_.end() && at->second.times > 0) {
      --at->second.times;
      delay = at->second.delay;
      if (delay.count() == 0) return http::JsonResponse(at->second.status, at->second.body);
    }
  }
  if (delay.count() > 0) std::this_thread::sleep_for(delay);
  const std::lock_guard lock(mutex_);
  return Answer(operation, request);
}

http::Response FakeDocker::Answer(const std::string& operation, const http::Request& request) {
  if (operation == "GET /version") {
    return http::JsonResponse(200, DumpJson({{"ApiVersion", newest_},
                                             {"MinAPIVersion", oldest_},
                                             {"Arch", architecture_},
                                             {"Os", "linux"}}));
  }
  if (operation.find("/images/") != std::string::npos) return Images(operation, request);
  return Containers(operation, request);
}

http::Response FakeDocker::Images(const std::string& operation, const http::Request& request) {
  const auto target = *http::ParseTarget(request.target);
  if (operation.ends_with("/images/load")) {
    const auto words = Split(request.body, ' ');
    images_[words[0]] = words.at(1);
    return http::JsonResponse(200, DumpJson({{"stream", "Loaded image: " + words[0] + "\n"}}));
  }
  if (operation.ends_with("/images/create")) {
    images_[target.Query("fromImage")] = architecture_;
    return http::JsonResponse(200, R"({"status":"Downloaded"})");
  }
  const std::string name = target.segments.at(2);
  const auto at = images_.find(name);
  if (at == images_.end()) return Message(404, "No such image: " + name);
  if (target.segments.back() == "tag") {
    images_[target.Query("repo") + ":" + target.Query("tag")] = at->second;
    return {.status = 201};
  }
  if (request.method == "DELETE") {
    for (const auto& [unused, container] : containers_) {
      if (container->body.at("Image") == name) return Message(409, "image is in use");
    }
    images_.erase(at);
    return http::JsonResponse(200, "[]");
  }
  return http::JsonResponse(
      200, DumpJson({{"Id", "sha256:0"}, {"Architecture", at->second}, {"Os", "linux"}}));
}

http::Response FakeDocker::Create(const http::Request& request) {
  const auto target = *http::ParseTarget(request.target);
  const std::string name = target.Query("name");
  if (containers_.contains(name)) return Message(409, "the name is in use");
  auto container = std::make_unique<Container>();
  container->body = testing::ParsedJson(request.body);
  if (!images_.contains(container->body.at("Image"))) {
    return Message(404, "No such image: " + container->body.at("Image").get<std::string>());
  }
  containers_[name] = std::move(container);
  return http::JsonResponse(201, R"({"Id":"x","Warnings":[]})");
}

http::Response FakeDocker::Start(Container& container) {
  if (container.status == "running") return {.status = 304};
  const std::string mode = VariableOf(container.body, "FAKE");
  container.log += "the program starts\n";
  if (mode == "oom" || mode.starts_with("exit:")) {
    container.status = "exited";
    container.out_of_memory = mode == "oom";
    container.exit_code = mode == "oom" ? 137 : std::stoi(mode.substr(5));
    container.log += "cannot go on: " + VariableOf(container.body, "SAY") + "\nbye\n";
    return NoContent();
  }
  const Json& binding = container.body.at("HostConfig").at("PortBindings").at("5001/tcp").at(0);
  http::ServerOptions options;
  options.listen = {binding.at("HostIp").get<std::string>() + ":" +
                    binding.at("HostPort").get<std::string>()};
  options.handler_threads = 16;
  auto server = http::Server::Start(
      std::move(options), [mode, say = VariableOf(container.body, "SAY")](http::Request& r) {
        return Score(r, mode, say);
      });
  if (!server) return Message(500, "driver failed: port is already allocated");
  container.server = *std::move(server);
  container.status = "running";
  return NoContent();
}

http::Response FakeDocker::Inspect(const std::string& name, const Container& container) const {
  return http::JsonResponse(200, DumpJson({{"Id", "id-" + name},
                                           {"RestartCount", container.restarts},
                                           {"State",
                                            {{"Status", container.status},
                                             {"OOMKilled", container.out_of_memory},
                                             {"ExitCode", container.exit_code},
                                             {"Error", ""}}}}));
}

http::Response FakeDocker::Containers(const std::string& operation, const http::Request& request) {
  if (operation == "POST /containers/create") return Create(request);
  const auto target = *http::ParseTarget(request.target);
  const std::string name = target.segments.at(2);
  const auto at = containers_.find(name);
  if (at == containers_.end()) return Message(404, "No such container: " + name);
  Container& container = *at->second;
  const std::string verb = target.segments.back();
  if (request.method == "DELETE") {
    containers_.erase(at);
    return NoContent();
  }
  if (verb == "start") return Start(container);
  if (verb == "json") return Inspect(name, container);
  if (verb == "update") {
    container.body["HostConfig"].update(testing::ParsedJson(request.body));
    return http::JsonResponse(200, R"({"Warnings":[]})");
  }
  if (verb == "logs") {
    http::Response response;
    response.body = Frame(container.log);
    return response;
  }
  if (verb != "stop") return Message(404, "page not found");
  if (container.server) container.server->Drain();
  container.server.reset();
  container.status = "exited";
  container.exit_code = 0;
  return NoContent();
}

}  // namespace slipway::testing
