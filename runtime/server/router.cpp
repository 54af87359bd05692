// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "runtime/server/reply.h"
#include "runtime/server/scorer.h"

namespace slipway::server {
namespace {

constexpr const char* kRunFailed = "x-ms-run-function-failed";

using Params = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> PathSegments(std::string_view path) {
  std::vector<std::string> segments = Split(path, '/');
  std::erase_if(segments, [](const std::string& s) { return s.empty(); });
  return segments;
}

bool IsWord(std::string_view pattern) { return !pattern.starts_with('{'); }

bool MatchSegment(std::string_view pattern, std::string_view segment, Params& params) {
  if (IsWord(pattern)) return pattern == segment;
  const std::size_t close = pattern.find('}');
  const std::string_view suffix = pattern.substr(close + 1);
  if (segment.size() <= suffix.size() || !segment.ends_with(suffix)) return false;
  params.emplace_back(pattern.substr(1, close - 1),
                      segment.substr(0, segment.size() - suffix.size()));
  return true;
}

std::optional<Params> Match(const std::vector<std::string>& pattern,
                            const std::vector<std::string>& segments) {
  if (pattern.size() != segments.size()) return std::nullopt;
  Params params;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!MatchSegment(pattern[i], segments[i], params)) return std::nullopt;
  }
  return params;
}

void AddCors(std::string_view origins, const http::Headers& asked, http::Response& response) {
  const std::string_view origin = asked.Get("Origin");
  if (origins.empty() || origin.empty()) return;
  const std::string_view headers = asked.Get("Access-Control-Request-Headers");
  for (const std::string& allowed : Split(origins, ',')) {
    if (Trim(allowed) != "*" && Trim(allowed) != origin) continue;
    response.headers.Set("Access-Control-Allow-Origin", origin);
    response.headers.Set("Vary", "Origin");
    response.headers.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    response.headers.Set("Access-Control-Allow-Headers", headers.empty() ? "*" : headers);
    response.headers.Set("Access-Control-Expose-Headers",
                         "x-request-id, x-ms-request-id, x-ms-client-request-id, TraceId, "
                         "x-ms-run-fn-exec-ms, x-ms-run-function-failed");
    return;
  }
}

}  // namespace

std::string_view Call::Param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return {};
}

std::vector<Route> AllRoutes() {
  std::vector<Route> routes;
  for (const auto& unit : routes_table()) {
    for (const Route& route : unit.make()) routes.push_back(route);
  }
  return routes;
}

Router::Router(Scorer& scorer, RouterOptions options)
    : scorer_(scorer), options_(options), prefix_(PathSegments(scorer.environment().path_prefix)) {
  for (const Route& route : AllRoutes()) {
    if (options_.script != nullptr && route.serves == Serves::kModels) continue;
    routes_.push_back({route, PathSegments(route.path)});
  }
  std::stable_sort(routes_.begin(), routes_.end(), [](const Compiled& a, const Compiled& b) {
    return std::count_if(a.segments.begin(), a.segments.end(), IsWord) >
           std::count_if(b.segments.begin(), b.segments.end(), IsWord);
  });
  plain_ = PlainTargets();
}

std::vector<Router::Plain> Router::PlainTargets() const {
  std::vector<Plain> all;
  for (const Compiled& candidate : routes_) {
    const Route& route = candidate.route;
    auto parsed = http::ParseTarget(route.path);
    if (!parsed) continue;
    http::Target target = WithoutPrefix(*std::move(parsed));
    const Found found = Find(route.method, target.segments);
    if (found.route != &candidate || !found.params.empty()) continue;
    all.push_back({std::string(route.path), std::move(target), found.route});
  }
  return all;
}

const Router::Plain* Router::FindPlain(std::string_view method, std::string_view target) const {
  const auto found = std::find_if(plain_.begin(), plain_.end(), [&](const Plain& plain) {
    return plain.target == target && plain.route->route.method == method;
  });
  return found == plain_.end() ? nullptr : &*found;
}

Router::Found Router::Find(std::string_view method,
                           const std::vector<std::string>& segments) const {
  Found found;
  for (const Compiled& candidate : routes_) {
    auto params = Match(candidate.segments, segments);
    if (!params) continue;
    if (candidate.route.method == method || (method == "HEAD" && candidate.route.method == "GET")) {
      found.route = &candidate;
      found.params = *std::move(params);
      return found;
    }
    found.allowed.emplace_back(candidate.route.method);
    if (candidate.route.method == "GET") found.allowed.emplace_back("HEAD");
  }
  std::sort(found.allowed.begin(), found.allowed.end());
  found.allowed.erase(std::unique(found.allowed.begin(), found.allowed.end()), found.allowed.end());
  return found;
}

http::Target Router::WithoutPrefix(http::Target target) const {
  const bool prefixed = !prefix_.empty() && target.segments.size() >= prefix_.size() &&
                        std::equal(prefix_.begin(), prefix_.end(), target.segments.begin());
  if (prefixed) {
    target.segments.erase(target.segments.begin(),
                          target.segments.begin() + static_cast<std::ptrdiff_t>(prefix_.size()));
  }
  return target;
}

http::Response Router::NotFound(const Asked& asked, const Found& found) const {
  const http::Target& target = asked.target;
  const std::string_view member =
      !target.segments.empty() && target.segments[0] == "v2" ? "error" : "message";
  http::Response response =
      found.allowed.empty()
          ? TextReply(404, member, fmt::format("there is no {}", target.path))
          : TextReply(405, member,
                      fmt::format("{} does not take {}", target.path, asked.request.method));
  if (!found.allowed.empty()) response.headers.Set("Allow", Join(found.allowed, ", "));
  response.headers.Set(kRunFailed, "False");
  return response;
}

http::Response Router::AnswerRoute(Asked& asked, Found found) const {
  const Route& route = found.route->route;
  asked.pattern = route.path;
  if (!asked.ids) {
    http::Response response = TextReply(431, "message", asked.ids.error().message);
    response.headers.Set(kRunFailed, "False");
    return response;
  }
  if (route.access == Access::kKey && options_.keys != nullptr &&
      !options_.keys->Allow(asked.request.headers.Get("Authorization"))) {
    http::Response response = TextReply(
        401, "message", "a key of this service is wanted, as 'Authorization: Bearer KEY'");
    response.headers.Set("WWW-Authenticate", "Bearer");
    return response;
  }
  // The service's key is not for its script.
  if (options_.keys != nullptr && options_.keys->required()) {
    asked.request.headers.Remove("Authorization");
  }
  Call call{.request = asked.request,
            .target = asked.target,
            .params = std::move(found.params),
            .scorer = scorer_,
            .script = options_.script,
            .request_id = asked.ids->request_id};
  return route.handle(call);
}

http::Response Router::Answer(Asked& asked) const {
  Found found;
  if (const Plain* plain = FindPlain(asked.request.method, asked.request.target)) {
    asked.target = plain->parsed;
    found.route = plain->route;
  } else {
    auto target = http::ParseTarget(asked.request.target);
    if (!target) return MessageReply(target.error());
    asked.target = WithoutPrefix(*std::move(target));
    found = Find(asked.request.method, asked.target.segments);
  }
  if (found.route == nullptr) return NotFound(asked, found);
  http::Response response = AnswerRoute(asked, std::move(found));
  if (asked.ids) {
    asked.ids->AddTo(response);
  } else {
    RequestIds::AddRefused(asked.request, response);
  }
  return response;
}

http::Response Router::Handle(http::Request& request) const {
  const auto began = std::chrono::steady_clock::now();
  scorer_.metrics().RequestBegan();
  Asked asked{.request = request, .target = {}, .ids = RequestIds::Of(request)};
  http::Response response = Answer(asked);
  AddCors(scorer_.environment().cors_origins, request.headers, response);
  const auto took = std::chrono::steady_clock::now() - began;
  scorer_.metrics().RequestEnded(asked.pattern, response.status, took);
  if (options_.access_log) {
    log::Info("request", {{"method", request.method},
                          {"path", request.target.substr(0, 200)},
                          {"status", response.status},
                          {"ms", std::chrono::duration<double, std::milli>(took).count()},
                          {"bytes", response.body.size()},
                          {"peer", request.peer},
                          {"id", response.headers.Get("x-request-id")}});
  }
  return response;
}

}  // namespace slipway::server
