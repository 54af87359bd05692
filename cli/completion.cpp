// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <map>
#include <vector>

#include "base/text.h"
#include "cli/app.h"

namespace slipway::cli {
namespace {

struct Word {
  std::string text, summary;
};

/// What may follow each command path: `` -> `model`, ...; `model` -> `register`, ...;
/// `model register` -> `--name`, ...
using Tree = std::map<std::string, std::vector<Word>>;

void Collect(const CLI::App& app, const std::string& path, Tree& tree) {
  std::vector<Word>& words = tree[path];
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : subcommands) {
    words.push_back({sub->get_name(), sub->get_description()});
  }
  if (subcommands.empty()) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        words.push_back({"--" + name, option->get_description()});
      }
    }
  }
  for (const CLI::App* sub : subcommands) {
    Collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), tree);
  }
}

std::string Words(const std::vector<Word>& words) {
  std::vector<std::string> texts;
  for (const Word& word : words) texts.push_back(word.text);
  return Join(texts, " ");
}

/// In single quotes of a shell.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Bash(const Tree& tree) {
  std::string cases;
  for (const auto& [path, words] : tree) {
    cases += fmt::format("    {}) words={} ;;\n", Quoted(path), Quoted(Words(words)));
  }
  return R"(# bash completion for slipway
_slipway() {
  local current=${COMP_WORDS[COMP_CWORD]} path= words= i
  for ((i = 1; i < COMP_CWORD && i <= 2; ++i)); do
    [[ ${COMP_WORDS[i]} == -* ]] && break
    case "$path${path:+ }${COMP_WORDS[i]}" in
)" +
         [&] {
           std::string known;
           for (const auto& [path, words] : tree) {
             if (!path.empty()) known += (known.empty() ? "      " : "|") + Quoted(path);
           }
           return known;
         }() +
         R"() path="$path${path:+ }${COMP_WORDS[i]}" ;;
      *) break ;;
    esac
  done
  case "$path" in
)" + cases +
         R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ ${#COMPREPLY[@]} -gt 0 || $current == -* ]] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _slipway slipway
)";
}

std::string Zsh(const Tree& tree) {
  std::string cases;
  for (const auto& [path, words] : tree) {
    cases += fmt::format("    {})\n      candidates=(", Quoted(path));
    for (const Word& word : words) {
      std::string summary = word.summary;
      for (char& c : summary) c = c == ':' ? ';' : c;
      cases += "\n        " + Quoted(word.text + ":" + summary);
    }
    cases += ") ;;\n";
  }
  return R"(#compdef slipway
_slipway() {
  local -a candidates
  local command_path= i
  for ((i = 2; i < CURRENT && i <= 3; ++i)); do
    [[ ${words[i]} == -* ]] && break
    command_path="$command_path${command_path:+ }${words[i]}"
  done
  case "$command_path" in
)" + cases +
         R"(    *) candidates=() ;;
  esac
  (( ${#candidates} )) && _describe 'slipway' candidates
  _files
}
compdef _slipway slipway
)";
}

std::string Fish(const Tree& tree) {
  std::string lines = "# fish completion for slipway\n";
  for (const auto& [path, words] : tree) {
    const std::vector<std::string> parts =
        path.empty() ? std::vector<std::string>() : Split(path, ' ');
    std::string condition = "__fish_use_subcommand";
    if (parts.size() == 1) {
      condition = "__fish_seen_subcommand_from " + parts[0];
    } else if (parts.size() == 2) {
      condition = "__fish_seen_subcommand_from " + parts[0] + "; and __fish_seen_subcommand_from " +
                  parts[1];
    }
    for (const Word& word : words) {
      const bool option = word.text.starts_with("--");
      lines += fmt::format("complete -c slipway -n {} {} {} -d {}\n", Quoted(condition),
                           option ? "-l" : "-f -a", option ? word.text.substr(2) : word.text,
                           Quoted(word.summary));
    }
  }
  return lines;
}

}  // namespace

std::string CompletionScript(std::string_view shell) {
  CLI::App root("", "slipway");
  Globals globals;
  AddCommands(root, globals);
  Tree tree;
  Collect(root, "", tree);
  if (shell == "zsh") return Zsh(tree);
  if (shell == "fish") return Fish(tree);
  return Bash(tree);
}

}  // namespace slipway::cli
