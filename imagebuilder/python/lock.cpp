// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/lock.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/json.h"
#include "imagebuilder/entries.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::int64_t kForm = 1;

Error Bad(std::string_view message) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("the lock file is wrong: {}", message),
          .id = "Image.Lock"};
}

Json ToJson(const LockedFile& file) {
  return {{"name", file.name}, {"version", file.version}, {"file", file.file},
          {"url", file.url},   {"digest", file.digest},   {"size", file.size}};
}

Result<LockedFile> ReadFileEntry(const Json& json) {
  TRY(OnlyKnownFields(json, {"name", "version", "file", "url", "digest", "size"}));
  LockedFile file;
  file.name = TRY(GetString(json, "name"));
  file.version = TRY(GetString(json, "version"));
  file.file = TRY(GetString(json, "file"));
  file.url = TRY(GetString(json, "url"));
  file.digest = TRY(GetString(json, "digest"));
  file.size = TRY(GetInt(json, "size"));
  TRY(Digest::Parse(file.digest));
  const bool plain = !file.file.empty() && file.file.find('/') == std::string::npos &&
                     file.file.find('\0') == std::string::npos && !file.file.starts_with('.');
  if (!plain) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("'{}' is no name of a file", file.file)};
  }
  return file;
}

Result<std::vector<LockedFile>> ReadFiles(const Json& json, const char* member) {
  const auto found = json.find(member);
  std::vector<LockedFile> files;
  if (found == json.end()) return files;
  if (!found->is_array()) {
    return Error{.code = Code::kInvalidArgument, .message = fmt::format("{} is no list", member)};
  }
  for (const Json& item : *found) files.push_back(TRY(ReadFileEntry(item)));
  std::ranges::sort(files, {}, &LockedFile::name);
  return files;
}

Result<std::vector<BuiltWheel>> ReadBuilt(const Json& json) {
  const auto found = json.find("built");
  std::vector<BuiltWheel> built;
  if (found == json.end()) return built;
  if (!found->is_array()) {
    return Error{.code = Code::kInvalidArgument, .message = "built is no list"};
  }
  for (const Json& item : *found) {
    TRY(OnlyKnownFields(item, {"wheel", "source", "needs"}));
    const auto source = item.find("source");
    if (source == item.end()) {
      return Error{.code = Code::kInvalidArgument, .message = "built names no source"};
    }
    BuiltWheel wheel;
    wheel.wheel = TRY(GetString(item, "wheel"));
    wheel.source = TRY(ReadFileEntry(*source));
    wheel.needs = TRY(ReadFiles(item, "needs"));
    TRY(Digest::Parse(wheel.wheel));
    built.push_back(std::move(wheel));
  }
  return built;
}

Result<std::vector<std::string>> ReadTexts(const Json& json, const char* member) {
  std::vector<std::string> texts;
  const auto found = json.find(member);
  if (found == json.end()) return texts;
  if (!found->is_array()) {
    return Error{.code = Code::kInvalidArgument, .message = fmt::format("{} is no list", member)};
  }
  for (const Json& item : *found) {
    if (!item.is_string() || item.get_ref<const std::string&>().find('\n') != std::string::npos) {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("{} holds no line of text", member)};
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

/// Texts that go into scripts and configuration: a plain absolute path.
Result<std::string> ReadPath(const Json& json, std::string_view member) {
  std::string path = TRY(GetString(json, member));
  const auto names = SplitPath(path.empty() ? path : path.substr(1));
  if (path.starts_with('/') && names) return path;
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{} is '{}', which is no absolute path", member, path)};
}

Json ToJson(const PythonPlace& place) {
  return {{"version", place.version},
          {"interpreter", place.interpreter},
          {"loader", place.loader},
          {"home", place.home},
          {"pure", place.pure},
          {"platform", place.platform},
          {"scripts", place.scripts},
          {"data", place.data},
          {"library_path", place.library_path}};
}

Result<PythonPlace> ReadPlace(const Json& json) {
  TRY(OnlyKnownFields(json, {"version", "interpreter", "loader", "home", "pure", "platform",
                             "scripts", "data", "library_path"}));
  PythonPlace place;
  place.version = TRY(GetString(json, "version"));
  place.interpreter = TRY(ReadPath(json, "interpreter"));
  place.loader = TRY(ReadPath(json, "loader"));
  place.home = TRY(ReadPath(json, "home"));
  place.pure = TRY(ReadPath(json, "pure"));
  place.platform = TRY(ReadPath(json, "platform"));
  place.scripts = TRY(ReadPath(json, "scripts"));
  place.data = TRY(ReadPath(json, "data"));
  place.library_path = TRY(ReadTexts(json, "library_path"));
  return place;
}

Result<PythonLock> Read(const Json& json) {
  TRY(OnlyKnownFields(json, {"form", "python", "base", "architecture", "debian", "wheels", "built",
                             "provided", "pip_options"}));
  if (const std::int64_t form = TRY(GetInt(json, "form")); form != kForm) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("form {} is not known, {} is", form, kForm)};
  }
  const auto python = json.find("python");
  if (python == json.end()) {
    return Error{.code = Code::kInvalidArgument, .message = "member 'python' is missing"};
  }
  PythonLock lock;
  lock.python = TRY(ReadPlace(*python));
  lock.base = TRY(GetStringOr(json, "base", ""));
  lock.architecture = TRY(GetString(json, "architecture"));
  lock.debian = TRY(ReadFiles(json, "debian"));
  lock.wheels = TRY(ReadFiles(json, "wheels"));
  lock.built = TRY(ReadBuilt(json));
  lock.provided = TRY(ReadTexts(json, "provided"));
  lock.pip_options = TRY(ReadTexts(json, "pip_options"));
  return lock;
}

/// Nothing where no wheel was built: most locks have no such member.
std::string BuiltMember(const std::vector<BuiltWheel>& built) {
  if (built.empty()) return "";
  Json list = Json::array();
  for (const BuiltWheel& wheel : built) {
    Json needs = Json::array();
    for (const LockedFile& file : wheel.needs) needs.push_back(ToJson(file));
    list.push_back({{"wheel", wheel.wheel}, {"source", ToJson(wheel.source)}, {"needs", needs}});
  }
  return fmt::format(",\n  \"built\": {}", DumpJson(list));
}

std::string FileLines(const std::vector<LockedFile>& files) {
  std::string lines;
  for (const LockedFile& file : files) {
    lines += fmt::format("{}\n    {}", lines.empty() ? "" : ",", DumpJson(ToJson(file)));
  }
  return lines.empty() ? "[]" : fmt::format("[{}\n  ]", lines);
}

}  // namespace

std::string LockText(const PythonLock& lock) {
  return fmt::format(
      "{{\n  \"form\": {},\n  \"python\": {},\n  \"architecture\": {},\n  \"base\": {},\n"
      "  \"provided\": {},\n  \"pip_options\": {},\n  \"debian\": {},\n  \"wheels\": {}{}\n}}\n",
      kForm, DumpJson(ToJson(lock.python)), DumpJson(lock.architecture), DumpJson(lock.base),
      DumpJson(lock.provided), DumpJson(lock.pip_options), FileLines(lock.debian),
      FileLines(lock.wheels), BuiltMember(lock.built));
}

Result<PythonLock> ParseLock(std::string_view text) {
  const auto json = ParseJson(text);
  if (!json) return Bad(json.error().message);
  auto lock = Read(*json);
  if (!lock) return Bad(lock.error().message);
  return lock;
}

}  // namespace slipway::imagebuilder
