// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/conda_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <utility>

#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kFileBytes = std::size_t{1} << 20;
constexpr std::size_t kPackages = 2000;

/// Options of pip that may stand in a list of requirements, and whether they take a value.
struct KnownOption {
  std::string_view name, means;
  bool takes_value;
};
constexpr std::array kOptions = {
    KnownOption{"--index-url", "--index-url", true},
    KnownOption{"-i", "--index-url", true},
    KnownOption{"--pypi-url", "--index-url", true},
    KnownOption{"--extra-index-url", "--extra-index-url", true},
    KnownOption{"--find-links", "--find-links", true},
    KnownOption{"-f", "--find-links", true},
    KnownOption{"--trusted-host", "--trusted-host", true},
    KnownOption{"--no-index", "--no-index", false},
    KnownOption{"--pre", "--pre", false},
    KnownOption{"--prefer-binary", "--prefer-binary", false},
};

Error Bad(int line, std::string_view message) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("dependency file, line {}: {}", line, message),
          .id = "Image.DependencyFile"};
}

Error NeedsBuilding(int line, std::string_view what) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("dependency file, line {}: {} would have to be built, and only "
                                 "wheels are installed",
                                 line, what),
          .id = "Image.NoWheel",
          .fix =
              "build a wheel of it (pip wheel), put it on an index, and name that with "
              "--extra-index-url or --find-links"};
}

/// The mark of a value that is not there lies at the begin of the line below.
int LineOf(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.line + (node.IsNull() && mark.column == 0 ? 0 : 1);
}

Result<std::string> Text(const YAML::Node& node, std::string_view what) {
  if (!node.IsScalar()) return Bad(LineOf(node), fmt::format("{} must be a text", what));
  const std::string& text = node.Scalar();
  if (!IsUtf8(text) || text.find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos) {
    return Bad(LineOf(node), fmt::format("{} is not one line of UTF-8 text", what));
  }
  return std::string(Trim(text));
}

Result<void> AddOption(std::string_view text, int line, CondaFile& file) {
  const std::size_t end = text.find_first_of("= ");
  const std::string_view word = text.substr(0, end);
  const std::string_view value =
      end == std::string_view::npos ? std::string_view() : Trim(text.substr(end + 1));
  if (word == "-e" || word == "--editable") return NeedsBuilding(line, value);
  const auto* known = std::ranges::find(kOptions, word, &KnownOption::name);
  if (known == kOptions.end()) {
    return Bad(line, fmt::format("pip's option {} cannot be used here", word));
  }
  if (known->takes_value == value.empty()) {
    return Bad(
        line, fmt::format("pip's option {} takes {} value", word, known->takes_value ? "a" : "no"));
  }
  if (value.find(' ') != std::string_view::npos) {
    return Bad(line, fmt::format("more than one value for pip's option {}", word));
  }
  file.options.push_back(
      {.line = line, .name = std::string(known->means), .value = std::string(value)});
  return {};
}

/// Without what follows ` #`.
std::string_view WithoutComment(std::string_view text) {
  if (text.starts_with('#')) return {};
  const std::size_t at = text.find(" #");
  return Trim(text.substr(0, at));
}

Result<void> ReadPip(const YAML::Node& list, CondaFile& file) {
  if (list.IsNull()) return {};
  if (!list.IsSequence()) return Bad(LineOf(list), "pip must be a list");
  for (const YAML::Node& item : list) {
    const std::string text = TRY(Text(item, "an entry of the pip list"));
    TRY(AddPipLine(text, LineOf(item), file));
  }
  return {};
}

Result<void> AddConda(const std::string& text, int line, CondaFile& file) {
  auto spec = ParseCondaSpec(text);
  if (!spec) return Bad(line, spec.error().message);
  const std::string name = ToLower(spec->name);
  auto specifier = PipSpecifier(*spec);
  if (!specifier) return Bad(line, specifier.error().message);
  if (name == "python") {
    if (const auto holds = Satisfies("3", *specifier); !holds) {
      return Bad(line, fmt::format("python {}: {}", spec->version, holds.error().message));
    }
    file.python = *specifier;
    file.python_line = line;
    return {};
  }
  if (name == "pip" || name == "setuptools" || name == "wheel") {
    file.ignored.push_back(fmt::format("line {}: {}, which only installs others", line, text));
    return {};
  }
  if (!spec->build.empty()) {
    file.ignored.push_back(
        fmt::format("line {}: the build {} of {}", line, spec->build, spec->name));
  }
  file.conda.push_back({.line = line, .spec = *std::move(spec)});
  return {};
}

Result<void> ReadDependencies(const YAML::Node& list, CondaFile& file) {
  if (list.IsNull()) return {};
  if (!list.IsSequence()) return Bad(LineOf(list), "dependencies must be a list");
  for (const YAML::Node& item : list) {
    if (item.IsMap()) {
      for (const auto& member : item) {
        const std::string key = TRY(Text(member.first, "a name"));
        if (key != "pip") {
          return Bad(LineOf(member.first),
                     fmt::format("'{}' is no list of packages known here; 'pip' is", key));
        }
        TRY(ReadPip(member.second, file));
      }
      continue;
    }
    if (item.IsNull()) return Bad(LineOf(item), "an entry of dependencies is empty");
    const std::string text = TRY(Text(item, "an entry of dependencies"));
    if (text.empty()) return Bad(LineOf(item), "an entry of dependencies is empty");
    TRY(AddConda(text, LineOf(item), file));
  }
  return {};
}

Result<void> ReadChannels(const YAML::Node& list, CondaFile& file) {
  if (list.IsNull()) return {};
  if (!list.IsSequence()) return Bad(LineOf(list), "channels must be a list");
  for (const YAML::Node& item : list) file.channels.push_back(TRY(Text(item, "a channel")));
  return {};
}

Result<CondaFile> ReadDocument(const YAML::Node& document) {
  if (document.IsNull()) return Bad(1, "the file is empty");
  if (!document.IsMap()) {
    return Bad(LineOf(document), "the file must have members such as name and dependencies");
  }
  CondaFile file;
  std::vector<std::string> seen;
  for (const auto& member : document) {
    const std::string key = TRY(Text(member.first, "a member's name"));
    const int line = LineOf(member.first);
    if (std::ranges::find(seen, key) != seen.end()) {
      return Bad(line, fmt::format("'{}' is there twice", key));
    }
    seen.push_back(key);
    if (key == "name") {
      if (!member.second.IsNull()) file.name = TRY(Text(member.second, "name"));
    } else if (key == "dependencies") {
      TRY(ReadDependencies(member.second, file));
    } else if (key == "channels") {
      TRY(ReadChannels(member.second, file));
    } else if (key == "prefix" || key == "variables" || key == "platforms") {
      file.ignored.push_back(fmt::format("line {}: {}", line, key));
    } else {
      return Bad(line,
                 fmt::format("unknown member '{}'; name, channels, dependencies are known", key));
    }
  }
  if (file.conda.size() + file.pip.size() > kPackages) {
    return Bad(1, fmt::format("more than {} packages", kPackages));
  }
  return file;
}

}  // namespace

Result<void> AddPipLine(std::string_view given, int line, CondaFile& file) {
  const std::string_view text = WithoutComment(Trim(given));
  if (text.empty()) return {};
  if (text.starts_with('-')) return AddOption(text, line, file);
  if (text.starts_with("git+") || text.starts_with("hg+") || text.starts_with("svn+") ||
      text.starts_with("bzr+")) {
    return NeedsBuilding(line, text);
  }
  if (text.starts_with('.') || text.starts_with('/') || text.ends_with(".whl")) {
    if (text.find("://") == std::string_view::npos) {
      return Bad(line, fmt::format("{} is a file of the machine that wrote this", text));
    }
  }
  // An option at the end of a requirement: `torch==1.0 -f https://…`.
  const std::size_t option = text.find(" -");
  if (option != std::string_view::npos) {
    TRY(AddOption(Trim(text.substr(option)), line, file));
    return AddPipLine(text.substr(0, option), line, file);
  }
  auto requirement = ParseRequirement(text);
  if (!requirement) return Bad(line, requirement.error().message);
  if (requirement->url.find("git+") == 0) return NeedsBuilding(line, text);
  if (!requirement->url.empty() && requirement->url.find(".whl") == std::string::npos) {
    return NeedsBuilding(line, text);
  }
  file.pip.push_back(
      {.line = line, .text = std::string(text), .requirement = *std::move(requirement)});
  return {};
}

Result<CondaFile> ParseCondaFile(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.size() > kFileBytes) return Bad(1, fmt::format("more than {} bytes", kFileBytes));
  if (!IsUtf8(text)) {
    const auto newline = [&](std::size_t end) {
      return static_cast<int>(std::ranges::count(text.substr(0, end), '\n')) + 1;
    };
    std::size_t good = 0;
    for (std::size_t at = text.find('\n');
         at != std::string_view::npos && IsUtf8(text.substr(0, at)); at = text.find('\n', at + 1)) {
      good = at + 1;
    }
    return Bad(newline(good), "the text is not UTF-8");
  }
  try {
    return ReadDocument(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& wrong) {
    const int line = wrong.mark.is_null() ? 1 : wrong.mark.line + 1;
    return Bad(line, fmt::format("no valid YAML: {}", wrong.msg));
  } catch (const std::exception& wrong) {
    return Bad(1, fmt::format("no valid YAML: {}", wrong.what()));
  }
}

}  // namespace slipway::imagebuilder
