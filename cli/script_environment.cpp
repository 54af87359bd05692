// SPDX-License-Identifier: Apache-2.0
#include "cli/script_environment.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "cli/one_shot.h"

namespace slipway::cli {
namespace {

std::string Words(const Json& list) {
  std::vector<std::string> words;
  for (const Json& word : list) {
    if (word.is_string()) words.push_back(word.get<std::string>());
  }
  return Join(words, ", ");
}

/// What the environment is, and what is to be said of it.
void Show(Context& context, const Json& made) {
  const Json none = Json::array();
  std::string line = "  environment: Python " + made.value("python", "");
  if (const std::string packages = Words(made.value("packages", none)); !packages.empty()) {
    line += "; " + packages;
  }
  context.Progress(line);
  if (const std::string own = Words(made.value("provided", none)); !own.empty()) {
    context.Progress("  by Slipway's own modules: " + own);
  }
  for (const Json& warning : made.value("warnings", none)) {
    const std::int64_t at = warning.value("line", std::int64_t{0});
    context.Progress(fmt::format("  warning: {}{} ({})",
                                 at > 0 ? "line " + std::to_string(at) + ": " : std::string(),
                                 warning.value("message", ""), warning.value("code", "")));
  }
}

std::vector<std::string> Command(const ScriptEnvironmentRequest& wanted) {
  std::vector<std::string> words = {"environment", "--script", wanted.script.string(), "--conda",
                                    wanted.conda.string()};
  if (!wanted.model.empty()) words.insert(words.end(), {"--model", wanted.model});
  for (const std::string& name : wanted.keep) words.insert(words.end(), {"--keep", name});
  if (wanted.fresh) words.emplace_back("--fresh");
  return words;
}

}  // namespace

Result<ScriptEnvironment> MakeScriptEnvironment(Context& context,
                                                const ScriptEnvironmentRequest& wanted) {
  const Json answer = TRY(RunOneShot(context, Command(wanted)));
  Show(context, answer);
  ScriptEnvironment made;
  made.root = TRY(GetString(answer, "root"));
  made.config = TRY(GetString(answer, "config"));
  return made;
}

}  // namespace slipway::cli
