// SPDX-License-Identifier: Apache-2.0
#include "tests/support/script.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/support/pattern.h"

namespace slipway::testing {
namespace {

constexpr std::int64_t kFileBytesMax = 256 << 20;
constexpr std::string_view kRegex = "<regex>";

Error Failed(std::string message) {
  return Error{.code = Code::kFailedPrecondition, .message = std::move(message)};
}

Result<bool> Finds(const std::string& pattern, const std::string& text) {
  try {
    return Pattern(pattern).IsIn(text);
  } catch (const std::exception& error) {
    return Failed("\"" + pattern + "\" is no regular expression: " + error.what());
  }
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::pair<std::string, std::string> ReadHeader(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view value =
      colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  return {std::string(Trim(line.substr(0, colon))), std::string(Trim(value))};
}

Result<void> ReadStatus(const std::string& line, ScriptStep& step) {
  std::istringstream words(line.substr(4));
  std::string exact;
  if (!(words >> step.status)) return Failed("no status after ----");
  if (words >> exact) step.exact = exact == "exact";
  return {};
}

Result<void> ReadRequest(const std::string& line, ScriptStep& step) {
  std::istringstream words(line);
  words >> step.method >> step.target;
  if (step.target.empty() || step.target.front() != '/') return Failed("no path in: " + line);
  std::getline(words >> std::ws, step.body, '\0');
  return {};
}

Result<ScriptStep> ReadStep(const std::vector<std::pair<int, std::string>>& lines) {
  ScriptStep step{.line = lines.front().first};
  TRY(ReadRequest(lines.front().second, step));
  bool answer = false;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string& line = lines[i].second;
    if (StartsWith(line, "----")) {
      TRY(ReadStatus(line, step));
      answer = true;
    } else if (StartsWith(line, "> ") && !answer) {
      step.headers.push_back(ReadHeader(line.substr(2)));
    } else if (StartsWith(line, "< ") && answer) {
      step.expected_headers.push_back(ReadHeader(line.substr(2)));
    } else {
      std::string& text = answer ? step.expected : step.body;
      if (!text.empty()) text += '\n';
      text += line;
    }
  }
  if (!answer && step.method != "WAIT") return Failed("no ---- STATUS");
  return step;
}

class Runner {
 public:
  explicit Runner(const ScriptOptions& options)
      : options_(options), variables_(options.variables) {}

  Result<void> Run(const ScriptStep& step) {
    return step.method == "WAIT" ? Wait(step) : Ask(step);
  }

 private:
  Result<std::filesystem::path> Find(const std::string& name) const {
    for (const std::filesystem::path& folder : options_.folders) {
      if (std::filesystem::exists(folder / name)) return folder / name;
    }
    return Failed("there is no file \"" + name + "\"");
  }

  Result<std::string> Value(const std::string& name) const {
    constexpr std::string_view kDigest = "sha256:", kSize = "size:";
    if (StartsWith(name, kDigest)) {
      const std::filesystem::path file = TRY(Find(name.substr(kDigest.size())));
      return TRY(Digest::OfFile(file)).text();
    }
    if (StartsWith(name, kSize)) {
      const std::filesystem::path file = TRY(Find(name.substr(kSize.size())));
      return std::to_string(std::filesystem::file_size(file));
    }
    const auto found = variables_.find(name);
    if (found == variables_.end()) return Failed("nothing is known as ${" + name + "}");
    return found->second;
  }

  Result<std::string> Fill(const std::string& text) const {
    std::string out;
    std::size_t at = 0;
    while (true) {
      const std::size_t begin = text.find("${", at);
      if (begin == std::string::npos) return out + text.substr(at);
      const std::size_t end = text.find('}', begin);
      if (end == std::string::npos) return Failed("a ${ has no }");
      out += text.substr(at, begin - at);
      out += TRY(Value(text.substr(begin + 2, end - begin - 2)));
      at = end + 1;
    }
  }

  Result<http::Response> Send(const ScriptStep& step) const {
    http::Request request;
    request.method = step.method;
    request.target = TRY(Fill(step.target));
    request.headers = options_.headers;
    for (const auto& [name, value] : step.headers) {
      const std::string filled = TRY(Fill(value));
      if (filled.empty()) {
        request.headers.Remove(name);
      } else {
        request.headers.Set(name, filled);
      }
    }
    if (StartsWith(step.body, "@")) {
      const std::filesystem::path file = TRY(Find(step.body.substr(1)));
      request.body = TRY(ReadFile(file, kFileBytesMax));
    } else {
      request.body = TRY(Fill(step.body));
    }
    return options_.send(request);
  }

  Result<void> MatchBody(const ScriptStep& step, const http::Response& response) {
    if (step.expected.empty()) return {};
    const std::string wanted = TRY(Fill(step.expected));
    if (StartsWith(wanted, kRegex)) {
      if (TRY(Finds(wanted.substr(kRegex.size()), response.body))) return {};
      return Failed("the body does not match " + wanted + ": " + response.body);
    }
    const Result<Json> json = ParseJson(wanted);
    if (!json) {
      if (response.body.find(wanted) != std::string::npos) return {};
      return Failed("the body does not contain \"" + wanted + "\": " + response.body);
    }
    const Result<Json> got = ParseJson(response.body);
    if (!got) return Failed("the body is no JSON: " + response.body);
    Result<void> matched = MatchJson(*json, *got, {.exact = step.exact, .variables = &variables_});
    if (matched) return {};
    return Failed(matched.error().message + "\nin " + response.body);
  }

  Result<void> Match(const ScriptStep& step, const http::Response& response) {
    if (response.status != step.status) {
      return Failed("status " + std::to_string(response.status) + ", not " +
                    std::to_string(step.status) + ": " + response.body);
    }
    for (const auto& [name, wanted] : step.expected_headers) {
      const Json got(std::string(response.headers.Get(name)));
      const Json filled(TRY(Fill(wanted)));
      TRY(MatchJson(filled, got, {.variables = &variables_}, name));
    }
    return MatchBody(step, response);
  }

  Result<void> Ask(const ScriptStep& step) {
    const http::Response response = TRY(Send(step));
    return Match(step, response);
  }

  Result<void> Wait(const ScriptStep& step) {
    ScriptStep get = step;
    get.method = "GET";
    get.body.clear();
    if (get.status == 0) get.status = 200;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
    while (std::chrono::steady_clock::now() < deadline) {
      const http::Response response = TRY(Send(get));
      const Json object = TRY(ParseJson(response.body));
      const std::string state = TRY(GetString(object, "state"));
      if (state == "NotStarted" || state == "Running" || state == "Transitioning") {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      if (state != step.body) return Failed("state " + state + ": " + response.body);
      return Match(get, response);
    }
    return Failed(step.target + " did not end");
  }

  const ScriptOptions& options_;
  std::map<std::string, std::string> variables_;
};

Result<void> MatchText(const std::string& wanted, const Json& got, const JsonMatch& match,
                       const std::string& place) {
  const std::string text = got.is_string() ? got.get<std::string>() : DumpJson(got);
  if (wanted == "<any>") return {};
  if (StartsWith(wanted, "<=") && wanted.back() == '>' && match.variables != nullptr) {
    (*match.variables)[wanted.substr(2, wanted.size() - 3)] = text;
    return {};
  }
  if (StartsWith(wanted, kRegex)) {
    if (TRY(Finds(wanted.substr(kRegex.size()), text))) return {};
  } else if (got.is_string() && text == wanted) {
    return {};
  }
  return Failed(place + " is " + DumpJson(got) + ", not \"" + wanted + "\"");
}

}  // namespace

Result<void> MatchJson(const Json& wanted, const Json& got, const JsonMatch& match,
                       const std::string& place) {
  if (wanted.is_string()) return MatchText(wanted.get<std::string>(), got, match, place);
  if (wanted.is_object() && got.is_object()) {
    for (const auto& [name, value] : wanted.items()) {
      if (!got.contains(name)) return Failed(place + " has no \"" + name + "\"");
      TRY(MatchJson(value, got[name], match, place + "." + name));
    }
    for (const auto& [name, value] : got.items()) {
      if (match.exact && !wanted.contains(name)) return Failed(place + " has \"" + name + "\"");
    }
    return {};
  }
  if (wanted.is_array() && got.is_array() && wanted.size() == got.size()) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      TRY(MatchJson(wanted[i], got[i], match, place + "[" + std::to_string(i) + "]"));
    }
    return {};
  }
  if (wanted == got) return {};
  return Failed(place + " is " + DumpJson(got) + ", not " + DumpJson(wanted));
}

Result<std::vector<ScriptStep>> ParseScript(const std::string& text) {
  std::vector<ScriptStep> steps;
  std::vector<std::pair<int, std::string>> lines;
  std::istringstream in(text + "\n\n");
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (StartsWith(line, "#")) continue;
    if (!Trim(line).empty()) {
      lines.emplace_back(number, line);
      continue;
    }
    if (lines.empty()) continue;
    Result<ScriptStep> step = ReadStep(lines);
    if (!step) return Within("line " + std::to_string(lines.front().first), step.error());
    steps.push_back(*std::move(step));
    lines.clear();
  }
  return steps;
}

Result<void> RunScript(const std::vector<ScriptStep>& steps, const ScriptOptions& options) {
  Runner runner(options);
  for (const ScriptStep& step : steps) {
    Result<void> ran = runner.Run(step);
    if (!ran) {
      return Within("line " + std::to_string(step.line) + ": " + step.method + " " + step.target,
                    std::move(ran).error());
    }
  }
  return {};
}

}  // namespace slipway::testing
