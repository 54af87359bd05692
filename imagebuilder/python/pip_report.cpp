// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/python/pip.h"
#include "imagebuilder/python/requirement.h"
#include "imagebuilder/python/stand_ins.h"

namespace slipway::imagebuilder {
namespace {

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Error BadReport(std::string_view why) {
  return {.code = Code::kInternal, .message = fmt::format("pip's report cannot be read: {}", why)};
}

Result<LockedFile> ReadInstall(const Json& item) {
  const Json metadata = item.value("metadata", Json::object());
  const Json download = item.value("download_info", Json::object());
  LockedFile file;
  file.name = NormalName(TRY(GetString(metadata, "name")));
  file.version = TRY(GetString(metadata, "version"));
  file.url = TRY(GetString(download, "url"));
  const std::string path = file.url.substr(0, file.url.find_first_of("?#"));
  file.file = TRY(DecodePercent(path.substr(path.rfind('/') + 1)));
  const Json archive = download.value("archive_info", Json::object());
  std::string hash = TRY(GetStringOr(archive, "hash", ""));
  if (const auto hashes = archive.find("hashes"); hashes != archive.end()) {
    hash = "sha256=" + TRY(GetStringOr(*hashes, "sha256", ""));
  }
  std::ranges::replace(hash, '=', ':');
  file.digest = Digest::Parse(hash) ? hash : "";
  if (file.file.ends_with(".whl")) return file;
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{} {} has no wheel for this Python, only {}", file.name,
                                      file.version, file.file),
               .id = "Image.NoWheel",
               .fix = "ask for a version that has one, or put a wheel you built on an index"};
}

/// Names of the packages that an entry's package requires, sorted.
std::set<std::string> NeedsOf(const Json& item) {
  std::set<std::string> names;
  const auto metadata = item.find("metadata");
  if (metadata == item.end() || !metadata->is_object()) return names;
  const auto needs = metadata->find("requires_dist");
  if (needs == metadata->end() || !needs->is_array()) return names;
  for (const Json& need : *needs) {
    if (!need.is_string()) continue;
    const auto requirement = ParseRequirement(need.get_ref<const std::string&>());
    if (requirement) names.insert(NormalName(requirement->name));
  }
  return names;
}

/// The text between two marks; empty where they are not there.
std::string Between(std::string_view line, std::string_view from, std::string_view to) {
  const std::size_t begin = line.find(from);
  if (begin == std::string_view::npos) return {};
  const std::size_t start = begin + from.size();
  const std::size_t end = to.empty() ? line.size() : line.find(to, start);
  return std::string(Trim(line.substr(start, end == std::string_view::npos ? end : end - start)));
}

/// `The user requested a` and `b depends on a`, joined in one line.
std::string ConflictText(const std::vector<std::string>& lines) {
  std::vector<std::string> reasons;
  bool inside = false;
  for (const std::string& line : lines) {
    if (Contains(line, "The conflict is caused by")) {
      inside = true;
      continue;
    }
    if (!inside) continue;
    if (Trim(line).empty() || line.front() != ' ') break;
    reasons.emplace_back(Trim(line));
  }
  return Join(reasons, "; ");
}

/// `https://… (Connection refused)`: who did not answer, and why.
std::string Unreachable(const std::vector<std::string>& lines) {
  std::string index = "https://pypi.org/simple", reason;
  for (const std::string& line : lines) {
    const std::string listed = Between(line, "Looking in indexes: ", "");
    if (!listed.empty()) index = listed;
    for (const char* mark : {"Failed to establish a new connection: ", "Caused by ", "HTTP error ",
                             "after connection broken by "}) {
      if (reason.empty()) reason = Between(line, mark, "')");
    }
  }
  return reason.empty() ? index : fmt::format("{} ({})", index, reason);
}

}  // namespace

Result<Resolved> ReadPipReport(std::string_view text, const std::filesystem::path& scratch) {
  const auto json = ParseJson(text);
  if (!json) return BadReport(json.error().message);
  const auto install = json->find("install");
  if (install == json->end() || !install->is_array()) return BadReport("it has no list 'install'");
  Resolved resolved;
  std::multimap<std::string, std::string> askers;
  for (const Json& item : *install) {
    if (!item.is_object()) return BadReport("an entry is no object");
    LockedFile file = TRY(ReadInstall(item));
    for (const std::string& name : NeedsOf(item)) askers.emplace(name, file.name);
    if (IsStandInUrl(file.url, scratch)) {
      resolved.not_fetched.push_back({.name = file.name, .version = file.version});
    } else {
      resolved.wheels.push_back(std::move(file));
    }
  }
  std::ranges::sort(resolved.wheels, {}, &LockedFile::name);
  std::ranges::sort(resolved.not_fetched, {}, &NotFetched::name);
  for (NotFetched& package : resolved.not_fetched) {
    const auto [begin, end] = askers.equal_range(package.name);
    for (auto at = begin; at != end; ++at) package.asked_by.push_back(at->second);
    std::ranges::sort(package.asked_by);
  }
  return resolved;
}

PipFailure ReadPipFailure(std::string_view output) {
  PipFailure failure;
  const std::vector<std::string> lines = Split(output, '\n');
  for (const std::string& line : lines) {
    if (Contains(line, "WARNING: Retrying") || Contains(line, "Could not fetch URL") ||
        Contains(line, "Max retries exceeded") || Contains(line, "Name or service not known") ||
        Contains(line, "HTTP error 5") || Contains(line, "Read timed out")) {
      failure.kind = PipFailure::Kind::kUnreachable;
      failure.detail = Unreachable(lines);
    }
    if (Contains(line, "401 Error") || Contains(line, "403 Client Error") ||
        Contains(line, "401 Client Error")) {
      failure.kind = PipFailure::Kind::kDenied;
      failure.detail = Trim(line);
      return failure;
    }
  }
  for (const std::string& line : lines) {
    if (Contains(line, "Could not find a version that satisfies the requirement")) {
      failure.requirement = Between(line, "satisfies the requirement ", " (from ");
      for (const std::string& version : Split(Between(line, "(from versions: ", ")"), ',')) {
        const std::string name(Trim(version));
        if (!name.empty() && name != "none") failure.found.push_back(name);
      }
      const bool reached = failure.kind != PipFailure::Kind::kUnreachable;
      if (reached || !failure.found.empty()) failure.kind = PipFailure::Kind::kNotFound;
    }
    if (line.starts_with("ERROR: Cannot install") || Contains(line, "ResolutionImpossible")) {
      failure.kind = PipFailure::Kind::kConflict;
    }
    if (line.starts_with("ERROR: ") && failure.detail.empty()) {
      failure.detail = Between(line, "ERROR: ", "");
    }
  }
  if (failure.kind == PipFailure::Kind::kConflict) {
    const std::string reasons = ConflictText(lines);
    if (!reasons.empty()) failure.detail = reasons;
  }
  // A traceback says it in its last line.
  if (failure.detail.empty() || failure.detail == "Exception:") {
    for (const std::string& line : lines) {
      if (!Trim(line).empty()) failure.detail = Trim(line);
    }
  }
  return failure;
}

}  // namespace slipway::imagebuilder
