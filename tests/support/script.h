// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/http/http.h"
#include "base/json.h"
#include "base/result.h"

/// Tests as text: requests and what they must answer, in files `*.test`.
///
/// ```
/// # register a model
/// PUT /api/v1/workspaces/w/blobs/${sha256:add.onnx} @add.onnx
/// ---- 201
///
/// POST /api/v1/workspaces/w/models {"name": "add", "files": []}
/// > If-Match: "1"
/// ---- 400
/// < Content-Type: <regex>problem
/// {"code": "Request.Invalid", "detail": "<regex>files"}
///
/// WAIT /api/v1/operations/${id} Succeeded
/// ```
/// A step ends at an empty line. Values that match anything: `"<any>"`, `"<regex>…"`, and
/// `"<=name>"`, which keeps it for `${name}`. Objects may have more members than are named,
/// unless the status is followed by `exact`. An expected body that is no JSON is text that the
/// answer must contain, or `<regex>…`. `${sha256:FILE}` and `${size:FILE}` tell of files that
/// `@FILE` sends. `> Name:` leaves out a header that is otherwise sent.
namespace slipway::testing {

struct ScriptStep {
  int line = 0;
  std::string method = {}, target = {}, body = {};  ///< method `WAIT`: `body` is the state
  std::vector<std::pair<std::string, std::string>> headers = {};
  int status = 0;
  bool exact = false;
  std::vector<std::pair<std::string, std::string>> expected_headers = {};
  std::string expected = {};
};

/// kInvalidArgument naming the line that cannot be read.
Result<std::vector<ScriptStep>> ParseScript(const std::string& text);

struct ScriptOptions {
  std::vector<std::filesystem::path> folders;         ///< where `@FILE` is looked for
  std::map<std::string, std::string> variables = {};  ///< known from the start
  http::Headers headers = {};                         ///< of every request
  std::function<Result<http::Response>(const http::Request&)> send;
};

/// Runs the steps up to the first that does not answer as it must: kFailedPrecondition naming
/// line, path in the body, what was wanted and what came.
Result<void> RunScript(const std::vector<ScriptStep>& steps, const ScriptOptions& options);

/// Whether `got` is what `wanted` describes; keeps `"<=name>"` values. The error names the place.
struct JsonMatch {
  bool exact = false;
  std::map<std::string, std::string>* variables = nullptr;
};
Result<void> MatchJson(const Json& wanted, const Json& got, const JsonMatch& match,
                       const std::string& place = "$");

}  // namespace slipway::testing
