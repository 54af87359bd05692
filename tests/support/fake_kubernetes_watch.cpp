// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/json.h"
#include "tests/support/fake_kubernetes.h"
#include "tests/support/fake_kubernetes_place.h"

namespace slipway::testing {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

std::string CollectionOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::optional<std::int64_t> NumberOf(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string Line(const std::string& type, const json& object) {
  return DumpJson(json{{"type", type}, {"object", object}}) + "\n";
}

}  // namespace

bool KubeLabelsMatch(const json& object, const std::string& selector) {
  std::size_t at = 0;
  while (at < selector.size()) {
    const std::size_t comma = std::min(selector.find(',', at), selector.size());
    const std::string term = selector.substr(at, comma - at);
    const std::size_t equal = term.find('=');
    const json labels = object["metadata"].value("labels", json::object());
    if (labels.value(term.substr(0, equal), "") != term.substr(equal + 1)) return false;
    at = comma + 1;
  }
  return true;
}

/// `involvedObject.kind=Pod,involvedObject.name=a`
bool KubeFieldsMatch(const json& object, const std::string& selector) {
  std::size_t at = 0;
  while (at < selector.size()) {
    const std::size_t comma = std::min(selector.find(',', at), selector.size());
    const std::string term = selector.substr(at, comma - at);
    const std::size_t equal = term.find('=');
    json::json_pointer pointer;
    std::string path = term.substr(0, equal);
    for (char& c : path) {
      if (c == '.') c = '/';
    }
    pointer = json::json_pointer("/" + path);
    if (!object.contains(pointer) || object[pointer] != term.substr(equal + 1)) return false;
    at = comma + 1;
  }
  return true;
}

http::Response KubeJsonAnswer(int status, const json& body) {
  return {
      .status = status, .headers = {{"Content-Type", "application/json"}}, .body = DumpJson(body)};
}

json KubeStatus(int code, const std::string& reason, const std::string& message, json details) {
  return {{"kind", "Status"},   {"apiVersion", "v1"}, {"status", "Failure"},
          {"message", message}, {"reason", reason},   {"details", std::move(details)},
          {"code", code}};
}

http::Response KubeStatusAnswer(int code, const std::string& reason, const std::string& message,
                                json details) {
  return KubeJsonAnswer(code, KubeStatus(code, reason, message, std::move(details)));
}

/// One watch under way.
class FakeKubernetes::Watching final : public http::Reader {
 public:
  Watching(FakeKubernetes& fake, Place place, std::int64_t since, std::chrono::seconds served)
      : fake_(fake),
        place_(std::move(place)),
        since_(since),
        until_(steady_clock::now() + served),
        bookmark_(steady_clock::now()),
        breaks_(fake.state_.breaks) {
    ++fake_.state_.watches[place_.plural];
    ++fake_.state_.open_watches[place_.plural];
    auto& faults = fake_.state_.watch_faults;
    const auto fault = std::find_if(faults.begin(), faults.end(), [this](const WatchFault& f) {
      return f.plural.empty() || f.plural == place_.plural;
    });
    if (fault == faults.end()) return;
    fault_ = *fault;
    faults.erase(fault);
  }
  ~Watching() override {
    const std::lock_guard lock(fake_.mutex_);
    --fake_.state_.open_watches[place_.plural];
  }

  Result<std::size_t> Read(std::span<std::byte> buffer) override {
    if (held_.empty()) held_ = TRY(Next());
    const std::size_t count = std::min(buffer.size(), held_.size());
    std::memcpy(buffer.data(), held_.data(), count);
    held_.erase(0, count);
    return count;
  }

 private:
  static Error Broken() { return {.code = Code::kUnavailable, .message = "the watch breaks"}; }

  /// The next line; empty at the end.
  Result<std::string> Next() {
    std::unique_lock lock(fake_.mutex_);
    while (!fake_.ends_ && fake_.state_.breaks == breaks_) {
      const auto now = steady_clock::now();
      if (over_) return std::string();
      if (fault_ && sent_ >= fault_->after) {
        using Kind = WatchFault::Kind;
        if (fault_->kind == Kind::kDrop) return Broken();
        if (fault_->kind == Kind::kEnd) return std::string();
        if (fault_->kind == Kind::kSay) {
          over_ = true;
          return fault_->text;
        }
        fake_.changed_.wait_for(lock, std::chrono::milliseconds(20));
        continue;
      }
      if (std::string line = NextEvent(now); !line.empty()) return line;
      const auto pause = fake_.state_.bookmark_pause;
      if (pause.count() > 0 && place_.Query("allowWatchBookmarks") == "true" &&
          now - bookmark_ >= pause) {
        bookmark_ = now;
        return Line(
            "BOOKMARK",
            {{"metadata", {{"resourceVersion", std::to_string(fake_.state_.resource_version)}}}});
      }
      if (now >= until_) return std::string();
      fake_.changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    return Broken();
  }

  std::string NextEvent(steady_clock::time_point now) {
    for (; next_ < fake_.history_.size(); ++next_) {
      const Event& event = fake_.history_[next_];
      if (event.resource_version <= since_ || event.collection != place_.Collection() ||
          !KubeLabelsMatch(event.object, place_.Query("labelSelector")) ||
          !KubeFieldsMatch(event.object, place_.Query("fieldSelector"))) {
        continue;
      }
      if (event.due > now) return "";
      ++next_;
      ++sent_;
      return Line(event.type, event.object);
    }
    return "";
  }

  FakeKubernetes& fake_;
  const Place place_;
  const std::int64_t since_;
  const steady_clock::time_point until_;
  steady_clock::time_point bookmark_;
  const int breaks_;
  std::optional<WatchFault> fault_;
  std::size_t next_ = 0;
  int sent_ = 0;
  bool over_ = false;
  std::string held_;
};

std::string FakeKubernetes::ErrorLine(int code, const std::string& reason,
                                      const std::string& message) {
  return Line("ERROR", KubeStatus(code, reason, message));
}

http::Response FakeKubernetes::Watch(const Place& place) {
  const auto since = NumberOf(place.Query("resourceVersion"));
  const auto served = NumberOf(place.Query("timeoutSeconds"));
  if (!since || *since > state_.resource_version || !served || *served < 1) {
    state_.violations.push_back("a watch from a version that never was, or without an end: " +
                                place.target.path);
    return KubeStatusAnswer(400, "BadRequest", "resourceVersion and timeoutSeconds are needed");
  }
  if (*since < state_.compacted) {
    return {.status = 200,
            .headers = {{"Content-Type", "application/json"}},
            .body = ErrorLine(410, "Expired",
                              "too old resource version: " + std::to_string(*since) + " (" +
                                  std::to_string(state_.compacted) + ")")};
  }
  http::Response response{.status = 200, .headers = {{"Content-Type", "application/json"}}};
  response.body_reader =
      std::make_shared<Watching>(*this, place, *since, std::chrono::seconds(*served));
  return response;
}

void FakeKubernetes::Note() {
  const auto due = steady_clock::now() + state_.event_delay;
  const auto noted = static_cast<std::ptrdiff_t>(history_.size());
  for (auto& [path, object] : state_.objects) {
    const auto before = noted_.find(path);
    if (before != noted_.end() && before->second == object) continue;
    json& metadata = object["metadata"];
    const std::string version = metadata.value("resourceVersion", "");
    if (version.empty() || (before != noted_.end() &&
                            before->second["metadata"].value("resourceVersion", "") == version)) {
      metadata["resourceVersion"] = std::to_string(++state_.resource_version);
    }
    if (!metadata.contains("uid")) metadata["uid"] = "uid-of-" + path;
    history_.push_back({.type = before == noted_.end() ? "ADDED" : "MODIFIED",
                        .collection = CollectionOf(path),
                        .object = object,
                        .resource_version = *NumberOf(metadata["resourceVersion"]),
                        .due = due});
    noted_[path] = object;
  }
  for (auto before = noted_.begin(); before != noted_.end();) {
    if (state_.objects.contains(before->first)) {
      ++before;
      continue;
    }
    json last = before->second;
    last["metadata"]["resourceVersion"] = std::to_string(++state_.resource_version);
    history_.push_back({.type = "DELETED",
                        .collection = CollectionOf(before->first),
                        .object = last,
                        .resource_version = state_.resource_version,
                        .due = due});
    before = noted_.erase(before);
  }
  std::sort(history_.begin() + noted, history_.end(),
            [](const Event& a, const Event& b) { return a.resource_version < b.resource_version; });
  changed_.notify_all();
}

}  // namespace slipway::testing
