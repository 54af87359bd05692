// SPDX-License-Identifier: Apache-2.0
#include "workspace/answers.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/limits.h"

namespace slipway::workspace {

Result<std::int64_t> ReadNumber(const Call& call, std::string_view name, std::int64_t fallback) {
  const std::string text = call.target.Query(name);
  if (text.empty()) return fallback;
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure == std::errc() && stop == end) return value;
  return Error{.code = Code::kInvalidArgument,
               .message = std::string(name) + " \"" + text + "\" is no number",
               .id = "Request.Invalid"};
}

Result<PageRequest> ReadPage(const Call& call) {
  constexpr std::int64_t kUsual = 100;
  const std::int64_t limit = TRY(ReadNumber(call, "limit", kUsual));
  PageRequest page{.limit = limit, .next = call.target.Query("next")};
  if (page.limit >= 1 && page.limit <= limits::kPageItems) return page;
  return Error{.code = Code::kInvalidArgument,
               .message = "limit " + std::to_string(page.limit) + " is not in 1 to " +
                          std::to_string(limits::kPageItems),
               .id = "Request.Invalid"};
}

Result<VersionedName> ReadVersion(const Call& call) {
  return ParseVersionedName(call.Param("name") + ":" + call.Param("v"));
}

http::Response ObjectResponse(int status, const Json& object) {
  http::Response response = http::JsonResponse(status, DumpJson(object));
  const auto etag = object.find("etag");
  if (etag != object.end() && etag->is_string() && !etag->get_ref<const std::string&>().empty()) {
    response.headers.Set("ETag", "\"" + etag->get<std::string>() + "\"");
  }
  return response;
}

http::Response ListResponse(std::vector<Json> items, const std::string& next) {
  Json body{{"items", std::move(items)}};
  if (!next.empty()) body["next"] = next;
  return http::JsonResponse(200, DumpJson(body));
}

http::Response AcceptedResponse(const api::Operation& operation) {
  http::Response response = http::JsonResponse(202, DumpJson(ToJson(operation)));
  response.headers.Set("Operation-Location",
                       std::string(api::kBase) + "/operations/" + operation.id);
  return response;
}

http::Response NoContent() { return {.status = 204}; }

}  // namespace slipway::workspace
