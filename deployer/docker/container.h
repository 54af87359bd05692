// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

/// Port that an image's scoring server listens on.
inline constexpr int kScoringPort = 5001;

struct ContainerPlace {
  std::string state;    ///< id of the state folder, so that two of them share an engine
  int port = 0;         ///< of the engine's machine, where the container answers
  bool remote = false;  ///< the engine is on another machine: the port is for all who reach that
};

/// Labels by which containers of ours are known.
inline constexpr std::string_view kStateLabel = "io.slipway.state";
inline constexpr std::string_view kWorkspaceLabel = "io.slipway.workspace";
inline constexpr std::string_view kServiceLabel = "io.slipway.service";
inline constexpr std::string_view kRevisionLabel = "io.slipway.revision";
inline constexpr std::string_view kImageLabel = "io.slipway.image";

/// Where this image's name is in the engine: `slipway/<name>:<hex digits of the digest>`.
struct EngineImageName {
  std::string repository, tag;
  std::string reference() const { return repository + ":" + tag; }
};
EngineImageName NameInEngine(const DeploySpec& spec);

/// The body of `POST /containers/create`. No capabilities, no new privileges, bounded processes,
/// memory without swap, cores and log. It is not started again before it was ready once. Pure.
Json ContainerBody(const DeploySpec& spec, const ContainerPlace& place);

/// Digest of everything in ContainerBody that the user can change: two specs with the same one
/// run the same.
std::string SpecDigest(const DeploySpec& spec);

/// A name for a container of this revision that no other has.
std::string ContainerName(const DeploySpec& spec, std::string_view state, std::string_view unique);

}  // namespace slipway::deployer
