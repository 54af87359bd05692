// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/apt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kListsFresh{24};
constexpr std::int64_t kConfigBytes = 1 << 20;

/// What packages ask for only to be installed or configured, which never happens here.
constexpr std::array<std::string_view, 7> kInstallers = {
    "debconf", "debianutils", "dpkg", "mawk", "openssl", "readline-common", "tar"};

std::string InstallersStatus() {
  std::string text;
  for (const std::string_view name : kInstallers) {
    text += fmt::format(
        "Package: {}\nStatus: install ok installed\nVersion: 9999\nArchitecture: all\n"
        "Multi-Arch: foreign\nMaintainer: none\nDescription: none\n{}\n",
        name,
        name == "mawk"      ? "Provides: awk\n"
        : name == "debconf" ? "Provides: debconf-2.0\n"
                            : "");
  }
  return text;
}

/// The last line that says what is wrong.
std::string ErrorLine(const std::string& output, std::string_view prefix) {
  std::string found;
  for (const std::string& line : Split(output, '\n')) {
    if (line.starts_with(prefix) && found.empty()) {
      found = Trim(std::string_view(line).substr(prefix.size()));
    }
  }
  return found;
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Error AptError(const CommandOutcome& outcome) {
  const std::string line = ErrorLine(outcome.output, "E: ");
  if (Contains(outcome.output, "Unable to locate package") ||
      Contains(outcome.output, "has no installation candidate")) {
    return {.code = Code::kInvalidArgument,
            .message = fmt::format("Debian has no such package: {}", line),
            .id = "Image.NoSuchPackage",
            .fix = "look for its name with: apt-cache search WORD"};
  }
  if (Contains(outcome.output, "unmet dependencies") || Contains(outcome.output, "held broken")) {
    return {.code = Code::kInvalidArgument,
            .message = fmt::format("Debian packages exclude each other: {}", line),
            .id = "Image.Conflict",
            .fix = "leave one of them out, or give another --base"};
  }
  return {.code = Code::kUnavailable,
          .message = fmt::format("apt could not fetch what was asked: {}",
                                 line.empty() ? "it does not say why" : line),
          .id = "Image.AptUnreachable",
          .fix = "check the network and /etc/apt/sources.list; apt-get update must work"};
}

std::string Version(std::string_view file) {
  const auto parts = Split(file, '_');
  const auto version = parts.size() > 1 ? DecodePercent(parts[1]) : Result<std::string>("");
  return version ? *version : parts[1];
}

}  // namespace

std::vector<LockedFile> ReadUris(std::string_view output) {
  std::vector<LockedFile> files;
  for (const std::string& line : Split(output, '\n')) {
    if (!line.starts_with('\'')) continue;
    const std::size_t quote = line.find('\'', 1);
    if (quote == std::string::npos) continue;
    const std::vector<std::string> words = Split(Trim(line.substr(quote + 1)), ' ');
    if (words.size() != 3 || !words[2].starts_with("SHA256:")) continue;
    LockedFile file{.name = words[0].substr(0, words[0].find('_')),
                    .version = Version(words[0]),
                    .file = words[0],
                    .url = line.substr(1, quote - 1),
                    .digest = "sha256:" + words[2].substr(7)};
    const char* end = words[1].data() + words[1].size();
    if (std::from_chars(words[1].data(), end, file.size).ptr != end) continue;
    if (!Digest::Parse(file.digest)) continue;
    files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &LockedFile::name);
  return files;
}

Result<CommandOutcome> Apt::Run(std::vector<std::string> argv) {
  std::vector<std::string> environment = FetchEnvironment(environment_);
  environment.insert(
      environment.end(),
      {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
       fmt::format("APT_CONFIG={}", (folder_ / "apt.conf").string())});
  return RunCommand({.argv = std::move(argv), .environment = environment, .scratch = scratch_},
                    hooks_);
}

Result<void> Apt::Prepare() {
  if (prepared_) return {};
  std::error_code failed;
  if (!fs::exists("/usr/bin/apt-get", failed) || !fs::exists("/usr/lib/apt/apt-helper", failed)) {
    return Error{.code = Code::kUnavailable,
                 .message = "this machine has no apt, which the default base comes from",
                 .id = "Image.AptMissing",
                 .fix = "give the image a base of its own with --base"};
  }
  for (const char* name : {"lists/partial", "archives/partial"}) TRY(MakeFolders(folder_ / name));
  TRY(WriteFileAtomic(folder_ / "status", InstallersStatus()));
  // The machine's hooks would run on its own caches: of its configuration only how to fetch.
  const CommandOutcome dump =
      TRY(RunCommand({.argv = {"/usr/bin/apt-config", "dump"},
                      .environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"},
                      .scratch = scratch_},
                     hooks_));
  std::string config;
  for (const std::string& line : Split(dump.output, '\n')) {
    const bool whole = line.ends_with("\";");
    if (line.starts_with("Acquire::") && whole && !line.starts_with("Acquire::IndexTargets")) {
      config += line + "\n";
    }
  }
  const std::string place = folder_.string();
  config += fmt::format(
      "Dir::Etc::parts \"/dev/null\";\nDir::Etc::main \"/dev/null\";\nDir::State \"{0}\";\n"
      "Dir::State::lists \"{0}/lists\";\nDir::State::status \"{0}/status\";\n"
      "Dir::State::extended_states \"{0}/extended\";\nDir::Cache \"{0}\";\n"
      "Dir::Cache::archives \"{0}/archives\";\nDir::Log \"{0}\";\nAPT::Sandbox::User \"root\";\n"
      "APT::Install-Recommends \"false\";\nDebug::NoLocking \"true\";\n"
      "APT::Get::AllowUnauthenticated \"false\";\nAcquire::Languages \"none\";\n"
      "Acquire::ForceHash \"SHA256\";\nAcquire::Retries \"2\";\n"
      "Acquire::http::Timeout \"30\";\nAcquire::https::Timeout \"30\";\n",
      place);
  const fs::path file = folder_ / "apt.conf";
  const auto old = ReadFile(file, kConfigBytes);
  if (!old || *old != config) TRY(WriteFileAtomic(file, config));
  prepared_ = true;
  return {};
}

Result<void> Apt::Update() {
  const fs::path stamp = folder_ / "updated";
  std::error_code failed;
  const auto written = fs::last_write_time(stamp, failed);
  if (!failed && fs::file_time_type::clock::now() - written < kListsFresh) return {};
  hooks_.Say("debian: reading the package lists");
  const CommandOutcome outcome = TRY(Run({"/usr/bin/apt-get", "update", "-q", "--error-on=any"}));
  if (outcome.status == 0) return WriteFileAtomic(stamp, "");
  // One source that does not answer must not stop what the others have.
  const CommandOutcome again = TRY(Run({"/usr/bin/apt-get", "update", "-q"}));
  if (again.status != 0) return AptError(again);
  hooks_.Say(
      fmt::format("debian: not every source answered: {}", ErrorLine(outcome.output, "E: ")));
  return {};
}

Result<std::vector<LockedFile>> Apt::Resolve(const std::vector<std::string>& packages) {
  TRY(Prepare());
  TRY(Update());
  std::vector<std::string> argv = {
      "/usr/bin/apt-get", "install", "--print-uris", "-y", "-qq", "--"};
  argv.insert(argv.end(), packages.begin(), packages.end());
  const CommandOutcome outcome = TRY(Run(argv));
  if (outcome.status != 0) return AptError(outcome);
  std::vector<LockedFile> files = ReadUris(outcome.output);
  if (files.empty()) return AptError(outcome);
  return files;
}

Result<void> Apt::Download(const std::vector<LockedFile>& files, const fs::path& folder) {
  if (files.empty()) return {};
  TRY(Prepare());
  std::vector<std::string> argv = {"/usr/lib/apt/apt-helper", "download-file"};
  for (const LockedFile& file : files) {
    argv.push_back(file.url);
    argv.push_back((folder / file.file).string());
    argv.push_back("SHA256:" + file.digest.substr(7));
  }
  const CommandOutcome outcome = TRY(Run(argv));
  if (outcome.status != 0) return AptError(outcome);
  return {};
}

}  // namespace slipway::imagebuilder
