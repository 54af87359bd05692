// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/distribution.h"

/// What this machine's Docker configuration has for a registry: logins and certificates.
namespace slipway::imagebuilder {

/// What a Docker `config.json` says of a registry.
struct DockerConfigEntry {
  RegistryLogin login;  ///< of `auths`; nobody where it has none
  std::string helper;   ///< of `credHelpers`, else `credsStore`: `pass`, `ecr-login`
  std::string server;   ///< what the helper knows the registry by
};
/// kDataLoss (id `Registry.Config`) for what is no such file.
Result<DockerConfigEntry> ReadDockerConfig(std::string_view config, std::string_view host);

struct CredentialHelper {
  std::string name;                      ///< `docker-credential-<name>` of PATH is run
  std::vector<std::string> environment;  ///< `NAME=value`
  std::chrono::milliseconds timeout{30'000};
};
/// Asks a credential helper about a server; nobody where it has no login. The secret is in memory
/// alone. kUnavailable (id `Registry.CredentialHelper`) where it is not installed, fails, or does
/// not end. Source: docker-credential-helpers, "Development".
Result<RegistryLogin> AskCredentialHelper(const CredentialHelper& helper,
                                          const std::string& server);

/// The login for the host by `$DOCKER_CONFIG/config.json`, else `$HOME/.docker/config.json`; its
/// credential helper is asked first. `environment`: `NAME=value`.
Result<RegistryLogin> FindRegistryLogin(std::string_view host,
                                        const std::vector<std::string>& environment);

/// Where Docker and Podman look for the certificates of registries.
std::vector<std::filesystem::path> CertificateFolders();

/// Of `<folder>/<host>/`: every `*.crt` is trusted, and the first `*.cert` with its `*.key` is
/// shown to the registry; nothing where there is no such folder. kInvalidArgument (id
/// `Registry.Certificate`) for a file that holds none. Source: docs.docker.com, "Verify repository
/// client with certificates".
Result<RegistryTrust> FindRegistryTrust(std::string_view host,
                                        std::span<const std::filesystem::path> folders);

/// Authorities in PEM that are to be trusted too. kInvalidArgument (id `Registry.Certificate`).
Result<void> AddAuthorities(std::string_view source, std::string_view pem, RegistryTrust& trust);

}  // namespace slipway::imagebuilder
