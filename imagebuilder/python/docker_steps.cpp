// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/docker_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

using Kind = DockerStep::Kind;

constexpr std::size_t kFileBytes = std::size_t{256} << 10;
constexpr std::size_t kSteps = 100;

Error Bad(int line, std::string_view message, std::string fix = {}) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("docker file steps, line {}: {}", line, message),
          .id = "Image.DockerFile",
          .fix = std::move(fix)};
}

struct Known {
  std::string_view name;
  Kind kind;
};
constexpr std::array kKnown = {Known{"RUN", Kind::kRun},        Known{"COPY", Kind::kCopy},
                               Known{"ADD", Kind::kCopy},       Known{"ENV", Kind::kEnvironment},
                               Known{"WORKDIR", Kind::kFolder}, Known{"LABEL", Kind::kLabel},
                               Known{"ARG", Kind::kArgument}};

/// Instructions that exist and cannot be steps, and why.
struct Refused {
  std::string_view name, why;
};
constexpr std::array kRefused = {Refused{"FROM", "the base is chosen by --base, not by a step"},
                                 Refused{"CMD", "the image starts the scoring server"},
                                 Refused{"ENTRYPOINT", "the image starts the scoring server"},
                                 Refused{"USER", "the scoring server runs as a user of its own"},
                                 Refused{"EXPOSE", "the scoring server has its port"},
                                 Refused{"VOLUME", "a scoring image has no volumes"},
                                 Refused{"HEALTHCHECK", "targets ask the scoring server itself"},
                                 Refused{"ONBUILD", "nothing is built from this image here"},
                                 Refused{"STOPSIGNAL", "the scoring server ends on SIGTERM"},
                                 Refused{"SHELL", "RUN uses /bin/sh"},
                                 Refused{"MAINTAINER", "use LABEL"}};

bool IsSpace(char c) { return c == ' ' || c == '\t'; }

/// Words as a shell would see them: quotes and backslashes, no expansion.
Result<std::vector<std::string>> ShellWords(std::string_view text, int line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"' && at + 1 < text.size()) {
        word += text[++at];
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && at + 1 < text.size()) {
      word += text[++at];
      in_word = true;
    } else if (IsSpace(c)) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return Bad(line, fmt::format("a {} is not closed", quote));
  if (in_word) words.push_back(word);
  return words;
}

Result<void> ReadPairs(DockerStep& step, bool value_needed) {
  const std::vector<std::string> words = TRY(ShellWords(step.text, step.line));
  if (words.empty()) return Bad(step.line, "a NAME=VALUE is missing");
  const bool old_form = words.front().find('=') == std::string::npos && words.size() > 1;
  if (old_form) {
    const std::string rest(Trim(step.text.substr(words.front().size())));
    step.pairs[words.front()] = rest;
    return {};
  }
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || (equals == std::string::npos && value_needed)) {
      return Bad(step.line, fmt::format("'{}' is no NAME=VALUE", word));
    }
    step.pairs[word.substr(0, equals)] = equals == std::string::npos ? "" : word.substr(equals + 1);
  }
  return {};
}

Result<void> ReadCopy(DockerStep& step) {
  step.words = TRY(ShellWords(step.text, step.line));
  if (!step.words.empty() && step.words.front().starts_with("--")) {
    return Bad(step.line, fmt::format("COPY's option {} is not there", step.words.front()));
  }
  if (step.words.size() < 2) return Bad(step.line, "COPY needs a source and a destination");
  for (std::size_t i = 0; i + 1 < step.words.size(); ++i) {
    if (step.words[i].find("://") != std::string::npos) {
      return Bad(step.line, fmt::format("{} is not fetched", step.words[i]),
                 "fetch it first and give it as a --dependency");
    }
  }
  return {};
}

Result<DockerStep> ReadStep(std::string_view text, int line) {
  const std::size_t end =
      static_cast<std::size_t>(std::ranges::find_if(text, IsSpace) - text.begin());
  std::string name(text.substr(0, end));
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  const auto* refused = std::ranges::find(kRefused, name, &Refused::name);
  if (refused != kRefused.end()) {
    return Bad(line, fmt::format("{} cannot be a step: {}", name, refused->why));
  }
  const auto* known = std::ranges::find(kKnown, name, &Known::name);
  if (known == kKnown.end()) {
    return Bad(line, fmt::format("'{}' is no instruction", text.substr(0, end)),
               "RUN, COPY, ENV, WORKDIR, LABEL and ARG are");
  }
  DockerStep step{
      .kind = known->kind, .line = line, .text = std::string(Trim(text.substr(end))), .words = {}};
  if (step.text.empty()) return Bad(line, fmt::format("nothing follows {}", name));
  switch (step.kind) {
    case Kind::kRun:
      if (step.text.starts_with("--")) return Bad(line, "RUN's options are not there");
      if (step.text.find("<<") != std::string::npos && step.text.find('\n') != std::string::npos) {
        return Bad(line, "here-documents are not there");
      }
      break;
    case Kind::kCopy:
      TRY(ReadCopy(step));
      break;
    case Kind::kEnvironment:
    case Kind::kLabel:
      TRY(ReadPairs(step, true));
      break;
    case Kind::kArgument:
      TRY(ReadPairs(step, false));
      break;
    case Kind::kFolder:
      break;
  }
  return step;
}

/// The commands of a RUN between `&&` and `;`; empty if it holds anything but plain words.
std::vector<std::vector<std::string>> PlainCommands(const DockerStep& step) {
  if (step.text.find_first_of("|<>$`()&;") != std::string::npos &&
      step.text.find_first_of("|<>$`()") != std::string::npos) {
    return {};
  }
  const auto words = ShellWords(step.text, step.line);
  if (!words) return {};
  std::vector<std::vector<std::string>> commands(1);
  for (std::string word : *words) {
    const bool ends = word.ends_with(';');
    if (ends) word.pop_back();
    if (word == "&&") {
      commands.emplace_back();
      continue;
    }
    if (word.find_first_of("&;") != std::string::npos) return {};
    if (!word.empty()) commands.back().push_back(word);
    if (ends) commands.emplace_back();
  }
  std::erase_if(commands, [](const auto& command) { return command.empty(); });
  return commands;
}

bool IsFlag(std::string_view word) { return word.starts_with('-'); }

bool ReadApt(const std::vector<std::string>& command, PackageStep& found) {
  std::string verb;
  std::vector<std::string> packages;
  for (std::size_t i = 1; i < command.size(); ++i) {
    if (IsFlag(command[i])) {
      if (command[i] == "-o" || command[i] == "-t") return false;
      continue;
    }
    if (verb.empty()) {
      verb = command[i];
    } else {
      packages.push_back(command[i]);
    }
  }
  if (verb == "update" || verb == "clean" || verb == "autoremove" || verb == "autoclean") {
    return packages.empty();
  }
  if (verb != "install") return false;
  found.debian.insert(found.debian.end(), packages.begin(), packages.end());
  return true;
}

bool ReadPip(std::vector<std::string> command, PackageStep& found) {
  std::erase(command, "--no-cache-dir");
  std::erase(command, "--upgrade");
  std::erase(command, "-U");
  if (command.size() < 3 || command[1] != "install") return false;
  if (std::any_of(command.begin() + 2, command.end(), IsFlag)) return false;
  found.pip.insert(found.pip.end(), command.begin() + 2, command.end());
  return true;
}

}  // namespace

Result<std::vector<DockerStep>> ParseDockerSteps(std::string_view text) {
  if (text.size() > kFileBytes) return Bad(1, fmt::format("more than {} bytes", kFileBytes));
  if (!IsUtf8(text) || text.find('\0') != std::string_view::npos) {
    return Bad(1, "the text is not UTF-8");
  }
  std::vector<DockerStep> steps;
  std::string joined;
  int number = 0, first = 0;
  for (std::string line : Split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    const std::string_view trimmed = Trim(line);
    if (trimmed.starts_with('#') || (trimmed.empty() && joined.empty())) continue;
    if (joined.empty()) first = number;
    const bool goes_on = trimmed.ends_with('\\');
    joined += goes_on ? trimmed.substr(0, trimmed.size() - 1) : trimmed;
    if (goes_on) {
      joined += ' ';
      continue;
    }
    if (Trim(joined).empty()) continue;
    steps.push_back(TRY(ReadStep(Trim(joined), first)));
    joined.clear();
    if (steps.size() > kSteps) return Bad(number, fmt::format("more than {} steps", kSteps));
  }
  if (!Trim(joined).empty()) return Bad(first, "the last line ends with a backslash");
  return steps;
}

PackageStep ReadPackageStep(const DockerStep& step) {
  PackageStep found;
  if (step.kind != Kind::kRun) return found;
  const auto commands = PlainCommands(step);
  found.whole = !commands.empty();
  for (const std::vector<std::string>& command : commands) {
    const std::string& program = command.front();
    bool understood = false;
    if (program == "apt-get" || program == "apt") understood = ReadApt(command, found);
    if (program == "pip" || program == "pip3") understood = ReadPip(command, found);
    if (program == "rm") {
      understood = std::all_of(command.begin() + 1, command.end(), [](const std::string& word) {
        return IsFlag(word) || word.starts_with("/var/lib/apt/lists");
      });
    }
    if (!understood) return {};
  }
  return found;
}

}  // namespace slipway::imagebuilder
