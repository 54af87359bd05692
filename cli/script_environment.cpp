// SPDX-License-Identifier: Apache-2.0
#include "cli/script_environment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "base/http/http.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/daemon.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kAnswerFd = 3;
constexpr std::chrono::seconds kEnd{60};

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("pipe", errno);
  return Pipe{.read = UniqueFd(ends[0]), .write = UniqueFd(ends[1])};
}

/// Gives each line to `take` until the other side has closed the pipe.
template <class Take>
Result<void> ReadLines(int fd, const Take& take) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("reading from slipwayd", errno);
    if (count == 0) return {};
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (std::cmp_greater(text.size(), limits::kJsonBytes)) {
      return Error{.code = Code::kResourceExhausted, .message = "slipwayd tells too much"};
    }
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      take(text.substr(0, end));
      text.erase(0, end + 1);
    }
  }
}

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

Error Told(const Json& answer) {
  http::Response response{.status = answer.value("status", 500)};
  response.headers.Set("Content-Type", "application/problem+json");
  response.body = DumpJson(answer.value("problem", Json::object()));
  return http::ErrorFromResponse(response);
}

std::vector<std::string> Command(const fs::path& program, const fs::path& state,
                                 const ScriptEnvironmentRequest& wanted) {
  std::vector<std::string> argv = {program.string(), "--state",
                                   state.string(),   "environment",
                                   "--script",       wanted.script.string(),
                                   "--conda",        wanted.conda.string(),
                                   "--answer-fd",    std::to_string(kAnswerFd)};
  if (!wanted.model.empty()) argv.insert(argv.end(), {"--model", wanted.model});
  for (const std::string& name : wanted.keep) argv.insert(argv.end(), {"--keep", name});
  if (wanted.fresh) argv.emplace_back("--fresh");
  return argv;
}

}  // namespace

fs::path CacheFolder(const Context& context) {
  const auto get = [&context](const char* name) {
    const auto found = context.environment().find(name);
    return found == context.environment().end() ? std::string() : found->second;
  };
  if (const std::string cache = get("XDG_CACHE_HOME"); !cache.empty()) return cache;
  if (const std::string home = get("HOME"); !home.empty()) return fs::path(home) / ".cache";
  return fs::temp_directory_path();
}

Result<ScriptEnvironment> MakeScriptEnvironment(Context& context,
                                                const ScriptEnvironmentRequest& wanted) {
  const fs::path program = TRY(FindProgram(context, "SLIPWAYD", "slipwayd"));
  const fs::path folder = CacheFolder(context) / "slipway" / "serve";
  TRY(MakeFolders(folder));
  Pipe pipe = TRY(MakePipe());
  std::vector<std::string> environment;
  for (const auto& [name, value] : context.environment()) environment.push_back(name + "=" + value);
  const ProcessId process = TRY(Spawn({.argv = Command(program, folder / "state", wanted),
                                       .environment = environment,
                                       .log = folder / "environment.log",
                                       .give_fds = {{.from = pipe.write.get(), .to = kAnswerFd}},
                                       .dies_with_thread = true}));
  pipe.write = UniqueFd();
  std::optional<Json> answer;
  TRY(ReadLines(pipe.read.get(), [&](const std::string& line) {
    Result<Json> told = ParseJson(line);
    if (!told || !told->is_object()) return;
    if (told->contains("say")) {
      context.Progress("  " + told->value("say", ""));
    } else {
      answer = *std::move(told);
    }
  }));
  const std::optional<int> status = WaitForExit(process, kEnd);
  if (!answer) {
    return Error{.code = Code::kInternal,
                 .message = fmt::format("slipwayd ended with status {} and made no environment",
                                        status.value_or(-1)),
                 .id = "Environment.NotMade",
                 .fix = "read " + (folder / "environment.log").string()};
  }
  if (answer->contains("problem")) return Told(*answer);
  Show(context, *answer);
  return ScriptEnvironment{.root = TRY(GetString(*answer, "root")),
                           .config = TRY(GetString(*answer, "config"))};
}

}  // namespace slipway::cli
