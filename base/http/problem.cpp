// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/http/http.h"
#include "base/json.h"
#include "base/text.h"

namespace slipway::http {
namespace {

constexpr std::string_view kProblemType = "application/problem+json";
constexpr std::size_t kTextCharsMax = 300;

constexpr Code kCodes[] = {
    Code::kInvalidArgument,  Code::kNotFound,      Code::kAlreadyExists, Code::kFailedPrecondition,
    Code::kPermissionDenied, Code::kUnimplemented, Code::kUnavailable,   Code::kResourceExhausted,
    Code::kDeadlineExceeded, Code::kDataLoss,      Code::kInternal};

/// The code's own name, which is also the title of its problems.
std::string CodeTitle(Code code) { return ErrorId(Error{.code = code, .message = {}}); }

std::optional<Code> CodeFromTitle(std::string_view title) {
  for (const Code code : kCodes) {
    if (CodeTitle(code) == title) return code;
  }
  return std::nullopt;
}

std::string MemberText(const Json& problem, std::string_view name) {
  Result<std::string> text = GetStringOr(problem, name, "");
  return text ? *std::move(text) : std::string();
}

/// What another server's answer says, as one short line.
std::string FirstLine(std::string_view body) {
  if (!IsUtf8(body)) return {};
  const std::string_view line = Trim(body.substr(0, body.find_first_of("\r\n")));
  return std::string(line.size() > kTextCharsMax ? std::string_view() : line);
}

Error ErrorFromOther(const Response& response) {
  Error error{
      .code = CodeFromHttpStatus(response.status),
      .message = fmt::format("HTTP status {} {}", response.status, ReasonPhrase(response.status))};
  const std::string line = FirstLine(response.body);
  if (!line.empty()) error.message += fmt::format(": {}", line);
  return error;
}

}  // namespace

Response Problem(const Error& error) {
  const std::string id = ErrorId(error);
  const int status = HttpStatus(error.code);
  Json problem = {{"type", fmt::format("urn:slipway:error:{}", id)},
                  {"title", CodeTitle(error.code)},
                  {"status", status},
                  {"detail", error.message},
                  {"code", id}};
  if (!error.cause.empty()) problem["cause"] = error.cause;
  if (!error.fix.empty()) problem["fix"] = error.fix;
  return Response{.status = status,
                  .headers = {{"Content-Type", std::string(kProblemType)}},
                  .body = DumpJson(problem)};
}

Error ErrorFromResponse(const Response& response) {
  const std::string type = ToLower(response.headers.Get("Content-Type"));
  if (!type.starts_with(kProblemType)) return ErrorFromOther(response);
  const Result<Json> problem = ParseJson(response.body);
  if (!problem || !problem->is_object()) return ErrorFromOther(response);
  Error error{.code = CodeFromHttpStatus(response.status),
              .message = MemberText(*problem, "detail")};
  const std::optional<Code> code = CodeFromTitle(MemberText(*problem, "title"));
  if (code && HttpStatus(*code) == response.status) error.code = *code;
  if (error.message.empty()) error.message = ErrorFromOther({.status = response.status}).message;
  error.id = MemberText(*problem, "code");
  if (error.id == CodeTitle(error.code)) error.id.clear();
  error.cause = MemberText(*problem, "cause");
  error.fix = MemberText(*problem, "fix");
  return error;
}

}  // namespace slipway::http
