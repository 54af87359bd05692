// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/watch_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "deployer/kubernetes/json.h"

namespace slipway::deployer {
namespace {

/// An object has at most about 1.5 MB in etcd; as JSON it may take several times that.
constexpr std::size_t kLineBytes = 16U << 20;

Error Malformed(std::string why) {
  return {.code = Code::kDataLoss, .message = std::move(why), .id = "Watch.Malformed"};
}

bool IsNumber(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<KubeEvent> ParseKubeEvent(std::string_view line) {
  auto json = ParseJson(line);
  if (!json) return Malformed("an event of the watch is no JSON: " + json.error().message);
  const std::string type = KubeText(*json, "type");
  const Json& object = KubeAt(*json, {"object"});
  if (!object.is_object()) return Malformed("an event of the watch has no object");
  KubeEvent event;
  if (type == "ADDED" || type == "MODIFIED") {
    event.type = KubeEvent::Type::kPut;
  } else if (type == "DELETED") {
    event.type = KubeEvent::Type::kDeleted;
  } else if (type == "BOOKMARK") {
    event.type = KubeEvent::Type::kBookmark;
  } else if (type == "ERROR") {
    event.type = KubeEvent::Type::kError;
  } else {
    return Malformed(fmt::format("the watch has an event of type '{}'", KubeLine(type)));
  }
  const Json& metadata = KubeAt(object, {"metadata"});
  const bool names = event.type == KubeEvent::Type::kPut || event.type == KubeEvent::Type::kDeleted;
  if (names && KubeText(metadata, "name").empty()) {
    return Malformed("an event of the watch has an object without a name");
  }
  if (event.type != KubeEvent::Type::kError && KubeText(metadata, "resourceVersion").empty()) {
    return Malformed("an event of the watch has an object without a resource version");
  }
  event.object = std::move((*json)["object"]);
  return event;
}

Result<void> KubeEventLines::Add(std::span<const std::byte> bytes) {
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (true) {
    const std::size_t end = rest.find('\n');
    const std::string_view piece = rest.substr(0, end);
    if (held_.size() + piece.size() > kLineBytes) {
      return Malformed(fmt::format("an event of the watch has more than {} bytes", kLineBytes));
    }
    if (end == std::string_view::npos) {
      held_ += piece;
      return {};
    }
    std::string whole;
    if (!held_.empty()) {
      whole = std::move(held_);
      held_.clear();
      whole += piece;
    }
    const std::string_view line = Trim(whole.empty() ? piece : std::string_view(whole));
    if (!line.empty()) {
      KubeEvent event = TRY(ParseKubeEvent(line));
      TRY(take_(std::move(event)));
    }
    rest.remove_prefix(end + 1);
  }
}

bool KubeIsAtLeast(std::string_view have, std::string_view want) {
  if (have == want) return true;
  if (!IsNumber(have) || !IsNumber(want)) return false;
  return have.size() != want.size() ? have.size() > want.size() : have > want;
}

}  // namespace slipway::deployer
