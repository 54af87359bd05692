// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/digest.h"
#include "imagebuilder/distribution.h"
#include "imagebuilder/reference.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::string_view kHubHost = "docker.io";

Error BadReference(std::string_view text, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("{}: {}", text.substr(0, 300), why),
          .id = "Image.Reference",
          .fix = "write HOST[:PORT]/NAME:TAG, for example registry.example.com/team/digits:1"};
}

bool IsHub(std::string_view host) {
  return host == kHubHost || host == "index.docker.io" || host == "registry-1.docker.io";
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

}  // namespace slipway::imagebuilder
