// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/docker_config.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kConfigBytes = 4 << 20;
constexpr std::int64_t kCertificateBytes = 1 << 20;
constexpr std::size_t kAnswerBytes = 64 << 10;
constexpr std::size_t kWordsMax = 200;
constexpr std::chrono::milliseconds kGrace{500};
constexpr std::string_view kHubServer = "https://index.docker.io/v1/";
constexpr std::string_view kNotThere = "credentials not found in native keychain";

bool IsHub(std::string_view host) {
  return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
}

/// A host as keys of `auths` have it: with or without scheme and path.
std::string HostOfKey(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  return std::string(key.substr(0, key.find('/')));
}

bool IsFor(std::string_view key, std::string_view host) {
  const std::string known = HostOfKey(key);
  return known == host || (IsHub(known) && IsHub(host));
}

Error BadConfig(std::string_view why) {
  return {.code = Code::kDataLoss,
          .message = fmt::format("Docker's config.json: {}", why),
          .id = "Registry.Config",
          .fix = "log in again: docker login"};
}

Result<RegistryLogin> ReadEntry(const Json& entry) {
  RegistryLogin login;
  login.username = TRY(GetStringOr(entry, "username", ""));
  login.password = TRY(GetStringOr(entry, "password", ""));
  login.identity_token = TRY(GetStringOr(entry, "identitytoken", ""));
  const std::string packed = TRY(GetStringOr(entry, "auth", ""));
  if (packed.empty()) return login;
  const auto pair = DecodeBase64(packed);
  const std::size_t colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return BadConfig("an auth is no user:password in base64");
  login.username = pair->substr(0, colon);
  login.password = pair->substr(colon + 1);
  while (login.password.ends_with('\0')) login.password.pop_back();
  return login;
}

/// A name that becomes part of a program's name.
Result<std::string> ReadHelper(const Json& json) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (!json.is_string()) return BadConfig("a credential helper is no text");
  const std::string name = json.get<std::string>();
  if (std::ranges::all_of(name, plain)) return name;
  return BadConfig(fmt::format("'{}' is no name of a credential helper", name.substr(0, 60)));
}

Error HelperFailed(const CredentialHelper& helper, const std::string& server,
                   std::string_view why) {
  return {
      .code = Code::kUnavailable,
      .message = fmt::format("docker-credential-{}, which Docker's config.json names for {}, {}",
                             helper.name, server, why),
      .id = "Registry.CredentialHelper",
      .fix = "repair it, or give username and password"};
}

Result<UniqueFd> MemoryFile(std::string_view text) {
  UniqueFd file(::memfd_create("slipway-credential", MFD_CLOEXEC));
  if (!file) return SystemError("cannot make a file in memory", errno);
  TRY(WriteAll(file.get(), std::as_bytes(std::span(text))));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return SystemError("cannot rewind", errno);
  return file;
}

std::string ReadBack(int file) {
  std::string text(kAnswerBytes, '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

/// What a helper said went wrong, fit for one line.
std::string FirstLine(std::string_view text) {
  std::string line(Trim(text.substr(0, text.find('\n'))));
  std::erase_if(line, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; });
  return line.substr(0, kWordsMax);
}

std::string VariableOf(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& variable : environment) {
    if (variable.starts_with(name) && variable.size() > name.size() &&
        variable[name.size()] == '=') {
      return variable.substr(name.size() + 1);
    }
  }
  return {};
}

Result<std::string> ReadPem(const fs::path& file, std::string_view what) {
  std::string text = TRY(ReadFile(file, kCertificateBytes));
  if (text.find(fmt::format("-----BEGIN {}", what)) != std::string::npos ||
      (what == "PRIVATE KEY" && text.find("PRIVATE KEY-----") != std::string::npos)) {
    return text;
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{} holds no {} in PEM", file.string(), ToLower(what)),
               .id = "Registry.Certificate"};
}

Result<std::vector<fs::path>> SortedFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    files.push_back(at->path());
  }
  if (failed && failed != std::errc::no_such_file_or_directory) {
    return SystemError(folder.string(), failed.value());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<DockerConfigEntry> ReadDockerConfig(std::string_view config, std::string_view host) {
  const auto json = ParseJson(config);
  if (!json || !json->is_object()) return BadConfig("is no JSON object");
  DockerConfigEntry found{
      .login = {}, .helper = {}, .server = std::string(IsHub(host) ? kHubServer : host)};
  if (const auto auths = json->find("auths"); auths != json->end() && auths->is_object()) {
    for (const auto& [key, entry] : auths->items()) {
      if (!IsFor(key, host) || !entry.is_object() || entry.empty()) continue;
      found.login = TRY(ReadEntry(entry));
      break;
    }
  }
  if (const auto store = json->find("credsStore"); store != json->end() && !store->is_null()) {
    found.helper = TRY(ReadHelper(*store));
  }
  const auto helpers = json->find("credHelpers");
  if (helpers == json->end() || !helpers->is_object()) return found;
  for (const auto& [key, helper] : helpers->items()) {
    if (!IsFor(key, host)) continue;
    found.helper = TRY(ReadHelper(helper));
    if (!IsHub(host)) found.server = key;
  }
  return found;
}

Result<RegistryLogin> AskCredentialHelper(const CredentialHelper& helper,
                                          const std::string& server) {
  const UniqueFd question = TRY(MemoryFile(server));
  const UniqueFd answer = TRY(MemoryFile(""));
  const auto started = Spawn({.argv = {"docker-credential-" + helper.name, "get"},
                              .environment = helper.environment,
                              .give_fds = {{.from = question.get(), .to = STDIN_FILENO},
                                           {.from = answer.get(), .to = STDOUT_FILENO}}});
  if (!started) {
    const bool missing = started.error().code == Code::kNotFound;
    return HelperFailed(helper, server, missing ? "is not installed" : started.error().message);
  }
  const auto status = WaitForExit(*started, helper.timeout);
  if (!status) {
    static_cast<void>(Terminate(*started, kGrace).has_value());
    return HelperFailed(helper, server,
                        fmt::format("did not answer within {} ms", helper.timeout.count()));
  }
  const std::string said = ReadBack(answer.get());
  if (*status != 0) {
    if (said.find(kNotThere) != std::string::npos) return RegistryLogin{};
    const std::string line = FirstLine(said);
    return HelperFailed(
        helper, server,
        fmt::format("ended with status {}{}{}", *status, line.empty() ? "" : ": ", line));
  }
  const auto json = ParseJson(said);
  const auto username =
      json ? GetStringOr(*json, "Username", "") : Result<std::string>(json.error());
  const auto secret = json ? GetStringOr(*json, "Secret", "") : Result<std::string>(json.error());
  if (!username || !secret) return HelperFailed(helper, server, "answered no JSON of a login");
  if (*username == "<token>") return RegistryLogin{.identity_token = *secret};
  return RegistryLogin{.username = *username, .password = *secret};
}

Result<RegistryLogin> FindRegistryLogin(std::string_view host,
                                        const std::vector<std::string>& environment) {
  fs::path folder = VariableOf(environment, "DOCKER_CONFIG");
  const std::string home = VariableOf(environment, "HOME");
  if (folder.empty() && !home.empty()) folder = fs::path(home) / ".docker";
  if (folder.empty()) return RegistryLogin{};
  const auto text = ReadFile(folder / "config.json", kConfigBytes);
  if (!text && text.error().code == Code::kNotFound) return RegistryLogin{};
  if (!text) return text.error();
  DockerConfigEntry entry = TRY(ReadDockerConfig(*text, host));
  if (entry.helper.empty()) return std::move(entry.login);
  RegistryLogin login =
      TRY(AskCredentialHelper({.name = entry.helper, .environment = environment}, entry.server));
  const bool nobody = login.username.empty() && login.identity_token.empty();
  return nobody ? std::move(entry.login) : std::move(login);
}

std::vector<fs::path> CertificateFolders() {
  return {"/etc/docker/certs.d", "/etc/containers/certs.d"};
}

Result<void> AddAuthorities(std::string_view source, std::string_view pem, RegistryTrust& trust) {
  if (pem.find("-----BEGIN CERTIFICATE-----") == std::string_view::npos) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("{} holds no certificate in PEM", source),
                 .id = "Registry.Certificate"};
  }
  trust.ca_pem.append(pem).append("\n");
  return {};
}

Result<RegistryTrust> FindRegistryTrust(std::string_view host, std::span<const fs::path> folders) {
  RegistryTrust trust;
  const bool plain =
      !host.empty() && host.find('/') == std::string_view::npos && !host.starts_with('.');
  if (!plain) return trust;
  for (const fs::path& folder : folders) {
    for (const fs::path& file : TRY(SortedFiles(folder / host))) {
      if (file.extension() == ".crt") {
        const std::string pem = TRY(ReadPem(file, "CERTIFICATE"));
        TRY(AddAuthorities(file.string(), pem, trust));
      }
      if (file.extension() != ".cert" || !trust.certificate_pem.empty()) continue;
      trust.certificate_pem = TRY(ReadPem(file, "CERTIFICATE"));
      trust.key_pem = TRY(ReadPem(fs::path(file).replace_extension(".key"), "PRIVATE KEY"));
    }
  }
  return trust;
}

}  // namespace slipway::imagebuilder
