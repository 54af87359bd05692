// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/http/field_name.h"
#include "base/http/http.h"

namespace slipway::http {
namespace {

/// What most messages have at most.
constexpr std::size_t kFewFields = 8;

}  // namespace

std::string_view Headers::Get(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (SameName(field, name)) return value;
  }
  return {};
}

bool Headers::Has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& field) { return SameName(field.first, name); });
}

void Headers::Set(std::string_view name, std::string_view value) {
  if (!Has(name)) return Add(name, value);
  std::string kept(value);
  Remove(name);
  fields_.emplace_back(name, std::move(kept));
}

void Headers::Add(std::string_view name, std::string_view value) {
  // The name may be one of the fields' own, which making room would move.
  if (fields_.size() == fields_.capacity()) {
    std::pair<std::string, std::string> field(name, value);
    fields_.reserve(std::max(kFewFields, 2 * fields_.size()));
    fields_.push_back(std::move(field));
    return;
  }
  fields_.emplace_back(name, value);
}

void Headers::Remove(std::string_view name) {
  const std::string kept(name);
  std::erase_if(fields_, [&](const auto& field) { return SameName(field.first, kept); });
}

Response JsonResponse(int status, std::string json) {
  Response response{.status = status, .body = std::move(json)};
  response.headers.Add("Content-Type", "application/json");
  return response;
}

std::string_view ReasonPhrase(int status) {
  static constexpr std::pair<int, std::string_view> kPhrases[] = {
      {100, "Continue"},
      {101, "Switching Protocols"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {203, "Non-Authoritative Information"},
      {204, "No Content"},
      {205, "Reset Content"},
      {206, "Partial Content"},
      {300, "Multiple Choices"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {402, "Payment Required"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {407, "Proxy Authentication Required"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {423, "Locked"},
      {426, "Upgrade Required"},
      {428, "Precondition Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  };
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Unknown";
}

}  // namespace slipway::http
