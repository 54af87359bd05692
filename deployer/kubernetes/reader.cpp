// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "deployer/kubernetes/json.h"

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;

/// How long a first look waits for a mirror that begins, before it asks for itself.
constexpr milliseconds kStartPatience{2'000};

std::string LabelOf(const Json& object, const std::string& name) {
  return KubeText(KubeAt(object, {"metadata", "labels"}), name);
}

std::string NameOf(const Json& object) { return KubeText(KubeAt(object, {"metadata"}), "name"); }

std::string VersionOf(const Json& object) {
  return KubeText(KubeAt(object, {"metadata"}), "resourceVersion");
}

bool IsOf(const Json& pod, const std::string& service) {
  return LabelOf(pod, "app.kubernetes.io/name") == service &&
         LabelOf(pod, "app.kubernetes.io/managed-by") == kKubeManager;
}

/// Whether the mirror shows these very objects.
bool Shows(const std::vector<KubeObjectPtr>& mirrored, const Json& asked,
           const std::string& service) {
  const auto count = std::count_if(mirrored.begin(), mirrored.end(),
                                   [&service](const auto& pod) { return IsOf(*pod, service); });
  if (std::cmp_not_equal(count, asked.size())) return false;
  return std::all_of(asked.begin(), asked.end(), [&mirrored](const Json& pod) {
    return std::any_of(mirrored.begin(), mirrored.end(), [&pod](const KubeObjectPtr& other) {
      return NameOf(*other) == NameOf(pod) && VersionOf(*other) == VersionOf(pod);
    });
  });
}

/// `/api/v1/namespaces/lab/pods` of an object's path.
std::string CollectionOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

KubeMirror& KubeMirrors::Of(const KubeCollection& collection) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<KubeMirror>& mirror = mirrors_[collection.path];
  if (!mirror) mirror = std::make_unique<KubeMirror>(client_, collection, bell_, times_);
  return *mirror;
}

KubeMirror* KubeMirrors::Begun(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = mirrors_.find(path);
  return found == mirrors_.end() ? nullptr : found->second.get();
}

KubeCollection KubeReader::Collection(std::string_view api_version, std::string_view plural) const {
  const std::string selector =
      plural == "events"
          ? "fieldSelector=" + EncodePercent("type=Warning")
          : "labelSelector=" +
                EncodePercent(fmt::format("app.kubernetes.io/managed-by={}", kKubeManager));
  return {.what = fmt::format("{} of namespace {}", plural, place_.name_space),
          .path = KubePath(api_version, place_.name_space, plural),
          .query = selector};
}

KubeMirror* KubeReader::MirrorOf(const KubeCollection& collection) {
  if (mirrors_ == nullptr) return nullptr;
  KubeMirror& mirror = mirrors_->Of(collection);
  mirror.AwaitStart(kStartPatience);
  return &mirror;
}

Result<KubeObjectPtr> KubeReader::Ask(std::string_view kind, std::string_view api_version,
                                      std::string_view plural, const std::string& name) {
  asked_ = true;
  auto found = TRY(client_.Find(fmt::format("look at {} {}", kind, name),
                                KubePath(api_version, place_.name_space, plural) + "/" + name));
  if (!found) return KubeObjectPtr();
  return KubeObjectPtr(std::make_shared<const Json>(*std::move(found)));
}

Result<KubeObjectPtr> KubeReader::Find(std::string_view kind, std::string_view api_version,
                                       std::string_view plural, const std::string& name) {
  KubeMirror* const mirror = MirrorOf(Collection(api_version, plural));
  const auto mirrored = mirror == nullptr ? std::nullopt : mirror->Find(name);
  if (mirrored && !distrusts_) return *mirrored;
  KubeObjectPtr asked = TRY(Ask(kind, api_version, plural, name));
  if (mirrored && distrusts_) {
    const bool same =
        asked && *mirrored ? VersionOf(*asked) == VersionOf(**mirrored) : !asked == !*mirrored;
    if (!same) mirror->Doubt();
  }
  return asked;
}

Result<Json> KubeReader::AskPods(const std::string& service) {
  asked_ = true;
  return client_.List("list the pods of " + service, KubePath("v1", place_.name_space, "pods"),
                      "labelSelector=" + EncodePercent(KubeSelector(service)));
}

Result<Json> KubeReader::Pods(const std::string& service) {
  KubeMirror* const mirror = MirrorOf(Collection("v1", "pods"));
  const auto mirrored = mirror == nullptr ? std::nullopt : mirror->All();
  if (!mirrored || distrusts_) {
    Json asked = TRY(AskPods(service));
    if (mirrored && !Shows(*mirrored, asked, service)) mirror->Doubt();
    return asked;
  }
  Json pods = Json::array();
  for (const KubeObjectPtr& pod : *mirrored) {
    if (IsOf(*pod, service)) pods.push_back(*pod);
  }
  return pods;
}

Result<Json> KubeReader::Events(const std::string& pod, Which which) {
  const auto mirrored = which == Which::kAll || mirrors_ == nullptr
                            ? std::nullopt
                            : MirrorOf(Collection("v1", "events"))->All();
  if (!mirrored) {
    asked_ = true;
    return client_.List(
        "list the events of pod " + pod, KubePath("v1", place_.name_space, "events"),
        "fieldSelector=" + EncodePercent("involvedObject.kind=Pod,involvedObject.name=" + pod));
  }
  Json events = Json::array();
  for (const KubeObjectPtr& event : *mirrored) {
    const Json& about = KubeAt(*event, {"involvedObject"});
    if (KubeText(about, "kind") == "Pod" && KubeText(about, "name") == pod) {
      events.push_back(*event);
    }
  }
  return events;
}

milliseconds KubeReader::Quiet() {
  milliseconds longest{0};
  for (const auto& [version, plural] :
       {std::pair("apps/v1", "deployments"), std::pair("v1", "pods")}) {
    KubeMirror* const mirror = mirrors_ == nullptr
                                   ? nullptr
                                   : mirrors_->Begun(KubePath(version, place_.name_space, plural));
    if (mirror != nullptr) longest = std::max(longest, mirror->Quiet().value_or(milliseconds(0)));
  }
  return longest;
}

void KubeReader::AwaitAbsence(std::string_view api_version, std::string_view plural,
                              const std::string& name, milliseconds timeout, milliseconds pause,
                              Clock& clock) {
  const auto deadline = clock.Steady() + timeout;
  while (clock.Steady() < deadline) {
    const std::uint64_t seen = mirrors_ == nullptr ? 0 : mirrors_->bell().rung();
    KubeMirror* const mirror = MirrorOf(Collection(api_version, plural));
    const auto is_there = mirror == nullptr ? std::nullopt : mirror->Has(name);
    if (!is_there) return clock.Sleep(std::min(pause, timeout));
    if (!*is_there) return;
    mirrors_->bell().Wait(seen,
                          std::chrono::duration_cast<milliseconds>(deadline - clock.Steady()));
  }
}

KubeMirror* KubeReader::BegunFor(const KubeObject& object) {
  return mirrors_ == nullptr ? nullptr : mirrors_->Begun(CollectionOf(object.path));
}

void KubeReader::NoteWritten(const KubeObject& object, const Json& stored) {
  KubeMirror* const mirror = BegunFor(object);
  if (mirror != nullptr) mirror->Expect(object.name, VersionOf(stored));
}

void KubeReader::NoteDeleted(const KubeObject& object, const Json& last) {
  KubeMirror* const mirror = BegunFor(object);
  if (mirror != nullptr) {
    mirror->ExpectGone(object.name, KubeText(KubeAt(last, {"metadata"}), "uid"));
  }
}

}  // namespace slipway::deployer
