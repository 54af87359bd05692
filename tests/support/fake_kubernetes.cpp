// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_kubernetes.h"

#include <cstdlib>
#include <fstream>

#include "base/text.h"
#include "tests/support/fake_kubernetes_place.h"
#include "tests/support/http_fixture.h"
#include "tests/support/json.h"
#include "tests/support/json_schema.h"

namespace slipway::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void Leaves(const json& value, const std::string& at, std::map<std::string, json>& leaves) {
  if (!value.is_object() || value.empty()) {
    leaves[at] = value;
    return;
  }
  for (const auto& [name, member] : value.items()) {
    std::string escaped;
    for (const char c : name) escaped += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    Leaves(member, at + "/" + escaped, leaves);
  }
}

/// `/spec/replicas` as the API server names it: `.spec.replicas`.
std::string FieldOf(std::string leaf) {
  for (char& c : leaf) {
    if (c == '/') c = '.';
  }
  return leaf;
}

std::string SchemaKind(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.substr(0, name.find('-'));
}

}  // namespace

FakeKubernetes::FakeKubernetes() {
  const fs::path folder = fs::path(SLIPWAY_SOURCE_DIR) / "../shared/spec/kubernetes";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (!entry.path().string().ends_with(".strict.schema.json")) continue;
    schema_files_[SchemaKind(entry.path())] = entry.path();
  }
  state_.roll_out = BecomeHealthy;
  http::ServerOptions options = LocalOptions();
  options.handler_threads = 64;  // a watch keeps one
  options.drain_timeout = std::chrono::milliseconds(500);
  server_ = StartServer(options, [this](http::Request& request) { return Answer(request); });
}

FakeKubernetes::~FakeKubernetes() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  server_->Drain();
}

std::string FakeKubernetes::url() const { return UrlOf(*server_); }

void FakeKubernetes::Change(const std::function<void(State&)>& change) {
  const std::lock_guard lock(mutex_);
  change(state_);
  Note();
}

fs::path FakeKubernetes::WriteKubeconfig(const fs::path& folder, const std::string& token) const {
  const fs::path file = folder / "kubeconfig";
  std::ofstream(file) << "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: \""
                      << url() << "\"}}]\nusers: [{name: u, user: {token: \"" << token
                      << "\"}}]\ncontexts: [{name: x, context: {cluster: c, user: u, namespace: "
                         "lab}}]\ncurrent-context: x\n";
  return file;
}

void FakeKubernetes::BecomeHealthy(State&, Json& deployment) {
  const std::int64_t replicas = deployment["spec"].value("replicas", 1);
  deployment["status"] = {
      {"observedGeneration", deployment["metadata"]["generation"]},
      {"replicas", replicas},
      {"updatedReplicas", replicas},
      {"readyReplicas", replicas},
      {"availableReplicas", replicas},
      {"conditions",
       {{{"type", "Available"}, {"status", "True"}},
        {{"type", "Progressing"}, {"status", "True"}, {"reason", "NewReplicaSetAvailable"}}}}};
}

std::string FakeKubernetes::CheckSchema(const Json& object) {
  if (schema_files_.empty()) return "";
  const std::string kind = ToLower(object.value("kind", ""));
  const auto file = schema_files_.find(kind);
  if (file == schema_files_.end()) return "no schema for kind " + kind;
  if (!schemas_.contains(kind)) {
    schemas_[kind] = ParsedJsonFile(file->second);
  }
  // The schemas are of the newest versions; older ones have the same shape.
  Json newest = object;
  if (newest["apiVersion"] == "autoscaling/v2beta2") newest["apiVersion"] = "autoscaling/v2";
  if (newest["apiVersion"] == "policy/v1beta1") newest["apiVersion"] = "policy/v1";
  return SchemaError(schemas_[kind], newest);
}

http::Response FakeKubernetes::Get(const Place& place) {
  const auto found = state_.objects.find(place.Path());
  if (found == state_.objects.end()) {
    return KubeStatusAnswer(404, "NotFound", place.plural + " \"" + place.name + "\" not found",
                            {{"name", place.name}, {"kind", place.plural}});
  }
  const Json object = found->second;
  if (object["metadata"].contains("deletionTimestamp") && state_.deletion_looks-- <= 0) {
    state_.objects.erase(found);
    return Get(place);
  }
  return KubeJsonAnswer(200, object);
}

http::Response FakeKubernetes::List(const Place& place) {
  const std::string start = place.Query("continue");
  if (!start.empty() && state_.expired_pages > 0) {
    --state_.expired_pages;
    return KubeStatusAnswer(410, "Expired", "the provided continue parameter is too old");
  }
  Json items = Json::array();
  std::string next;
  const std::string prefix = place.Collection() + "/";
  for (const auto& [path, object] : state_.objects) {
    if (!path.starts_with(prefix) || path.find('/', prefix.size()) != std::string::npos) continue;
    if (path <= start && !start.empty()) continue;
    if (!KubeLabelsMatch(object, place.Query("labelSelector")) ||
        !KubeFieldsMatch(object, place.Query("fieldSelector"))) {
      continue;
    }
    if (items.size() == state_.page_size) {
      next = prefix + items.back()["metadata"]["name"].get<std::string>();
      break;
    }
    items.push_back(object);
  }
  return KubeJsonAnswer(
      200, {{"kind", "List"},
            {"apiVersion", place.api},
            {"metadata",
             {{"continue", next}, {"resourceVersion", std::to_string(state_.resource_version)}}},
            {"items", items}});
}

http::Response FakeKubernetes::Apply(const Place& place, const http::Request& request) {
  if (request.headers.Get("Content-Type") != "application/apply-patch+yaml") {
    return KubeStatusAnswer(415, "UnsupportedMediaType",
                            "the body of the request was in an unknown format");
  }
  const std::string manager = place.Query("fieldManager");
  const Json wanted = ParsedJson(request.body);
  if (manager.empty() || wanted.is_discarded()) {
    return KubeStatusAnswer(400, "BadRequest", "fieldManager and an object are needed");
  }
  if (!state_.namespaces.contains(place.name_space)) {
    return KubeStatusAnswer(404, "NotFound", "namespaces \"" + place.name_space + "\" not found",
                            {{"name", place.name_space}, {"kind", "namespaces"}});
  }
  if (wanted["metadata"].value("name", "") != place.name || wanted["apiVersion"] != place.api) {
    return KubeStatusAnswer(400, "BadRequest",
                            "the name of the object does not match the name on the URL");
  }
  std::map<std::string, Json> leaves;
  Leaves(wanted, "", leaves);
  auto owners = state_.owners[place.Path()];
  const bool is_new = !state_.objects.contains(place.Path());
  const Json before = is_new ? Json::object() : state_.objects[place.Path()];
  Json stored = before;
  Json causes = Json::array();
  for (const auto& [leaf, value] : leaves) {
    const auto owner = owners.find(leaf);
    const Json::json_pointer at(leaf);
    if (owner == owners.end() || owner->second == manager || !before.contains(at) ||
        before[at] == value) {
      continue;
    }
    causes.push_back({{"reason", "FieldManagerConflict"},
                      {"message", "conflict with \"" + owner->second + "\" using " + place.api},
                      {"field", FieldOf(leaf)}});
  }
  if (!causes.empty() && place.Query("force") != "true") {
    return KubeStatusAnswer(409, "Conflict", "Apply failed with conflicts", {{"causes", causes}});
  }
  for (auto owner = owners.begin(); owner != owners.end();) {
    const Json::json_pointer at(owner->first);
    if (owner->second == manager && !leaves.contains(owner->first) && stored.contains(at)) {
      stored[at.parent_pointer()].erase(at.back());
      owner = owners.erase(owner);
    } else {
      ++owner;
    }
  }
  for (const auto& [leaf, value] : leaves) {
    stored[Json::json_pointer(leaf)] = value;
    owners[leaf] = manager;
  }
  if (is_new) {
    stored["metadata"]["uid"] = "uid-" + std::to_string(state_.resource_version);
    if (place.plural == "services") stored["spec"]["clusterIP"] = "10.96.0.7";
    if (place.plural == "deployments" && !stored["spec"].contains("replicas")) {
      stored["spec"]["replicas"] = 1;
    }
  }
  if (is_new || before.value("spec", Json()) != stored.value("spec", Json())) {
    stored["metadata"]["generation"] = stored["metadata"].value("generation", 0) + 1;
  }
  if (stored != before) {
    stored["metadata"]["resourceVersion"] = std::to_string(++state_.resource_version);
  }
  if (const std::string wrong = CheckSchema(stored); !wrong.empty()) {
    return KubeStatusAnswer(422, "Invalid", wrong);
  }
  if (place.plural == "deployments" && state_.roll_out) state_.roll_out(state_, stored);
  state_.owners[place.Path()] = owners;
  state_.objects[place.Path()] = stored;
  return KubeJsonAnswer(is_new ? 201 : 200, stored);
}

http::Response FakeKubernetes::Delete(const Place& place) {
  if (place.Query("propagationPolicy") != "Foreground") {
    return KubeStatusAnswer(400, "BadRequest", "this test wants foreground deletion");
  }
  const auto found = state_.objects.find(place.Path());
  if (found == state_.objects.end()) return Get(place);
  found->second["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  const Json object = found->second;
  state_.owners.erase(place.Path());
  if (state_.deletion_looks == 0) state_.objects.erase(found);
  return KubeJsonAnswer(200, object);
}

http::Response FakeKubernetes::Logs(const Place& place) {
  const std::string name = place.name + (place.Query("previous") == "true" ? "/previous" : "");
  const auto found = state_.logs.find(name);
  if (found == state_.logs.end()) {
    return KubeStatusAnswer(400, "BadRequest", "container \"scoring\" is waiting to start");
  }
  return {.status = 200, .headers = {{"Content-Type", "text/plain"}}, .body = found->second};
}

http::Response FakeKubernetes::Answer(const http::Request& request) {
  const std::lock_guard lock(mutex_);
  http::Response response = AnswerAlone(request);
  Note();
  return response;
}

http::Response FakeKubernetes::AnswerAlone(const http::Request& request) {
  state_.requests.push_back(request.method + " " + request.target);
  if (!state_.faults.empty()) {
    http::Response fault = state_.faults.front();
    state_.faults.erase(state_.faults.begin());
    return fault;
  }
  if (request.headers.Get("Authorization") != "Bearer " + state_.token) {
    return KubeStatusAnswer(401, "Unauthorized", "Unauthorized");
  }
  auto target = http::ParseTarget(request.target);
  if (!target) return KubeStatusAnswer(400, "BadRequest", "bad target");
  const std::vector<std::string> parts = target->segments;
  const std::size_t first = !parts.empty() && parts[0] == "api" ? 2 : 3;
  Place place;
  place.target = *target;
  if (parts.size() >= first) {
    place.api = first == 2 ? parts[1] : parts[1] + "/" + parts[2];
  }
  if (parts.size() == first) {
    const bool known = state_.apis.contains(place.api);
    return known ? KubeJsonAnswer(200, {{"kind", "APIResourceList"}})
                 : KubeStatusAnswer(404, "NotFound",
                                    "the server could not find the requested resource");
  }
  if (parts.size() < first + 3) return KubeStatusAnswer(404, "NotFound", "no such path");
  place.name_space = parts[first + 1];
  place.plural = parts[first + 2];
  if (parts.size() > first + 3) place.name = parts[first + 3];
  if (parts.size() > first + 4) place.subresource = parts[first + 4];
  const std::string verb = request.method == "PATCH"        ? "patch"
                           : request.method == "DELETE"     ? "delete"
                           : !place.name.empty()            ? "get"
                           : place.Query("watch") == "true" ? "watch"
                                                            : "list";
  if (auto faults = state_.faults_of.find(verb + " " + place.plural);
      faults != state_.faults_of.end() && !faults->second.empty()) {
    http::Response fault = faults->second.front();
    faults->second.erase(faults->second.begin());
    return fault;
  }
  if (state_.denied.contains(verb + " " + place.plural)) {
    const std::string group = place.api == "v1" ? "" : place.api.substr(0, place.api.find('/'));
    return KubeStatusAnswer(403, "Forbidden",
                            place.plural + " \"" + place.name +
                                "\" is forbidden: User \"dev\" cannot " + verb + " resource \"" +
                                place.plural + "\" in API group \"" + group +
                                "\" in the namespace \"" + place.name_space + "\"",
                            {{"name", place.name}, {"kind", place.plural}});
  }
  if (place.subresource == "log") return Logs(place);
  if (verb == "patch") return Apply(place, request);
  if (verb == "delete") return Delete(place);
  if (verb == "watch") return Watch(place);
  return verb == "list" ? List(place) : Get(place);
}

}  // namespace slipway::testing
