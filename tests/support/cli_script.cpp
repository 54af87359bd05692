// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cli_script.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "base/text.h"

namespace slipway::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBytesMax = 256 << 20;
constexpr std::string_view kAny = "<any>";

Error Failed(std::string message) {
  return Error{.code = Code::kFailedPrecondition, .message = std::move(message)};
}

std::string Fill(std::string text, const std::map<std::string, std::string>& variables) {
  for (const auto& [name, value] : variables) {
    const std::string pattern = "${" + name + "}";
    for (std::size_t at = text.find(pattern); at != std::string::npos;
         at = text.find(pattern, at + value.size())) {
      text.replace(at, pattern.size(), value);
    }
  }
  return text;
}

std::vector<std::string> Filled(std::vector<std::string> words,
                                const std::map<std::string, std::string>& variables) {
  for (std::string& word : words) word = Fill(std::move(word), variables);
  return words;
}

/// Whether `<any>` in `pattern` can stand for something that makes it `line`.
bool LineMatches(std::string_view pattern, std::string_view line) {
  const std::size_t any = pattern.find(kAny);
  if (any == std::string_view::npos) return pattern == line;
  if (line.substr(0, any) != pattern.substr(0, any)) return false;
  const std::string_view rest = pattern.substr(any + kAny.size());
  for (std::size_t at = any; at <= line.size(); ++at) {
    if (LineMatches(rest, line.substr(at))) return true;
  }
  return false;
}

bool LinesMatch(std::span<const std::string> wanted, std::span<const std::string> got) {
  if (wanted.empty()) return got.empty();
  if (wanted.front() != "...") {
    return !got.empty() && LineMatches(wanted.front(), got.front()) &&
           LinesMatch(wanted.subspan(1), got.subspan(1));
  }
  for (std::size_t skip = 0; skip <= got.size(); ++skip) {
    if (LinesMatch(wanted.subspan(1), got.subspan(skip))) return true;
  }
  return false;
}

bool FoundInOrder(std::span<const std::string> wanted, std::span<const std::string> got) {
  std::size_t at = 0;
  for (const std::string& line : got) {
    if (at < wanted.size() && LineMatches(wanted[at], line)) ++at;
  }
  return at == wanted.size();
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines = Split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

Result<void> Replace(std::string& bytes, const std::string& from, const std::string& to) {
  if (from.size() != to.size()) return Failed("'" + from + "' and '" + to + "' differ in length");
  std::size_t at = bytes.find(from);
  if (at == std::string::npos) return Failed("there is no '" + from + "'");
  for (; at != std::string::npos; at = bytes.find(from, at)) bytes.replace(at, to.size(), to);
  return {};
}

Result<void> SetUp(const std::vector<std::string>& words, const fs::path& folder) {
  if (words.size() < 3) return Failed("too few words after " + words.front());
  const fs::path file = folder / words[1];
  TRY(MakeFolders(file.parent_path()));
  if (words[0] == "write") {
    TRY(MakeFolders(file.parent_path()));
    return WriteFileAtomic(file, words[2] + "\n");
  }
  std::string bytes = TRY(ReadFile(words[0] == "copy" ? folder / words[2] : file, kBytesMax));
  if (words[0] == "copy") {
    if (words.size() > 3) bytes.resize(std::strtoul(words[3].c_str(), nullptr, 10));
  } else if (words[0] == "replace" && words.size() == 4) {
    TRY(Replace(bytes, words[2], words[3]));
  } else if (words[0] == "poke" && words.size() == 4) {
    const std::size_t offset = std::strtoul(words[2].c_str(), nullptr, 10);
    if (offset >= bytes.size()) return Failed("offset " + words[2] + " is past the end");
    bytes[offset] = static_cast<char>(std::strtoul(words[3].c_str(), nullptr, 16));
  } else {
    return Failed("cannot do: " + Join(words, " "));
  }
  return WriteFileAtomic(file, bytes);
}

struct FileActions {
  FileActions() { ::posix_spawn_file_actions_init(&actions); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t actions{};
};

}  // namespace

Result<std::vector<std::string>> SplitWords(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return Failed("a quote does not end: " + line);
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<std::vector<CliStep>> ParseCliScript(const std::string& text) {
  std::vector<CliStep> steps;
  std::istringstream in(text);
  bool in_step = false, answered = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string where = "line " + std::to_string(number);
    if (line.empty()) {
      if (in_step && !answered) return Failed(where + ": the command before has no ---- STATUS");
      in_step = false;
    } else if (in_step && line.starts_with("---- ")) {
      steps.back().status = static_cast<int>(std::strtol(line.c_str() + 5, nullptr, 10));
      answered = true;
    } else if (in_step && answered && line.starts_with("2> ")) {
      steps.back().err.push_back(line.substr(3));
    } else if (in_step && answered) {
      steps.back().out.push_back(line);
    } else if (line.starts_with("$ ")) {
      steps.emplace_back().line = number;
      steps.back().argv = TRY(SplitWords(line.substr(2)));
      in_step = true;
      answered = false;
    } else if (line.front() != '#') {
      if (in_step) return Failed(where + ": ---- STATUS is missing");
      steps.emplace_back().line = number;
      steps.back().setup = TRY(SplitWords(line));
    }
  }
  if (in_step && !answered) return Failed("the last command has no ---- STATUS");
  return steps;
}

Result<CliOutcome> RunCli(const std::vector<std::string>& words,
                          const CliSurroundings& surroundings) {
  std::vector<std::string> argv = words, environment;
  if (argv.front() == "slipway") argv.front() = surroundings.program.string();
  for (const auto& [name, value] : surroundings.environment) {
    environment.push_back(name + "=" + value);
  }
  std::vector<char*> argv_pointers, environment_pointers;
  for (std::string& word : argv) argv_pointers.push_back(word.data());
  for (std::string& entry : environment) environment_pointers.push_back(entry.data());
  argv_pointers.push_back(nullptr);
  environment_pointers.push_back(nullptr);

  const fs::path captured = TRY(MakeTempFolder(surroundings.folder.parent_path(), "captured-"));
  const fs::path out = captured / "out", err = captured / "err";
  FileActions files;
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  ::posix_spawn_file_actions_addopen(&files.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files.actions, STDOUT_FILENO, out.c_str(), kFlags, 0600);
  ::posix_spawn_file_actions_addopen(&files.actions, STDERR_FILENO, err.c_str(), kFlags, 0600);
  ::posix_spawn_file_actions_addchdir_np(&files.actions, surroundings.folder.c_str());
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, argv.front().c_str(), &files.actions, nullptr,
                                   argv_pointers.data(), environment_pointers.data());
  if (failed != 0) return SystemError(argv.front(), failed);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  CliOutcome outcome;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.out = TRY(ReadFile(out, kBytesMax));
  outcome.err = TRY(ReadFile(err, kBytesMax));
  TRY(RemoveTree(captured));
  return outcome;
}

Result<void> RunCliStep(const CliStep& step, const CliSurroundings& surroundings) {
  if (!step.setup.empty()) {
    return SetUp(Filled(step.setup, surroundings.variables), surroundings.folder);
  }
  const CliOutcome came = TRY(RunCli(Filled(step.argv, surroundings.variables), surroundings));
  const std::string all = "\nstatus " + std::to_string(came.status) + "\nstandard output:\n" +
                          came.out + "standard error:\n" + came.err;
  if (came.status != step.status) {
    return Failed("the status should be " + std::to_string(step.status) + all);
  }
  const auto out = Filled(step.out, surroundings.variables);
  const auto err = Filled(step.err, surroundings.variables);
  if (!LinesMatch(out, LinesOf(came.out))) {
    return Failed("standard output should be:\n" + Join(out, "\n") + all);
  }
  if (!FoundInOrder(err, LinesOf(came.err))) {
    return Failed("standard error should have:\n" + Join(err, "\n") + all);
  }
  return {};
}

}  // namespace slipway::testing
