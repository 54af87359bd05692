// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "imagebuilder/distribution.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/reference.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::int64_t kConfigBytes = 4 << 20;
constexpr std::string_view kHubHost = "docker.io";

Error BadReference(std::string_view text, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("{}: {}", text.substr(0, 300), why),
          .id = "Image.Reference",
          .fix = "write HOST[:PORT]/NAME:TAG, for example registry.example.com/team/digits:1"};
}

/// A host as keys of `auths` have it: with or without scheme and path.
std::string HostOfKey(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  return std::string(key.substr(0, key.find('/')));
}

bool IsHub(std::string_view host) {
  return host == kHubHost || host == "index.docker.io" || host == "registry-1.docker.io";
}

Error BadConfig(std::string_view why) {
  return {.code = Code::kDataLoss,
          .message = fmt::format("Docker's config.json: {}", why),
          .id = "Registry.Config",
          .fix = "log in again: docker login"};
}

Result<RegistryLogin> ReadEntry(const Json& entry) {
  RegistryLogin login{.username = TRY(GetStringOr(entry, "username", "")),
                      .password = TRY(GetStringOr(entry, "password", "")),
                      .identity_token = TRY(GetStringOr(entry, "identitytoken", ""))};
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

}  // namespace

std::string RegistryReference::At(std::string_view manifest_digest) const {
  return fmt::format("{}/{}@{}", host, repository, manifest_digest);
}

Result<RegistryReference> ParseRegistryReference(std::string_view text) {
  RegistryReference reference;
  std::string_view named = text;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const auto digest = Digest::Parse(text.substr(at + 1));
    if (!digest) return BadReference(text, "what follows @ is no SHA-256 digest");
    reference.digest = digest->text();
    named = text.substr(0, at);
  }
  const auto parsed = ParseReference(named);
  if (!parsed) return BadReference(text, "not a reference that registries accept");
  const std::size_t slash = parsed->name.find('/');
  const std::string host = parsed->name.substr(0, slash);
  const bool is_host = slash != std::string::npos &&
                       (host.find_first_of(".:") != std::string::npos || host == "localhost");
  if (!is_host) return BadReference(text, "names no registry");
  reference.host = host;
  reference.repository = parsed->name.substr(slash + 1);
  if (IsHub(host) && reference.repository.find('/') == std::string::npos) {
    reference.repository.insert(0, "library/");
  }
  const bool tagged = named.size() > parsed->name.size();
  if (tagged || reference.digest.empty()) reference.tag = parsed->tag;
  return reference;
}

Result<RegistryLogin> LoginFromDockerConfig(std::string_view config, std::string_view host) {
  const auto json = ParseJson(config);
  if (!json || !json->is_object()) return BadConfig("is no JSON object");
  const auto auths = json->find("auths");
  if (auths == json->end() || !auths->is_object()) return RegistryLogin{};
  for (const auto& [key, entry] : auths->items()) {
    const std::string known = HostOfKey(key);
    if (known != host && !(IsHub(known) && IsHub(host))) continue;
    if (entry.is_object() && !entry.empty()) return ReadEntry(entry);
  }
  return RegistryLogin{};
}

Result<RegistryLogin> FindRegistryLogin(
    std::string_view host, const std::function<const char*(const char*)>& environment) {
  const auto variable = [&environment](const char* name) {
    const char* value = environment ? environment(name) : nullptr;
    return std::string(value == nullptr ? "" : value);
  };
  std::filesystem::path folder = variable("DOCKER_CONFIG");
  if (folder.empty() && !variable("HOME").empty()) {
    folder = std::filesystem::path(variable("HOME")) / ".docker";
  }
  if (folder.empty()) return RegistryLogin{};
  const auto text = ReadFile(folder / "config.json", kConfigBytes);
  if (text) return LoginFromDockerConfig(*text, host);
  if (text.error().code == Code::kNotFound) return RegistryLogin{};
  return text.error();
}

}  // namespace slipway::imagebuilder
