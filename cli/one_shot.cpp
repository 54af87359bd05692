// SPDX-License-Identifier: Apache-2.0
#include "cli/one_shot.h"

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
#include "base/limits.h"
#include "base/process.h"
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

Error Told(const Json& answer) {
  http::Response response{.status = answer.value("status", 500)};
  response.headers.Set("Content-Type", "application/problem+json");
  response.body = DumpJson(answer.value("problem", Json::object()));
  return http::ErrorFromResponse(response);
}

}  // namespace

fs::path CacheFolder(const Context& context) {
  const auto get = [&context](const char* name) {
    const auto found = context.environment().find(name);
    return found == context.environment().end() ? std::string() : found->second;
  };
  if (std::string cache = get("XDG_CACHE_HOME"); !cache.empty()) return cache;
  if (const std::string home = get("HOME"); !home.empty()) return fs::path(home) / ".cache";
  return fs::temp_directory_path();
}

fs::path ServeFolder(const Context& context) { return CacheFolder(context) / "slipway" / "serve"; }

Result<Json> RunOneShot(Context& context, const std::vector<std::string>& words) {
  const fs::path program = TRY(FindProgram(context, "SLIPWAYD", "slipwayd"));
  const fs::path folder = ServeFolder(context);
  TRY(MakeFolders(folder));
  Pipe pipe = TRY(MakePipe());
  std::vector<std::string> argv = {program.string(), "--state", (folder / "state").string()};
  argv.insert(argv.end(), words.begin(), words.end());
  argv.insert(argv.end(), {"--answer-fd", std::to_string(kAnswerFd)});
  std::vector<std::string> environment;
  for (const auto& [name, value] : context.environment()) environment.push_back(name + "=" + value);
  const ProcessId process = TRY(Spawn({.argv = argv,
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
                 .message = fmt::format("slipwayd ended with status {} and made nothing",
                                        status.value_or(-1)),
                 .id = "Environment.NotMade",
                 .fix = "read " + (folder / "environment.log").string()};
  }
  if (answer->contains("problem")) return Told(*answer);
  return *std::move(answer);
}

}  // namespace slipway::cli
